/**
 * `npm run bench:bond`: what mptun makes of several links, mode by mode, beside each link alone and the
 * kernel's MPTCP on the same links. Everything happens in network namespaces of its own, which it removes,
 * however it ends.
 *
 *   npm run bench:bond                              everything, for hours
 *   npm run bench:bond -- --quick                   one short round of the first group with cubic
 *   npm run bench:bond -- --only equal,unequal      these scenarios, or groups of them
 *   npm run bench:bond -- --modes balance-rr,mptcp  these modes, and whether MPTCP takes part
 *   npm run bench:bond -- --cc cubic                this congestion control instead of cubic and bbr
 *   npm run bench:bond -- --rounds 1 --seconds 12   other lengths than 3 rounds of 16 seconds
 *   npm run bench:bond -- --trace A.down --trace B.down --only traces
 *                                                   recorded links: mahimahi traces of your own
 *   npm run bench:bond -- --add --only table        puts these rows into the results that are kept
 *   npm run bench:bond -- --list                    the scenarios
 *
 * A whole run writes bench/results/ and the figures in bench/README.md and README.md, one with --add puts
 * its rows there, any other writes build/bench/. Exit codes: 0 done, 1 refused, 2 something
 * could not be measured.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '#mptun/errors.js'
import { run } from '../lab/namespaces.js'
import { repositoryPath } from '../lab/repository.js'
import { writeFragment } from '../reporting/fragment.js'
import { describeMachine, type Machine, machineSentence } from '../reporting/machine.js'
import { asText } from '../reporting/table.js'
import { addResults, assertComparable } from './added.js'
import { drawBars } from './bars.js'
import { judge } from './claims.js'
import { drawCourse } from './course.js'
import { COMMAND, renderShortTable, renderTable } from './fragment.js'
import { asPage } from './page.js'
import { ProgressTable } from './progress.js'
import type { Results } from './results.js'
import { planSteps, runSteps, type Settings } from './runner.js'
import { allScenarios } from './scenarios/all.js'
import { GROUPS, type Group } from './scenarios/scenario.js'
import { readSettings } from './settings.js'
import { scenarioTables } from './tables.js'

/** Whose courses are drawn over time. */
const COURSES = ['cut', 'fade', 'flaps', 'starlink']

function showList({ scenarios }: Settings): void {
  for (const { id, group, title, links } of scenarios) {
    console.log(`${group.padEnd(12)}${id.padEnd(16)}${title}`)
    for (const { name, description } of links)
      console.log(`${' '.repeat(28)}${name}: ${description}`)
  }
}

const lengthOf = ({ rounds, seconds }: Settings) => ({ rounds, seconds })

async function measureAll(settings: Settings, machine: Machine): Promise<Results> {
  console.log(machineSentence(machine))
  const steps = planSteps(settings)
  const progress = new ProgressTable(process.stdout, steps.length)
  const { rows, failures } = await runSteps(steps, settings, progress)
  return {
    machine,
    settings: lengthOf(settings),
    scenarios: settings.scenarios.map(
      ({ id, title, group, links, isLopsided = false, isLossy = false }) => ({
        ...{ id, title, group, links, isLopsided, isLossy },
      }),
    ),
    rows,
    failures,
  }
}

function show(results: Results): void {
  for (const table of scenarioTables(results)) console.log(`\n${asText(table)}`)
  console.log()
  for (const { sentence, isMet } of judge(results)) {
    console.log(`${isMet ? '  yes  ' : ' SHORT '} ${sentence}`)
  }
  for (const { scenario, load, congestion, subject, round, why } of results.failures) {
    console.error(
      `not measured: ${scenario} ${load} ${congestion}, ${subject}, round ${round}: ${why}`,
    )
  }
}

const KEPT = repositoryPath('bench', 'results')
const JSON_NAME = 'bond.json'

/** Undefined while nothing is kept. */
function readKept(): Results | undefined {
  const path = join(KEPT, JSON_NAME)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

function write(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true })
  const caption = machineSentence(results.machine)
  const drawings = new Map([
    ...(Object.keys(GROUPS) as Group[]).map(
      (group) => [`bond-${group}.svg`, drawBars(results, group, caption)] as const,
    ),
    ...COURSES.map((id) => [`bond-course-${id}.svg`, drawCourse(results, id, caption)] as const),
  ])
  const files = new Map([
    [JSON_NAME, asJson(results)],
    ['bond.md', asPage(results)],
    ...[...drawings].flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const])),
  ])
  for (const [name, text] of files) writeFileSync(join(folder, name), text)
  console.log(`\nwritten to ${folder}: ${[...files.keys()].join(', ')}`)
  if (folder !== KEPT) return
  writeFragment(['README.md'], COMMAND, renderShortTable(results))
  writeFragment(['bench', 'README.md'], COMMAND, renderTable(results))
}

/** A line for each row: a reader of differences sees which were measured anew. */
function asJson({ rows, ...rest }: Results): string {
  const head = JSON.stringify(rest, undefined, 1).slice(0, -2)
  return `${head},\n "rows": [\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n ]\n}\n`
}

async function main(): Promise<number> {
  const { settings, isList, isWhole, isAdded } = readSettings(process.argv.slice(2))
  if (isList) {
    showList(settings)
    return 0
  }
  const build = [process.execPath, repositoryPath('native', 'build.mjs')]
  await run([...build, '--bench', '--only', 'mptun-bulk'])
  const machine = await describeMachine()
  const kept = isAdded ? readKept() : undefined
  if (kept) assertComparable(kept, { machine, settings: lengthOf(settings) })
  const measured = await measureAll(settings, machine)
  const results = kept ? addResults(kept, measured, allScenarios()) : measured
  show(results)
  const isKept = (isWhole || isAdded) && measured.failures.length === 0
  write(isKept ? results : measured, isKept ? KEPT : repositoryPath('build', 'bench'))
  return measured.failures.length === 0 ? 0 : 2
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`bench:bond: ${messageOf(error)}`)
  process.exitCode = 1
}
