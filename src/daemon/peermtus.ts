/** What the clients of a server take at most, as routes of its device. */

import { messageOf } from '../errors.js'
import { type Cidr, familyOf } from '../net/address.js'
import { PeerRoutes } from '../net/peerroutes.js'
import type { Loop } from './loop.js'
import { Jobs, type Surroundings } from './role.js'

export interface PeerMtusOptions {
  readonly around: Surroundings
  readonly deviceMtuBytes: () => number
  /** Inner addresses; none of a peer that is gone. */
  readonly addressesOf: (peer: string) => readonly Uint8Array[]
}

/** A client that changes its mind all the time costs a few programs a second. */
const PAUSE_US = 1_000_000

export class PeerMtus {
  readonly #options: PeerMtusOptions
  readonly #routes: PeerRoutes
  readonly #jobs: Jobs
  /** As each peer has told. */
  readonly #told = new Map<string, number>()
  #loop: Loop | undefined
  #settledUs = Number.NEGATIVE_INFINITY

  constructor(options: PeerMtusOptions) {
    this.#options = options
    const { machine, tun, log } = options.around
    this.#routes = new PeerRoutes(machine.run, tun)
    this.#jobs = new Jobs((error) => log.write('addresses.failed', { why: messageOf(error) }))
  }

  start(loop: Loop): void {
    this.#loop = loop
  }

  handleTold(nowUs: number, peer: string, bytes: number): void {
    this.#told.set(peer, bytes)
    this.settleSoon(nowUs)
  }

  /** Call when the device has another MTU, or peers other addresses. */
  settleSoon(nowUs: number): void {
    const atUs = Math.max(nowUs, this.#settledUs + PAUSE_US)
    this.#loop?.planBy('peer-mtus', atUs, (settledUs) => this.#settle(settledUs))
  }

  idle(): Promise<void> {
    return this.#jobs.idle()
  }

  #settle(nowUs: number): void {
    this.#settledUs = nowUs
    const { deviceMtuBytes, addressesOf } = this.#options
    for (const [peer, bytes] of this.#told) {
      const addresses = addressesOf(peer).map(alone)
      const mtuBytes = bytes < deviceMtuBytes() ? bytes : undefined
      if (addresses.length === 0) this.#told.delete(peer)
      this.#jobs.add(() => this.#routes.set(peer, addresses, mtuBytes))
    }
  }
}

function alone(address: Uint8Array): Cidr {
  return { family: familyOf(address), address, prefix: 8 * address.length }
}
