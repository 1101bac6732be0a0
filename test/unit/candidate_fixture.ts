/** Paths and loads as the rooms of the mode adaptive see them, and time that passes in samples. */
import type { Candidate, Load } from '../../src/core/candidate.js'
import { MS } from './core_fixture.js'

export const SAMPLE_US = 250 * MS
export const MBIT = 125_000
/** Of a sample: something waits for the window. */
export const FULL = { windowBytes: 10_000, inflightBytes: 10_000, targetUs: 10_000 }
export const LABELS = ['dsl0', 'lte0', 'sat0', 'cable0']

export const path = (id: number, changes: Partial<Candidate> = {}): Candidate => ({
  path: id,
  label: LABELS[id] ?? `p${id}`,
  tier: 0,
  skewUs: 0,
  canBytesPerS: 0,
  carriesBytesPerS: 0,
  suspect: false,
  broughtBytesPerS: 0,
  suspicions: 0,
  reported: { expected: 0, lost: 0 },
  ...changes,
})
export const load = (mbit: number, backlogMs = 0): Load => ({
  sentBytesPerS: mbit * MBIT,
  backlogUs: backlogMs * MS,
})

export class Course {
  nowUs = 0

  /** Samples for so long, the last of them at its end. */
  during(us: number, sample: () => void): void {
    const endUs = this.nowUs + us
    while (this.nowUs < endUs) {
      this.nowUs = Math.min(endUs, this.nowUs + SAMPLE_US)
      sample()
    }
  }
}
