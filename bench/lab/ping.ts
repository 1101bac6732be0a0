/** Pings between two sides of a lab. */

import { collect, line } from './output.js'
import type { Site } from './site.js'
import type { Way } from './traffic.js'

export interface PingReport {
  sent: number
  received: number
  duplicates: number
  /** When answers came, since 1970. */
  answeredAtMs: readonly number[]
  /** Of the same answers, one by one. */
  rttsMs: readonly number[]
  /** Between two answers next to each other. */
  longestGapMs: number
  /** NaN without an answer. */
  medianMs: number
  maxMs: number
}

export interface Ping {
  end(): Promise<PingReport>
}

/** Pings until `end`. `device` binds it, where two tunnels lead to the same network. */
export async function startPing(
  lab: Site,
  way: Omit<Way, 'to'>,
  options: { intervalMs: number; device?: string },
): Promise<Ping> {
  const interval = String(options.intervalMs / 1000)
  const device = options.device === undefined ? [] : ['-I', options.device]
  const child = lab.spawn(way.from, ['ping', '-D', '-i', interval, ...device, way.address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = collect(child)
  await line(child, /^PING/)
  return {
    async end() {
      child.kill('SIGINT') // at which ping prints its sums
      return judgePing(await output)
    },
  }
}

/**
 * The numbers of the requests that were answered, of what `ping -c COUNT -w SECONDS` printed: 1 to COUNT when
 * none was lost. Without a deadline ping waits for the last answer no longer than two round trips.
 */
export function answered(text: string): number[] {
  const numbers = [...text.matchAll(/ bytes from .* icmp_seq=(\d+)/g)].map(([, number]) =>
    Number(number),
  )
  return numbers.sort((a, b) => a - b)
}

/** Reads what `ping -D` of iputils printed. */
function judgePing(text: string): PingReport {
  const [, sent = Number.NaN] = /^(\d+) packets transmitted/m.exec(text) ?? []
  const answers = [...text.matchAll(/^\[([\d.]+)\].* time=([\d.]+) ms(.*)$/gm)]
  const answeredAtMs = answers.map(([, at]) => Number(at) * 1000)
  const rttsMs = answers.map(([, , rtt]) => Number(rtt))
  const rtts = [...rttsMs].sort((a, b) => a - b)
  const duplicates = answers.filter(([, , , rest]) => rest?.includes('DUP')).length
  const gaps = answeredAtMs.slice(1).map((at, index) => at - answeredAtMs[index]!)
  return {
    sent: Number(sent),
    received: answers.length - duplicates,
    duplicates,
    answeredAtMs,
    rttsMs,
    longestGapMs: Math.max(0, ...gaps),
    medianMs: rtts[Math.floor(rtts.length / 2)] ?? Number.NaN,
    maxMs: rtts.at(-1) ?? Number.NaN,
  }
}
