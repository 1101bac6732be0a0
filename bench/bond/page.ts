/** The results as a page for readers: what was meant to be shown, and the table of each scenario. */

import { machineSentence } from '../reporting/machine.js'
import { asMarkdown } from '../reporting/table.js'
import { judge } from './claims.js'
import type { Results } from './results.js'
import { scenarioTables } from './tables.js'

export function asPage(results: Results): string {
  const { rounds, seconds } = results.settings
  return [
    `Measured by \`npm run bench:bond\` on ${machineSentence(results.machine)}: both ends, the emulated links and the traffic share these cores.`,
    `${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`} of at least ${seconds} s; CUBIC counts from its eighth second on, BBR from its third.`,
    'MPTCP has the links to itself, without the headers of a tunnel: it may carry more than their sum through one. Ping and datagrams beside it take the first link.',
    '',
    ...judge(results).map(
      ({ sentence, isMet }) => `- ${sentence}${isMet ? '' : ': **short of it**'}.`,
    ),
    ...scenarioTables(results).flatMap((table) => [
      '',
      `### ${table.title}`,
      '',
      asMarkdown(table),
    ]),
    '',
  ].join('\n')
}
