/** What the mode adaptive is meant to show, and whether it does. */

import type { Congestion } from '../lab/traffic.js'
import { aloneOf, figureOf, type Results, type Row, rowOf, type ScenarioInfo } from './results.js'
import type { Metric } from './sample.js'
import type { Group } from './scenarios/scenario.js'

export interface Claim {
  /** A whole sentence with its worst figure and, in brackets, the aim. */
  readonly sentence: string
  readonly isMet: boolean
}

const OURS = 'adaptive'
const CONGESTIONS: readonly Congestion[] = ['cubic', 'bbr']

/** A figure and where it was found. */
interface Figure {
  readonly where: string
  readonly value: number
}

interface Aim {
  readonly about: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly format: (value: number) => string
}

/** Only of what was measured. */
export function judge(results: Results): Claim[] {
  return [
    ...aboutSums(results),
    ...aboutLoss(results),
    ...aboutCuts(results),
    ...aboutPing(results),
    ...aboutTraces(results),
    ...aboutCost(results),
  ]
}

const percent = (value: number) => `${(value * 100).toFixed(1)} %`
const seconds = (value: number) => `${value.toFixed(1)} s`
const milliseconds = (value: number) => `${value.toFixed(0)} ms`
const mbit = (value: number) => `${value.toFixed(0)} Mbit/s`
const count = (value: number) => value.toFixed(0)

/** The worst of the figures against the aim; nothing when there are none. */
function claim({ about, atLeast, atMost, format }: Aim, figures: readonly Figure[]): Claim[] {
  const known = figures.filter(({ value }) => !Number.isNaN(value))
  const sorted = [...known].sort((a, b) => a.value - b.value)
  const worst = atLeast === undefined ? sorted.at(-1) : sorted[0]
  if (worst === undefined) return []
  const isMet = ({ value }: Figure) => value >= (atLeast ?? value) && value <= (atMost ?? value)
  const aim = atLeast === undefined ? `at most ${format(atMost!)}` : `at least ${format(atLeast)}`
  const met = known.filter(isMet).length
  return [
    {
      sentence: `${about}: ${format(worst.value)} at worst, ${worst.where} (aim: ${aim}; ${met} of ${known.length})`,
      isMet: isMet(worst),
    },
  ]
}

/** For each scenario of the groups and each congestion control. */
function figures(
  results: Results,
  groups: readonly Group[],
  figure: (scenario: ScenarioInfo, congestion: Congestion) => number,
): Figure[] {
  return results.scenarios
    .filter(({ group }) => groups.includes(group))
    .flatMap((scenario) =>
      CONGESTIONS.map((congestion) => ({
        where: `${scenario.id} with ${congestion}`,
        value: figure(scenario, congestion),
      })),
    )
}

function aboutSums(results: Results): Claim[] {
  const goodput = (id: string, congestion: Congestion, subject = OURS) =>
    figureOf(rowOf(results, id, congestion, subject), 'mbit')
  const ofSum = ({ id, links }: ScenarioInfo, congestion: Congestion) =>
    goodput(id, congestion) / aloneOf(results, id, links, congestion).sum
  const ofBest = ({ id, links }: ScenarioInfo, congestion: Congestion) =>
    goodput(id, congestion) / aloneOf(results, id, links, congestion).best
  const ofMptcp = ({ id }: ScenarioInfo, congestion: Congestion) =>
    goodput(id, congestion) / goodput(id, congestion, 'mptcp')
  const found = ({ id }: ScenarioInfo) => {
    const row = rowOf(results, id, 'cubic', OURS)
    return figureOf(row, 'to90S')
  }
  const only = (wanted: string, each: (id: string, congestion: Congestion) => number) =>
    figures(results, ['fast'], ({ id }, congestion) =>
      id === wanted ? each(id, congestion) : Number.NaN,
    )
  return [
    ...claim(
      { about: 'One TCP connection against the sum of the links', atLeast: 0.95, format: percent },
      figures(results, ['table'], ofSum),
    ),
    ...claim(
      { about: "The same against the kernel's MPTCP", atLeast: 0.98, format: percent },
      figures(results, ['table'], ofMptcp),
    ),
    ...claim(
      { about: 'Until CUBIC has 90 % of the sum', atMost: 4, format: seconds },
      figures(results, ['table'], (scenario, congestion) =>
        congestion === 'cubic' ? found(scenario) : Number.NaN,
      ),
    ),
    ...claim(
      { about: 'The sixteen profiles against their best link', atLeast: 0.98, format: percent },
      figures(results, ['profiles'], ofBest),
    ),
    ...claim(
      { about: 'The twelve that are not lopsided against the sum', atLeast: 0.9, format: percent },
      figures(results, ['profiles'], (scenario, congestion) =>
        scenario.isLopsided ? Number.NaN : ofSum(scenario, congestion),
      ),
    ),
    ...claim(
      { about: 'One connection over 300 + 80 Mbit/s', atLeast: 325, format: mbit },
      only('aggregate', (id, congestion) => goodput(id, congestion)),
    ),
    ...claim(
      { about: 'One connection over 100 + 100 Mbit/s', atLeast: 185, format: mbit },
      only('hundreds', (id, congestion) => goodput(id, congestion)),
    ),
  ]
}

