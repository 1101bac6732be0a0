/** The sockets of the uplinks, kept in line with the devices that this machine has. */

import type { Client, Family } from '../core/client.js'
import { messageOf } from '../errors.js'
import { listDevices } from '../net/devices.js'
import { type UplinkChange, Uplinks } from '../net/uplinks.js'
import type { Loop } from './loop.js'
import type { Jobs, Surroundings } from './role.js'

/** rtnetlink tells one change in several messages: they are looked at together. */
const SETTLE_US = 30_000
/** A socket that was refused is tried again, should no message of the kernel come. */
const REFUSED_RETRY_US = 5_000_000

export class Sockets {
  readonly #around: Surroundings
  readonly #core: Client
  readonly #jobs: Jobs
  readonly #uplinks = new Uplinks()
  #loop: Loop | undefined

  constructor(around: Surroundings, core: Client, jobs: Jobs) {
    this.#around = around
    this.#core = core
    this.#jobs = jobs
  }

  start(loop: Loop): void {
    this.#loop = loop
  }

  /** Gives the uplink sockets from the next look on. */
  add(name: string): void {
    this.#uplinks.add(name)
  }

  /** Opens none any more. */
  remove(name: string): void {
    this.#uplinks.remove(name)
  }

  /** Families of the sockets that the uplink has. */
  familiesOf(name: string): readonly Family[] {
    return this.#uplinks.openFamilies(name)
  }

  /** Uplinks that have any, with their families. */
  ways(): { readonly device: string; readonly families: readonly Family[] }[] {
    const all = this.#uplinks.names.map((device) => ({ device, families: this.familiesOf(device) }))
    return all.filter(({ families }) => families.length > 0)
  }

  /** Looks when the kernel has told all that belongs to a change. */
  lookSoon(nowUs: number): void {
    this.#plan(nowUs + SETTLE_US)
  }

  /** Looks in the next turn of the loop. */
  lookNow(nowUs: number): void {
    this.#plan(nowUs)
  }

  async look(): Promise<void> {
    const { machine, log } = this.#around
    try {
      const devices = await listDevices(machine.run)
      for (const change of this.#uplinks.update(devices)) this.#apply(change)
    } catch (error) {
      log.write('uplink.unreadable', { why: messageOf(error) })
      this.#plan(machine.clock.nowUs() + REFUSED_RETRY_US)
    }
  }

  #plan(atUs: number): void {
    this.#loop?.planBy('look', atUs, () => {
      this.#jobs.add(async () => {
        await this.look()
        this.#loop?.wake()
      })
    })
  }

  #apply(change: UplinkChange): void {
    const { machine, log } = this.#around
    const { name } = change
    switch (change.kind) {
      case 'waiting':
        log.write('uplink.waiting', { uplink: name, why: change.why })
        // No socket goes with it; the core keeps the sentence for status.
        for (const family of [4, 6] as const) {
          this.#core.handleSocketGone(machine.clock.nowUs(), name, family, change.why)
        }
        return
      case 'gone':
        log.write('uplink.waiting', { uplink: name, family: change.family, why: change.why })
        this.#core.handleSocketGone(machine.clock.nowUs(), name, change.family, change.why)
        return
      case 'open':
        this.#open(name, change.family)
    }
  }

  #open(name: string, family: Family): void {
    const { machine, log } = this.#around
    const nowUs = machine.clock.nowUs()
    try {
      const { fd } = machine.openUdp({ family, device: name })
      if (!this.#core.handleSocket(nowUs, name, family, fd)) {
        machine.closeDescriptor(fd)
        return
      }
      log.write('uplink.opened', { uplink: name, family })
      if (family === 4 && machine.isStrictlyFiltered(name)) {
        log.write('uplink.filtered', {
          uplink: name,
          why: `net.ipv4.conf.${name}.rp_filter is strict; run sysctl -w net.ipv4.conf.all.rp_filter=2`,
        })
      }
    } catch (error) {
      const why = messageOf(error)
      this.#uplinks.handleRefused(name, family)
      this.#core.handleSocketGone(nowUs, name, family, why)
      log.write('uplink.waiting', { uplink: name, family, why })
      this.#plan(nowUs + REFUSED_RETRY_US)
    }
  }
}
