/**
 * Masquerading as a daemon of either role does it: set up at the start, put back when others have flushed it, taken
 * away at the end, told in the log.
 */

import { messageOf } from '../errors.js'
import type { Cidr } from '../net/address.js'
import { Nat } from '../net/nat.js'
import { Unforwarded } from '../net/unforwarded.js'
import type { Loop } from './loop.js'
import type { Surroundings } from './role.js'

/** Whoever owns the machine may let it forward IPv6 at any time. */
const LOOK_EVERY_US = 5_000_000
/** As `systemctl reload nftables` does, with every table. Takes a program to see: 3 ms of a core. */
const RULES_EVERY_US = 15_000_000

export class Masquerading {
  readonly #around: Surroundings
  /** As it was at the start; a reload does not change it. */
  readonly #isWanted: boolean
  readonly #nat: Nat
  /** Of a server, which promises its peers a way out. */
  readonly #unforwarded: Unforwarded | undefined
  /** What is looked at now, for the end to wait for. */
  #looking = Promise.resolve()
  /** Why the rules could not be put back, as it was told last. */
  #fault = ''

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
    await this.#install('nat.installed')
    this.#repeat(loop, 'nat', RULES_EVERY_US, () => this.#restore())
    const unforwarded = this.#unforwarded
    if (unforwarded === undefined) return
    await unforwarded.settle()
    this.#repeat(loop, 'unforwarded', LOOK_EVERY_US, () => unforwarded.settle())
  }

  /** Never throws. */
  async stop(): Promise<void> {
    if (this.#isWanted) await this.#remove()
  }

  #repeat(loop: Loop, name: string, everyUs: number, look: () => Promise<void>): void {
    loop.plan(name, this.#around.machine.clock.nowUs() + everyUs, () => {
      this.#looking = this.#looking.then(look)
      this.#repeat(loop, name, everyUs, look)
    })
  }

  async #install(event: 'nat.installed' | 'nat.restored'): Promise<void> {
    const { log, tun } = this.#around
    const missing = await this.#nat.install()
    log.write(event, { device: tun })
    for (const why of missing) log.write('nat.incomplete', { why })
  }

  async #restore(): Promise<void> {
    try {
      if (!(await this.#nat.isInstalled())) await this.#install('nat.restored')
      this.#fault = ''
    } catch (error) {
      const why = messageOf(error)
      if (why !== this.#fault) this.#around.log.write('nat.incomplete', { why })
      this.#fault = why
    }
  }

  async #remove(): Promise<void> {
    await this.#looking
    await this.#unforwarded?.end()
    await this.#nat.remove()
  }
}