function aboutLoss(results: Results): Claim[] {
  return claim(
    { about: 'With random loss against the sum without', atLeast: 0.9, format: percent },
    figures(results, ['loss'], ({ id, links }, congestion) => {
      const { sum } = aloneOf(results, id, links, congestion)
      return figureOf(rowOf(results, id, congestion, OURS), 'mbit') / sum
    }),
  )
}

function aboutCuts(results: Results): Claim[] {
  const rows = results.rows.filter(
    ({ subject, scenario }) =>
      subject.kind === 'mode' && subject.mode === OURS && isOf(results, scenario, ['cuts']),
  )
  const each = (metric: Metric, from = rows) =>
    from.map((row) => ({ where: whereOf(row), value: worstOf(row, metric) }))
  const isStream = ({ load }: Row) => load !== 'tcp'
  const streams = rows.filter(isStream)
  const told = streams.filter(({ scenario }) => scenario === 'unplug')
  const silent = streams.filter(({ scenario }) => scenario !== 'unplug')
  return [
    ...claim(
      { about: 'Datagrams lost by cuts', atMost: 0, format: count },
      each('datagramsLost', streams),
    ),
    ...claim(
      { about: 'Datagrams out of order', atMost: 0, format: count },
      each('datagramsOutOfOrder', streams),
    ),
    ...claim(
      {
        about: 'Longest gap beyond the round trip of the best link left',
        atMost: 30,
        format: milliseconds,
      },
      each('gapBeyondMs', silent),
    ),
    ...claim(
      { about: 'The same when the device is gone', atMost: 10, format: milliseconds },
      each('gapBeyondMs', told),
    ),
    ...claim({ about: 'Full share again after', atMost: 1, format: seconds }, each('backS')),
    ...claim(
      { about: 'TCP in the second after a cut, of what is left', atLeast: 0.9, format: percent },
      each('afterCutShare'),
    ),
  ]
}

function aboutPing(results: Results): Claim[] {
  const ours = (id: string, congestion: Congestion, metric: Metric) =>
    figureOf(rowOf(results, id, congestion, OURS), metric)
  const pairs = figures(results, ['interactive'], ({ id }, congestion) =>
    Math.abs(1 - ours(`${id}-bad`, congestion, 'mbit') / ours(id, congestion, 'mbit')),
  )
  const rises = figures(
    results,
    ['interactive'],
    ({ id }, congestion) =>
      ours(`${id}-bad`, congestion, 'pingP99Ms') - ours(id, congestion, 'pingP99Ms'),
  )
  return [
    ...claim(
      {
        about: 'Ping p99 beside bulk, beyond the best round trip',
        atMost: 30,
        format: milliseconds,
      },
      figures(
        results,
        ['interactive'],
        ({ id }, congestion) => ours(id, congestion, 'pingP99Ms') - leastRttMs(results, id),
      ),
    ),
    ...claim({ about: 'A bad link changes goodput by', atMost: 0.02, format: percent }, pairs),
    ...claim({ about: 'A bad link raises ping p99 by', atMost: 5, format: milliseconds }, rises),
  ]
}

function aboutTraces(results: Results): Claim[] {
  const ours = (id: string, congestion: Congestion) => rowOf(results, id, congestion, OURS)
  return [
    ...claim(
      { about: 'Recorded links against their sum', atLeast: 0.85, format: percent },
      figures(results, ['traces'], ({ id, links }, congestion) => {
        const { sum } = aloneOf(results, id, links, congestion)
        return figureOf(ours(id, congestion), 'mbit') / sum
      }),
    ),
    ...claim(
      { about: 'Delay that it makes itself there, p95', atMost: 100, format: milliseconds },
      figures(results, ['traces'], ({ id }, congestion) =>
        figureOf(ours(id, congestion), 'linkQueueP95Ms'),
      ),
    ),
  ]
}

function aboutCost(results: Results): Claim[] {
  const all: readonly Group[] = ['table', 'sticks', 'profiles', 'fast', 'interactive', 'traces']
  const ours = (id: string, congestion: Congestion, metric: Metric) =>
    figureOf(rowOf(results, id, congestion, OURS), metric)
  return [
    ...claim(
      { about: 'Feedback, of what it reports', atMost: 0.02, format: percent },
      figures(results, all, ({ id }, congestion) => ours(id, congestion, 'feedbackShare')),
    ),
    ...claim(
      { about: 'Sent again and copied where nothing is lost', atMost: 0.03, format: percent },
      figures(results, all, ({ id, isLossy }, congestion) =>
        isLossy || id.endsWith('-bad')
          ? Number.NaN
          : ours(id, congestion, 'resentShare') + ours(id, congestion, 'copiedShare'),
      ),
    ),
  ]
}

const isOf = ({ scenarios }: Results, scenario: string, groups: readonly Group[]) =>
  scenarios.some(({ id, group }) => id === scenario && groups.includes(group))

function leastRttMs({ scenarios }: Results, scenario: string): number {
  const links = scenarios.find(({ id }) => id === scenario)?.links ?? []
  return 2 * Math.min(...links.map(({ delayMs }) => delayMs))
}

const whereOf = ({ scenario, load, congestion }: Row) => `${scenario} ${load} with ${congestion}`

/** What must never happen is not hidden by a median. */
function worstOf({ samples }: Row, metric: Metric): number {
  const values = samples.map((sample) => sample[metric]).filter((each) => each !== undefined)
  if (values.length === 0) return Number.NaN
  return metric === 'afterCutShare' ? Math.min(...values) : Math.max(...values)
}
