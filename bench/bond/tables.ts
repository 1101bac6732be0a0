/** The medians of a scenario, subject by subject. */

import type { Table } from '../reporting/table.js'
import { CELLS } from './cells.js'
import { aloneOf, type Results, type Row, type ScenarioInfo } from './results.js'
import { subjectName } from './subject.js'

export function scenarioTables(results: Results): Table[] {
  return results.scenarios.flatMap((scenario) => {
    const rows = results.rows.filter((row) => row.scenario === scenario.id)
    return rows.length === 0 ? [] : [tableOf(results, scenario, rows)]
  })
}

/** Columns of which nothing was measured are left out. */
function tableOf(results: Results, scenario: ScenarioInfo, rows: readonly Row[]): Table {
  const { id, title, links } = scenario
  const all = rows.map((row) => {
    const { sum } = aloneOf(results, id, links, row.congestion)
    return CELLS.map(({ text }) => text(row.median, sum))
  })
  const used = CELLS.map((_, column) => all.some((cells) => /\d/.test(cells[column]!)))
  const keep = <T>(cells: readonly T[]) => cells.filter((_, column) => used[column])
  const { rounds } = results.settings
  return {
    title: `${id}: ${title}${rounds === 1 ? '' : `, medians of ${rounds}`}`,
    head: ['', ...keep(CELLS.map(({ head }) => head))],
    rows: rows.map(({ subject, congestion, load }, index) => [
      [subjectName(subject), load === 'udp' ? '' : congestion, load].join(' '),
      ...keep(all[index]!),
    ]),
  }
}
