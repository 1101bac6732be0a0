/** Masquerading as a daemon of either role does it: set up at the start, taken back at the end, told in the log. */

import type { Cidr } from '../net/address.js'
import { Nat } from '../net/nat.js'
import type { Surroundings } from './role.js'

export class Masquerading {
  readonly #around: Surroundings
  /** As it was at the start; a reload does not change it. */
  readonly #isWanted: boolean
  readonly #nat: Nat

  /** @param pools of a server. */
  constructor(around: Surroundings, isWanted: boolean, pools?: readonly Cidr[]) {
    const { machine, tun, natMemoPath: memoPath } = around
    this.#around = around
    this.#isWanted = isWanted
    this.#nat = new Nat({ run: machine.run, tun, pools, memoPath })
  }

  async start(): Promise<void> {
    // Of a daemon that was killed and is not to masquerade any more.
    if (!this.#isWanted) return this.#nat.remove()
    const { log, tun } = this.#around
    const missing = await this.#nat.install()
    log.write('nat.installed', { device: tun })
    for (const why of missing) log.write('nat.incomplete', { why })
  }

  /** Never throws. */
  async stop(): Promise<void> {
    if (this.#isWanted) await this.#nat.remove()
  }
}
