/** What a ping and a stream of numbered datagrams tell of a run. */

import type { StreamReport } from '../lab/arrivals.js'
import type { PingReport } from '../lab/ping.js'
import type { Sample } from './sample.js'

/** The nearest rank: a value that was seen, never one between two. */
export function rank(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
}

/** Of the answers that came between two times (since 1970), while the load was on. */
export function pingSample(report: PingReport, fromMs: number, toMs: number): Sample {
  const { answeredAtMs, rttsMs, sent, received } = report
  const during = rttsMs.filter((_, index) => {
    const atMs = answeredAtMs[index]!
    return atMs >= fromMs && atMs <= toMs
  })
  return {
    pingP50Ms: rank(during, 0.5),
    pingP99Ms: rank(during, 0.99),
    pingsLost: sent - received,
  }
}

export function streamSample(report: StreamReport): Sample {
  const { sent, lost, outOfOrder, longestGapUs, delayUs } = report
  return {
    datagrams: sent,
    datagramsLost: lost,
    datagramsOutOfOrder: outOfOrder,
    datagramGapMs: longestGapUs / 1000,
    datagramP99Ms: delayUs.p99 / 1000,
  }
}
