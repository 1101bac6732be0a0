/** What both daemons say and how the client's paths are, each second and at each happening: to find causes. */

import { appendFileSync, writeFileSync } from 'node:fs'
import type { Place } from './place.js'

const EVERY_MS = 1000

export class Journal {
  readonly #file: string
  readonly #place: Place
  readonly #read = { client: 0, server: 0 }
  readonly #timer: NodeJS.Timeout
  #told = 0

  constructor(file: string, place: Place) {
    this.#file = file
    this.#place = place
    writeFileSync(file, '')
    this.#timer = setInterval(() => void this.#tell(), EVERY_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #tell(): Promise<void> {
    const { course, daemons } = this.#place
    const startMs = course[0]!.atMs
    const second = (ms: number) => ((ms - startMs) / 1000).toFixed(1)
    const lines = course.slice(this.#told).map(({ atMs, what }) => `## ${second(atMs)} ${what}`)
    this.#told = course.length
    for (const side of ['client', 'server'] as const) {
      const logs = daemons[side].logs()
      const added = logs.slice(this.#read[side]).split('\n').filter(Boolean)
      lines.push(...added.map((line) => `   ${side} ${line}`))
      this.#read[side] = logs.length
    }
    lines.push(...(await this.#paths('client')), ...(await this.#paths('server')))
    appendFileSync(this.#file, `${lines.join('\n')}\n`)
  }

  async #paths(side: 'client' | 'server'): Promise<string[]> {
    try {
      const { peers } = await this.#place.daemons[side].status()
      const startMs = this.#place.course[0]!.atMs
      const at = ((Number(process.hrtime.bigint() / 1000n) / 1000 - startMs) / 1000).toFixed(1)
      return peers.flatMap(({ paths, repair }) => [
        ...paths.map(({ label, state, why, measured }) => {
          const window = measured?.window
          const words = [
            `rtt ${measured?.smoothedRttMs.toFixed(0)} least ${measured?.leastRttMs.toFixed(0)}`,
            `out ${((measured?.outBytesPerS ?? 0) / 125_000).toFixed(1)}`,
            `can ${((window?.canBytesPerS ?? 0) / 125_000).toFixed(1)}`,
            `window ${window?.inflightBytes}/${window?.windowBytes}`,
            `queue ${window?.queueMs.toFixed(0)}/${window?.targetMs.toFixed(0)}`,
            `errors ${measured?.sendErrors}`,
          ]
          return `   ${at} ${side} ${label} ${state} ${words.join(', ')} ${why}`
        }),
        `   ${at} ${side} backlog ${repair?.backlogBytes} octets ${repair?.backlogMs} ms, dropped ${repair?.queueDropped}, resent ${repair?.resent}`,
      ])
    } catch (error) {
      return [`   ${side} does not answer: ${error}`]
    }
  }
}
