/** Three links between a client and a server, what has happened to them, and what is true of them now. */

import type { Mode } from '#mptun/core/policy.js'
import type { Daemon } from '../lab/daemon.js'
import { createLab, type Lab } from '../lab/lab.js'
import { openTunnel, type Tunnel } from '../lab/tunnel.js'
import { nowMs } from './clock.js'
import type { LinkTruth, Moment } from './course.js'

interface Line extends Pick<LinkTruth, 'name' | 'mbit' | 'delayMs' | 'lossPercent'> {
  /** What does not change. */
  readonly words: string
}

const LINES: readonly Line[] = [
  { name: 'dsl', mbit: 8, delayMs: 15, lossPercent: 0, words: 'queue=200ms' },
  { name: 'lte', mbit: 10, delayMs: 35, lossPercent: 0.2, words: 'jitter=5,queue=300ms' },
  { name: 'sat', mbit: 12, delayMs: 60, lossPercent: 0, words: 'queue=100ms' },
]
export const LINKS: readonly string[] = LINES.map(({ name }) => name)

/**
 * What a user accepts between a daemon's return and the tunnel's: a client finds a restarted server within four
 * seconds, and it takes a moment to know all paths again.
 */
const RETURN_MS = 5000

export class Place {
  readonly course: Moment[] = []
  readonly lab: Lab
  readonly tunnel: Tunnel
  #truths: readonly LinkTruth[]
  #servedSinceMs: number | undefined = nowMs()

  private constructor(lab: Lab, tunnel: Tunnel) {
    this.lab = lab
    this.tunnel = tunnel
    this.#truths = LINES.map(({ words: _, ...line }) => ({
      ...line,
      state: 'up',
      isRenumbered: false,
      sinceMs: nowMs(),
    }))
    this.#tell('the start')
  }

  static async open(seed: number, mode: Mode): Promise<Place> {
    const links = LINES.map(({ name, mbit, delayMs, lossPercent, words }) => ({
      name,
      description: `rate=${mbit},delay=${delayMs},loss=${lossPercent},${words}`,
    }))
    const lab = await createLab({ name: 'soak', links, seed })
    try {
      const paths = mode === 'active-backup' ? 1 : links.length
      return new Place(lab, await openTunnel(lab, { paths, clientWords: ['--mode', mode] }))
    } catch (error) {
      await lab.close()
      throw error
    }
  }

  get daemons(): { readonly client: Daemon; readonly server: Daemon } {
    return this.tunnel
  }

  truthOf(name: string): LinkTruth {
    return this.#truths.find((truth) => truth.name === name)!
  }

  /** Whether another link is up. */
  hasOther(name: string): boolean {
    return this.#truths.some((truth) => truth.name !== name && truth.state === 'up')
  }

  /** Something has happened to a link; what is given of its truth is so from now on. */
  changed(name: string, what: string, change: Partial<LinkTruth> = {}): void {
    const sinceMs = nowMs()
    this.#truths = this.#truths.map((truth) =>
      truth.name === name ? { ...truth, ...change, sinceMs } : truth,
    )
    this.#tell(`${name} ${what}`)
  }

  /** One of the daemons does not run. */
  unserved(what: string): void {
    this.#servedSinceMs = undefined
    this.#tell(what)
  }

  /** Both run again. */
  served(what: string): void {
    this.#servedSinceMs = nowMs() + RETURN_MS
    this.#tell(what)
  }

  /** Rejects when a daemon does not end well or has left something behind. */
  async close(): Promise<void> {
    try {
      for (const { name, state, isRenumbered } of this.#truths) {
        if (state === 'unplugged') await this.lab.recreateDevice(name)
        if (isRenumbered) await this.lab.renumberDevice(name)
      }
      await this.tunnel.close()
    } finally {
      await this.lab.close()
    }
  }

  #tell(what: string): void {
    this.course.push({
      atMs: nowMs(),
      what,
      links: this.#truths,
      servedSinceMs: this.#servedSinceMs,
    })
  }
}
