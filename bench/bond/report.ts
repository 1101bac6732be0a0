/**
 * `npm run bench:bond`: what mptun makes of several links, mode by mode, beside each link alone and the
 * kernel's MPTCP on the same links. Everything happens in network namespaces of its own, which it removes,
 * however it ends.
 *
 *   npm run bench:bond                              everything, for hours
 *   npm run bench:bond -- --quick                   one short round of the four classic pairs
 *   npm run bench:bond -- --only equal,unequal      these scenarios, or groups of them
 *   npm run bench:bond -- --modes balance-rr,mptcp  these modes, and whether MPTCP takes part
 *   npm run bench:bond -- --cc cubic                this congestion control instead of cubic and bbr
 *   npm run bench:bond -- --rounds 1 --seconds 12   other lengths than 3 rounds of 16 seconds
 *   npm run bench:bond -- --list                    the scenarios
 *
 * A whole run writes bench/results/, any other build/bench/. Exit codes: 0 done, 1 refused, 2 something
 * could not be measured.
 */

import { run } from '../lab/namespaces.js'
import { repositoryPath } from '../lab/repository.js'
import { describeMachine, machineSentence } from '../reporting/machine.js'
import { asText } from '../reporting/table.js'
import { ProgressTable } from './progress.js'
import type { Results } from './results.js'
import { planSteps, runSteps, type Settings } from './runner.js'
import { SCENARIOS } from './scenarios.js'
import { readSettings } from './settings.js'
import { scenarioTables } from './tables.js'

function showList(): void {
  for (const { id, group, title, links } of SCENARIOS) {
    console.log(`${group.padEnd(12)}${id.padEnd(16)}${title}`)
    for (const { name, description } of links)
      console.log(`${' '.repeat(30)}${name}: ${description}`)
  }
}

async function measureAll(settings: Settings): Promise<Results> {
  const machine = await describeMachine()
  console.log(machineSentence(machine))
  const steps = planSteps(settings)
  const progress = new ProgressTable(process.stdout, steps.length)
  const { rows, failures } = await runSteps(steps, settings, progress)
  const { rounds, seconds, scenarios } = settings
  return {
    machine,
    settings: { rounds, seconds },
    scenarios: scenarios.map(({ id, title, group, links }) => ({
      ...{ id, title, group },
      links: links.map(({ name, description }) => ({ name, description })),
    })),
    rows,
    failures,
  }
}

async function main(): Promise<number> {
  const { settings } = readSettings(process.argv.slice(2))
  const build = [process.execPath, repositoryPath('native', 'build.mjs')]
  await run([...build, '--bench', '--only', 'mptun-bulk'])
  const results = await measureAll(settings)
  for (const table of scenarioTables(results)) console.log(`\n${asText(table)}`)
  return results.failures.length === 0 ? 0 : 2
}

if (process.argv.includes('--list')) {
  showList()
} else {
  try {
    process.exitCode = await main()
  } catch (error) {
    console.error(`bench:bond: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
