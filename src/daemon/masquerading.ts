/** Masquerading as a daemon of either role does it: set up at the start, taken back at the end, told in the log. */

import type { Cidr } from '../net/address.js'
import { Nat } from '../net/nat.js'
import { Unforwarded } from '../net/unforwarded.js'
import type { Loop } from './loop.js'
import type { Surroundings } from './role.js'

/** Whoever owns the machine may let it forward IPv6 at any time. */
const LOOK_EVERY_US = 5_000_000

export class Masquerading {
  readonly #around: Surroundings
  /** As it was at the start; a reload does not change it. */
  readonly #isWanted: boolean
  readonly #nat: Nat
  /** Of a server, which promises its peers a way out. */
  readonly #unforwarded: Unforwarded | undefined
  #settling = Promise.resolve()

  /** @param pools of a server. */
  constructor(around: Surroundings, isWanted: boolean, pools?: readonly Cidr[]) {
    const { machine, tun, natMemoPath: memoPath } = around
    const { run } = machine
    this.#around = around
    this.#isWanted = isWanted
    this.#nat = new Nat({ run, tun, pools, memoPath })
    this.#unforwarded = pools && new Unforwarded({ run, tun })
  }

  async start(loop: Loop): Promise<void> {
    // Of a daemon that was killed and is not to masquerade any more.
    if (!this.#isWanted) return this.#remove()
    const { log, tun } = this.#around
    const missing = await this.#nat.install()
    log.write('nat.installed', { device: tun })
    for (const why of missing) log.write('nat.incomplete', { why })
    if (this.#unforwarded !== undefined) await this.#settle(loop, this.#unforwarded)
  }

  /** Never throws. */
  async stop(): Promise<void> {
    if (this.#isWanted) await this.#remove()
  }

  #settle(loop: Loop, unforwarded: Unforwarded): Promise<void> {
    this.#settling = unforwarded.settle()
    const atUs = this.#around.machine.clock.nowUs() + LOOK_EVERY_US
    loop.plan('unforwarded', atUs, () => void this.#settle(loop, unforwarded))
    return this.#settling
  }

  async #remove(): Promise<void> {
    await this.#settling
    await this.#unforwarded?.end()
    await this.#nat.remove()
  }
}
