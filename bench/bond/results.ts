/** What a whole run has found; kept as JSON, from which tables, charts and claims are made. */

import type { Congestion } from '../lab/traffic.js'
import type { Machine } from '../reporting/machine.js'
import type { Metric, Sample } from './sample.js'
import type { BondLink, Group, Load } from './scenarios/scenario.js'
import type { Subject } from './subject.js'
import type { TimeLine } from './timeline.js'

export interface Row {
  /** Ids. */
  readonly scenario: string
  readonly load: Load
  readonly congestion: Congestion
  readonly subject: Subject
  readonly median: Sample
  /** One a round. */
  readonly samples: readonly Sample[]
  /** Of the last round; only where the links have a course of their own. */
  readonly timeLine?: TimeLine
}

/** Something that did not work; its sample is missing. */
export interface Failure {
  readonly scenario: string
  readonly load: Load
  readonly congestion: Congestion
  readonly subject: string
  readonly round: number
  readonly why: string
}

export interface ScenarioInfo {
  readonly id: string
  readonly title: string
  readonly group: Group
  readonly links: readonly BondLink[]
  readonly isLopsided: boolean
  readonly isLossy: boolean
}

export interface Results {
  readonly machine: Machine
  readonly settings: { readonly rounds: number; readonly seconds: number }
  readonly scenarios: readonly ScenarioInfo[]
  readonly rows: readonly Row[]
  readonly failures: readonly Failure[]
}

export function rowOf(
  { rows }: Pick<Results, 'rows'>,
  scenario: string,
  congestion: Congestion,
  subject: string,
  load: Load = 'tcp',
): Row | undefined {
  return rows.find(
    (row) =>
      row.scenario === scenario &&
      row.congestion === congestion &&
      row.load === load &&
      keyOf(row.subject) === subject,
  )
}

/** One word for a subject: the mode's name, `mptcp`, `alone:NAME`, `lossless:NAME`. */
export function keyOf(subject: Subject): string {
  if (subject.kind === 'alone') {
    return `${subject.isLossless === true ? 'lossless' : 'alone'}:${subject.link}`
  }
  return subject.kind === 'mode' ? subject.mode : 'mptcp'
}

/**
 * What the links carry alone through a tunnel: together, where it was measured without their random loss,
 * and the best as it is. NaN while one is missing.
 */
export function aloneOf(
  results: Pick<Results, 'rows'>,
  scenario: string,
  links: readonly { readonly name: string }[],
  congestion: Congestion,
): { readonly sum: number; readonly best: number } {
  const figure = (subject: string) =>
    figureOf(rowOf(results, scenario, congestion, subject), 'mbit')
  const own = links.map(({ name }) => figure(`alone:${name}`))
  const lossless = links.map(({ name }, index) => {
    const mbit = figure(`lossless:${name}`)
    return Number.isNaN(mbit) ? own[index]! : mbit
  })
  return { sum: lossless.reduce((sum, mbit) => sum + mbit, 0), best: Math.max(...own) }
}

export const figureOf = (row: Row | undefined, metric: Metric): number =>
  row?.median[metric] ?? Number.NaN
