/**
 * Notices that two machines have the key of one client: each takes the session from the other, again and again.
 *
 * A client that restarts has another instance, and one that only lost its paths or roams has the same. None goes back to
 * one that it has left: an instance that comes again after another one is that of another machine.
 */

import { sameOctets } from '../octets.js'

/** Machines with one key that are told apart. */
const MOST_LEFT = 4
/** Machines that take the session from each other do so every few seconds. */
const QUIET_US = 60_000_000

export class Rivals {
  #left: Uint8Array[] = []
  #toldUs = Number.NEGATIVE_INFINITY

  /** The instance of the last handshake, and of this one. True when there are two machines, which is told once a minute. */
  handleTurn(nowUs: number, from: Uint8Array, to: Uint8Array): boolean {
    if (sameOctets(from, to)) return false
    const isBack = this.#left.some((left) => sameOctets(left, to))
    this.#left = [...this.#left.filter((left) => !sameOctets(left, from)), from].slice(-MOST_LEFT)
    if (!isBack || nowUs - this.#toldUs < QUIET_US) return false
    this.#toldUs = nowUs
    return true
  }
}
