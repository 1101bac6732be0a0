/** What one run of a case measures, and the middle of several. */

import { medianEach } from '../reporting/median.js'

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

export const medianSample = (samples: readonly Sample[]): Sample => medianEach(METRICS, samples)
