/** The figures of a sample as cells of a table. */

import type { Metric, Sample } from './sample.js'

const UNMEASURED = '–'

export interface Cell {
  /** Its width is the column's. */
  readonly head: string
  /** @param sumMbit what the links carry alone together; NaN: not known. */
  readonly text: (sample: Sample, sumMbit: number) => string
}

const formatted = (value: number | undefined, format: (value: number) => string) =>
  value === undefined || Number.isNaN(value) ? UNMEASURED : format(value)

const cell = (head: string, metric: Metric, format: (value: number) => string): Cell => ({
  head,
  text: (sample) => formatted(sample[metric], format),
})

const fixed = (digits: number) => (value: number) => value.toFixed(digits)
const percent = (digits: number) => (value: number) => `${(value * 100).toFixed(digits)}%`
const whole = fixed(0)

export const CELLS: readonly Cell[] = [
  cell('Mbit/s', 'mbit', fixed(1)),
  {
    head: 'of sum',
    text: ({ mbit }, sumMbit) => formatted((mbit ?? Number.NaN) / sumMbit, percent(0)),
  },
  cell('from 0 s', 'wholeMbit', fixed(1)),
  cell('90% at s', 'to90S', fixed(1)),
  cell('ping p50', 'pingP50Ms', whole),
  cell('p99 ms', 'pingP99Ms', whole),
  cell('link queue p95', 'linkQueueP95Ms', whole),
  cell('unanswered', 'pingsLost', whole),
  cell('UDP lost', 'datagramsLost', whole),
  cell('misordered', 'datagramsOutOfOrder', whole),
  cell('gap ms', 'datagramGapMs', whole),
  cell('beyond rtt', 'gapBeyondMs', whole),
  cell('behind gaps', 'tcpOutOfOrder', whole),
  cell('resent', 'tcpRetransmits', whole),
  cell('feedback', 'feedbackShare', percent(2)),
  cell('repairs', 'resentShare', percent(2)),
  cell('copies', 'copiedShare', percent(2)),
  cell('dropped', 'queueDropped', whole),
  cell('given up', 'givenUp', whole),
  cell('after cut', 'afterCutShare', percent(0)),
  cell('back s', 'backS', fixed(1)),
  cell('late ms', 'lateMaxUs', (us) => (us / 1000).toFixed(0)),
]
