/**
 * `npm run bench`: mptun beside other tunnels, side by side in one run, interleaved. Everything happens in
 * network namespaces of its own, which it removes, however it ends.
 *
 *   npm run bench                                everything: about 25 minutes
 *   npm run bench -- --quick                     one short round of the most telling cases: under 2 minutes
 *   npm run bench -- --only mptun,wireguard-go   these contestants
 *   npm run bench -- --cases tcp1,idle           these cases
 *   npm run bench -- --rounds 9 --seconds 4      other lengths than 5 rounds of one second
 *   npm run bench -- --list                      what --only and --cases accept
 *
 * A whole run writes bench/results/ and the figures in bench/README.md and README.md, any other
 * build/bench/. Exit codes: 0 done, 1 refused, 2 something could not be measured.
 */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { messageOf } from '#mptun/errors.js'
import { run } from './lab/namespaces.js'
import { repositoryPath } from './lab/repository.js'
import { writeFragment } from './reporting/fragment.js'
import { describeMachine, machineSentence } from './reporting/machine.js'
import { asText } from './reporting/table.js'
import { drawChart } from './throughput/chart.js'
import { judge } from './throughput/claims.js'
import type { Contestant } from './throughput/contestants/contestant.js'
import { COMMAND, renderFragment, renderShortFragment } from './throughput/fragment.js'
import { ProgressLines } from './throughput/progress.js'
import type { Failure, Results, Row } from './throughput/results.js'
import { runSuite } from './throughput/runner.js'
import { chooseSuites, performersOf, SUITES, type Suite } from './throughput/suites.js'
import { allTables } from './throughput/tables.js'
import { INNER_MTU_BYTES } from './throughput/wire.js'

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  only: { type: 'string' },
  cases: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
} as const

interface Settings {
  readonly suites: readonly Suite[]
  readonly rounds: number
  readonly seconds: number
  /** Whether all is measured that a full report has. */
  readonly isWhole: boolean
}

function readSettings(args: readonly string[]): Settings {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const { quick } = values
  const words = (text: string | undefined) => text?.split(',')
  const suites = chooseSuites({ quick, only: words(values.only), cases: words(values.cases) })
  return {
    suites,
    rounds: readNumber('rounds', values.rounds ?? (quick ? '1' : '5'), 1, 99),
    seconds: readNumber('seconds', values.seconds ?? '1', 1, 60),
    isWhole: !quick && values.only === undefined && values.cases === undefined,
  }
}

function readNumber(word: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (value >= least && value <= most) return value
  throw new Error(`--${word}: found ${text}, accepted is a number from ${least} to ${most}`)
}

function showList(): void {
  for (const { id, contestants, cases } of SUITES) {
    const list = (items: readonly { id: string }[]) => items.map((each) => each.id).join(', ')
    console.log(`${id}\n  --only   ${list(contestants)}\n  --cases  ${list(cases)}`)
  }
}

async function measure({ suites, rounds, seconds }: Settings): Promise<Results> {
  const machine = await describeMachine()
  console.log(`${machineSentence(machine)}\n`)
  const counts = suites.flatMap((suite) =>
    suite.cases.map((each) => performersOf(suite, each).length),
  )
  const total = counts.reduce((sum, each) => sum + each, 0)
  const progress = new ProgressLines(process.stderr, total * rounds)
  const rows: Row[] = []
  const failures: Failure[] = []
  for (const suite of suites) {
    const done = await runSuite(suite, {
      rounds,
      seconds,
      onProgress: (each) => progress.tell(each),
    })
    rows.push(...done.rows)
    failures.push(...done.failures)
  }
  progress.end()
  const contestants = new Map(
    suites.flatMap((suite) => suite.contestants).map((each) => [each.id, each]),
  )
  const cases = suites.flatMap((suite) => suite.cases)
  return {
    machine,
    settings: { rounds, seconds, innerMtuBytes: INNER_MTU_BYTES },
    contestants: await Promise.all([...contestants.values()].map(describe)),
    cases: cases.map(({ id, title }) => ({ id, title })),
    rows,
    failures,
  }
}

async function describe({ id, title, kind, cipher, version }: Contestant) {
  return { id, title, kind, cipher, version: await version() }
}

function show(results: Results): void {
  for (const table of allTables(results)) console.log(`${asText(table)}\n`)
  for (const { sentence, isMet } of judge(results)) {
    console.log(`${isMet ? '  yes  ' : ' SHORT '} ${sentence}`)
  }
  for (const { contestant, case: caseId, round, why } of results.failures) {
    console.error(`not measured: ${contestant}, ${caseId}, round ${round}: ${why}`)
  }
}

function write(results: Results, isWhole: boolean): void {
  const folder = isWhole ? repositoryPath('bench', 'results') : repositoryPath('build', 'bench')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'throughput.json'), `${JSON.stringify(results, undefined, 1)}\n`)
  writeFileSync(
    join(folder, 'throughput.svg'),
    drawChart(results, machineSentence(results.machine)),
  )
  console.log(`\nwritten: ${folder}/throughput.json, .svg`)
  if (!isWhole) return
  writeFragment(['bench', 'README.md'], COMMAND, renderFragment(results))
  writeFragment(['README.md'], COMMAND, renderShortFragment(results))
}

async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2))
  await run([process.execPath, repositoryPath('native', 'build.mjs'), '--bench'])
  const results = await measure(settings)
  show(results)
  write(results, settings.isWhole)
  return results.failures.length === 0 ? 0 : 2
}

if (process.argv.includes('--list')) {
  showList()
} else {
  try {
    process.exitCode = await main()
  } catch (error) {
    console.error(`bench: ${messageOf(error)}`)
    process.exitCode = 1
  }
}
