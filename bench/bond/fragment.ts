/** What the pages of the repository tell of the first group: one connection over steady links. */

import type { Congestion } from '../lab/traffic.js'
import { machineSentence } from '../reporting/machine.js'
import { asMarkdown, type Table } from '../reporting/table.js'
import { figureOf, type Results, rowOf, type ScenarioInfo } from './results.js'
import type { Metric } from './sample.js'

/** Between whose marks it stands. */
export const COMMAND = 'bench:bond'

const CONGESTIONS: readonly Congestion[] = ['cubic', 'bbr']
const NAMES: Readonly<Record<Congestion, string>> = { cubic: 'cubic', bbr: 'BBR' }

/** For README.md: what each carries alone (cubic), and both. */
export function renderShortTable(results: Results): string {
  return asMarkdown({
    title: '',
    head: ['links: Mbit/s @ one way', 'each alone', 'all, cubic', 'all, BBR'],
    rows: tableOf(results).map((scenario) => [
      scenario.title,
      alone(results, scenario, 'cubic'),
      ...CONGESTIONS.map((congestion) => figure(results, scenario, congestion, 'adaptive')),
    ]),
  })
}

/** For bench/README.md: beside the kernel's MPTCP, and the 99th percentile of a ping. */
export function renderTable(results: Results): string {
  const table: Table = {
    title: '',
    head: [
      'links: Mbit/s @ one way',
      '',
      'each alone',
      'mptun',
      'MPTCP',
      'ping, mptun',
      'ping, MPTCP',
    ],
    rows: tableOf(results).flatMap((scenario) =>
      CONGESTIONS.map((congestion, line) => [
        line === 0 ? scenario.title : '',
        NAMES[congestion],
        alone(results, scenario, congestion),
        ...['adaptive', 'mptcp'].map((each) => figure(results, scenario, congestion, each)),
        ...['adaptive', 'mptcp'].map(
          (each) => `${figure(results, scenario, congestion, each, 'pingP99Ms', 0)} ms`,
        ),
      ]),
    ),
  }
  return [`Measured on ${machineSentence(results.machine)}.`, '', asMarkdown(table)].join('\n')
}

const tableOf = ({ scenarios }: Results) => scenarios.filter(({ group }) => group === 'table')

const alone = (results: Results, scenario: ScenarioInfo, congestion: Congestion) =>
  scenario.links
    .map(({ name }) => figure(results, scenario, congestion, `alone:${name}`))
    .join(' + ')

function figure(
  results: Results,
  { id }: ScenarioInfo,
  congestion: Congestion,
  subject: string,
  metric: Metric = 'mbit',
  digits = 1,
): string {
  const value = figureOf(rowOf(results, id, congestion, subject), metric)
  return Number.isNaN(value) ? '–' : value.toFixed(digits)
}
