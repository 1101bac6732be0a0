/** What a whole run has found; kept as JSON, from which tables, chart and pages are made. */

import type { Machine } from '../reporting/machine.js'
import type { Kind } from './contestants/contestant.js'
import type { Metric, Sample } from './sample.js'

export interface ContestantInfo {
  readonly id: string
  readonly title: string
  readonly kind: Kind
  readonly cipher: string
  readonly version: string
}

export interface Row {
  /** Ids. */
  readonly case: string
  readonly contestant: string
  readonly median: Sample
  /** One a round. */
  readonly samples: readonly Sample[]
}

/** Something that did not work; its sample is missing. */
export interface Failure {
  readonly case: string
  readonly contestant: string
  readonly round: number
  readonly why: string
}

export interface Results {
  readonly machine: Machine
  readonly settings: {
    readonly rounds: number
    /** Of one measurement. */
    readonly seconds: number
    readonly innerMtuBytes: number
  }
  readonly contestants: readonly ContestantInfo[]
  readonly cases: readonly { readonly id: string; readonly title: string }[]
  readonly rows: readonly Row[]
  readonly failures: readonly Failure[]
}

/** The median of a metric; undefined where it was not measured. */
export function medianOf(
  results: Results,
  caseId: string,
  contestant: string,
  metric: Metric,
): number | undefined {
  return rowOf(results, caseId, contestant)?.median[metric]
}

function rowOf({ rows }: Results, caseId: string, contestant: string): Row | undefined {
  return rows.find((row) => row.case === caseId && row.contestant === contestant)
}

/** Who took part in a case, in the order of the suites. */
export function contestantsOf(results: Results, caseId: string): readonly ContestantInfo[] {
  return results.contestants.filter(({ id }) => rowOf(results, caseId, id) !== undefined)
}
