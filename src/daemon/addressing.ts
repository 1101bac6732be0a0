/** What a client's device is given: the addresses that the server tells, and the routes that are wanted into it. */

import type { InnerAddresses } from '../core/facts.js'
import { type Cidr, formatCidr } from '../net/address.js'
import { type Clash, findCutOffs, findOverlaps } from '../net/clashes.js'
import { listDevices, listGateways } from '../net/devices.js'
import { addressTun, dropRoutes, innerCidrs } from '../net/tundevice.js'
import type { Loop } from './loop.js'
import type { Jobs, Surroundings } from './role.js'

export interface AddressingOptions {
  readonly around: Surroundings
  readonly jobs: Jobs
  /** Names, as they are now. */
  readonly uplinks: () => ReadonlySet<string>
  /** As they are now: a reload may change them. */
  readonly routes: () => readonly Cidr[]
}

interface Clashes {
  readonly overlaps: readonly Clash[]
  readonly cutOffs: readonly Clash[]
}

export class Addressing {
  readonly #options: AddressingOptions
  #loop: Loop | undefined
  #inner: InnerAddresses | undefined
  /** What the device has and lacks, as it was told last. */
  #addressed = ''
  /** Those that it may have. */
  #routes: readonly Cidr[] = []
  /** What the device was to have and could not be given: sentences. */
  #faults: readonly string[] = []
  /** Of the inner networks, as they were looked at last. */
  #clashes: Clashes = { overlaps: [], cutOffs: [] }

  constructor(options: AddressingOptions) {
    this.#options = options
  }

  start(loop: Loop): void {
    this.#loop = loop
  }

  /** By the server, with every session. */
  handleTold(inner: InnerAddresses): void {
    this.#inner = inner
    this.apply()
  }

  /** Of the device; none until the server has told them. */
  get addresses(): readonly Cidr[] {
    return this.#fitting(this.#inner === undefined ? [] : innerCidrs(this.#inner))
  }

  /** What is wrong with them; else empty. */
  get warning(): string {
    const { overlaps, cutOffs } = this.#clashes
    return [...[...cutOffs, ...overlaps].map(({ why }) => why), ...this.#faults].join('; ')
  }

  /** Gives them to it, as the machine is now. Call when the routes are others. */
  apply(): void {
    const inner = this.#inner
    if (inner === undefined) return
    this.#options.jobs.add(async () => {
      const { machine, log, tun } = this.#options.around
      await this.#findClashes(innerCidrs(inner))
      const addresses = this.#fitting(innerCidrs(inner))
      const routes = this.#fitting(this.#options.routes())
      const dropped = this.#routes.filter((route) => !texts(routes).includes(formatCidr(route)))
      // Noted before they are there: whatever fails, they can be taken away.
      this.#routes = routes
      await dropRoutes(machine.run, tun, dropped)
      const state = await addressTun(machine.run, { name: tun, addresses, routes })
      this.#faults = state.faults
      const set = {
        addresses: texts(addresses).join(),
        routes: texts(state.routes).join() || undefined,
      }
      // Every new session tells the same addresses again.
      const addressed = JSON.stringify([set, state.faults])
      if (addressed === this.#addressed) return
      this.#addressed = addressed
      for (const why of state.faults) log.write('addresses.failed', { why })
      log.write('addresses.set', { device: tun, ...set })
    })
  }

  /** Tells what was not so before. */
  async #findClashes(inner: readonly Cidr[]): Promise<void> {
    const { machine, log, tun } = this.#options.around
    const around = { tun, devices: await listDevices(machine.run) }
    const gateways = await listGateways(machine.run)
    const cutOffs = findCutOffs(inner, around, this.#options.uplinks(), gateways)
    const overlaps = findOverlaps(inner, around).filter(({ family }) =>
      cutOffs.every((cutOff) => cutOff.family !== family),
    )
    const before = this.warning
    this.#clashes = { overlaps, cutOffs }
    if (this.warning === before) return
    for (const { why } of cutOffs) log.write('addresses.failed', { why })
    for (const { why } of overlaps) log.write('addresses.overlap', { why })
  }

  /** An uplink may have come into one of the tunnel's networks, or have gone elsewhere. */
  lookAgain(atUs: number): void {
    this.#loop?.planBy('clashes', atUs, () => {
      this.#options.jobs.add(async () => {
        if (this.#inner === undefined) return
        const before = this.#cutFamilies
        await this.#findClashes(innerCidrs(this.#inner))
        // Not otherwise: what is set on the device comes back as a change of links.
        if (this.#cutFamilies !== before) this.apply()
      })
    })
  }

  get #cutFamilies(): string {
    return [...new Set(this.#clashes.cutOffs.map(({ family }) => family))].sort().join()
  }

  #fitting(cidrs: readonly Cidr[]): Cidr[] {
    return cidrs.filter(({ family }) => this.#clashes.cutOffs.every((c) => c.family !== family))
  }
}

function texts(cidrs: readonly Cidr[]): string[] {
  return cidrs.map(formatCidr)
}
