/** What one run of a case measures, and the middle of several. */

import { median } from '../reporting/median.js'

/** Units end the names; `s` in a time is seconds, GB is 1e9 octets of payload. */
export const METRICS = [
  'mbit',
  'retransmits',
  'cpuSPerGb',
  'cpuUsPerPacket',
  'losslessPerS',
  'halfPercentPerS',
  'onePercentPerS',
  'loss',
  'pingUs',
  'pingBesideUs',
  'residentBytes',
] as const

export type Metric = (typeof METRICS)[number]

/** Only what the case measures; CPU and memory only where there are daemons. */
export type Sample = Readonly<Partial<Record<Metric, number>>>

/** Metric by metric. */
export function medianSample(samples: readonly Sample[]): Sample {
  const entries = METRICS.map((metric) => {
    const numbers = samples.map((sample) => sample[metric]).filter((each) => each !== undefined)
    return [metric, numbers] as const
  })
  return Object.fromEntries(
    entries
      .filter(([, numbers]) => numbers.length > 0)
      .map(([metric, numbers]) => [metric, median(numbers)]),
  )
}
