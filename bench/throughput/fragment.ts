/**
 * The benchmark's words in bench/README.md, and the few of them in README.md: made from the results, put
 * between two marks, never written by hand.
 */

import { machineSentence } from '../reporting/machine.js'
import { asMarkdown } from '../reporting/table.js'
import { judge } from './claims.js'
import type { Results } from './results.js'
import { besideTable, summaryTable } from './tables.js'

const BEGIN = '<!-- figures of npm run bench: begin -->'
const END = '<!-- figures of npm run bench: end -->'

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

/** What stands between the marks; undefined without marks. */
export function readFragment(text: string): string | undefined {
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END)
  return begin < 0 || end < begin ? undefined : text.slice(begin + BEGIN.length, end).trim()
}

/** The text with another fragment between its marks. */
export function replaceFragment(text: string, fragment: string): string {
  if (readFragment(text) === undefined) {
    throw new Error(`the text has no lines ${BEGIN} and ${END}; put them where the figures belong`)
  }
  const before = text.slice(0, text.indexOf(BEGIN) + BEGIN.length)
  return `${before}\n${fragment}\n${text.slice(text.indexOf(END))}`
}
