/** Runs scenarios: in every round each link alone, then every mode, then MPTCP, on the same links. */

import { messageOf } from '#mptun/errors.js'
import type { Congestion } from '../lab/traffic.js'
import { secondsUntil } from './arrived.js'
import { cutSample } from './cuts.js'
import { type Measured, measure } from './measure.js'
import { aloneOf, type Failure, keyOf, type Row } from './results.js'
import { medianSample, type Sample } from './sample.js'
import type { Load, Scenario } from './scenarios/scenario.js'
import { MODES, type Mode, type Subject, subjectName } from './subject.js'
import { type TimeLine, timeLineOf } from './timeline.js'

export interface Settings {
  readonly scenarios: readonly Scenario[]
  readonly modes: readonly Mode[]
  readonly withMptcp: boolean
  readonly congestions: readonly Congestion[]
  readonly rounds: number
  /** Of one measurement; scenarios with a course of their own take longer. */
  readonly seconds: number
}

/** One measurement, whose place is known before it is made. */
export interface Step {
  readonly scenario: Scenario
  readonly load: Load
  readonly congestion: Congestion
  readonly subject: Subject
  readonly round: number
}

export interface Done {
  readonly step: Step
  readonly sample: Sample
  /** What the links carry alone together, as far as it is known. */
  readonly sumMbit: number
}

export interface Listener {
  onDone(done: Done): void
  onFailure(failure: Failure): void
}

/** The share of the sum that a flow has to find. */
const FOUND = 0.9
const FOUND_WINDOW_S = 0.5

/** In the order in which they are made. */
export function planSteps(settings: Settings): Step[] {
  const { scenarios, modes, withMptcp, congestions, rounds } = settings
  const numbers = Array.from({ length: rounds }, (_, index) => index + 1)
  return scenarios.flatMap((scenario) =>
    numbers.flatMap((round) =>
      congestions.flatMap((congestion) =>
        subjectsOf(scenario, modes, withMptcp).flatMap((subject) =>
          loadsOf(scenario, subject, congestion, congestions).map((load) => ({
            ...{ scenario, load, congestion, subject, round },
          })),
        ),
      ),
    ),
  )
}

function subjectsOf(scenario: Scenario, modes: readonly Mode[], withMptcp: boolean): Subject[] {
  return [
    ...scenario.links.map(({ name }): Subject => ({ kind: 'alone', link: name })),
    ...(scenario.isLossy === true
      ? scenario.links.map(({ name }): Subject => ({ kind: 'alone', link: name, isLossless: true }))
      : []),
    ...MODES.filter((mode) => modes.includes(mode)).map(
      (mode): Subject => ({ kind: 'mode', mode }),
    ),
    ...(withMptcp ? [{ kind: 'mptcp' } as const] : []),
  ]
}

/** Alone there is TCP only; MPTCP carries nothing else; and without TCP its congestion control is no matter. */
function loadsOf(
  { loads = ['tcp'] }: Scenario,
  { kind }: Subject,
  congestion: Congestion,
  congestions: readonly Congestion[],
): readonly Load[] {
  if (kind === 'alone') return ['tcp']
  const sensible = kind === 'mptcp' ? loads.filter((load) => load === 'tcp') : loads
  return sensible.filter((load) => load !== 'udp' || congestion === congestions[0])
}

/** What fails is told and left out; what was measured before stays. */
export async function runSteps(
  steps: readonly Step[],
  settings: Settings,
  listener: Listener,
): Promise<{ rows: Row[]; failures: Failure[] }> {
  const rows: Row[] = []
  const failures: Failure[] = []
  for (const step of steps) {
    const { scenario, load, congestion, subject, round } = step
    const isWhole = subject.kind !== 'alone' || scenario.isCourseOfLink === true
    const seconds = Math.max(settings.seconds, isWhole ? (scenario.leastS ?? 0) : 0)
    try {
      const measured = await measure({ scenario, subject, load, congestion, seconds, seed: round })
      const { sum } = aloneOf({ rows }, scenario.id, scenario.links, congestion)
      const sample = {
        ...measured.sample,
        ...foundSample(measured, sum, seconds),
        ...cutSample(measured, { rows }, scenario, congestion),
      }
      keep(rows, step, sample, timeLineOf(measured, seconds))
      listener.onDone({ step, sample, sumMbit: sum })
    } catch (error) {
      const why = messageOf(error)
      const ids = { scenario: scenario.id, load, congestion, subject: subjectName(subject), round }
      const failure = { ...ids, why }
      failures.push(failure)
      listener.onFailure(failure)
    }
  }
  return { rows, failures }
}

function foundSample({ arrived }: Measured, sumMbit: number, seconds: number): Sample {
  if (arrived === undefined || Number.isNaN(sumMbit)) return {}
  const found = { mbit: FOUND * sumMbit, fromS: 0, toS: seconds, windowS: FOUND_WINDOW_S }
  return { to90S: secondsUntil(arrived, found) ?? seconds }
}

/** Adds a sample to its row; the row's median is that of all so far. */
function keep(rows: Row[], step: Step, sample: Sample, timeLine: TimeLine | undefined): void {
  const { load, congestion, subject } = step
  const ids = { scenario: step.scenario.id, load, congestion, subject }
  const index = rows.findIndex(
    (row) =>
      row.scenario === ids.scenario &&
      row.load === load &&
      row.congestion === congestion &&
      keyOf(row.subject) === keyOf(subject),
  )
  const samples = [...(rows[index]?.samples ?? []), sample]
  const course = timeLine === undefined ? {} : { timeLine }
  const row = { ...ids, median: medianSample(samples), samples, ...course }
  if (index < 0) rows.push(row)
  else rows[index] = row
}
