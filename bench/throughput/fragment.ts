/** The benchmark's words in bench/README.md, and the few of them in README.md. */

import { machineSentence } from '../reporting/machine.js'
import { asMarkdown } from '../reporting/table.js'
import { judge } from './claims.js'
import type { Results } from './results.js'
import { besideTable, summaryTable } from './tables.js'

/** Between whose marks they stand. */
export const COMMAND = 'bench'

/** Relative to bench/. */
export const CHART_PATH = 'results/throughput.svg'

/** For a reader in a hurry. */
export function renderShortFragment(results: Results): string {
  return [
    placeOf(results),
    `mptun seals with ${results.machine.sealing['aes-256-gcm']}.`,
    '',
    ...besideTable(results).map(asMarkdown),
  ].join('\n')
}

export function renderFragment(results: Results): string {
  const { machine, settings, contestants } = results
  const others = contestants
    .filter(({ kind }) => kind === 'peer')
    .map(({ title, version }) => `${title} ${version}`)
  const { sealing } = machine
  return [
    placeOf(results),
    `Medians of ${settings.rounds} interleaved rounds of \`npm run bench\`: two network namespaces joined by a veth, inner MTU ${settings.innerMtuBytes},`,
    `TCP with cubic. mptun seals with ${sealing['aes-256-gcm']}; beside it ${others.join(', ')}.`,
    '',
    ...summaryTable(results).map(asMarkdown),
    '',
    ...judge(results).map(
      ({ sentence, isMet }) => `- ${sentence}${isMet ? '' : ': **short of it**'}.`,
    ),
    ...notMeasured(results),
    '',
    `![The same as bars](${CHART_PATH})`,
  ].join('\n')
}

function placeOf({ machine }: Results): string {
  return `Measured on ${machineSentence(machine)}: both ends, the traffic and its sink share these cores.`
}

/** The medians are of the other rounds. */
function notMeasured({ failures }: Results): string[] {
  const list = failures.map((each) => `${each.contestant}, ${each.case}, round ${each.round}`)
  return list.length === 0 ? [] : [`- Could not be measured: ${list.join('; ')}.`]
}
