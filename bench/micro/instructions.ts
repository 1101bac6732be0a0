/**
 * Instructions a packet costs in our own C: the one figure that does not move with the machine's mood.
 * What depends on the processor is left out: the C library's copies, and sealing.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../lab/namespaces.js'
import { repositoryPath } from '../lab/repository.js'
import { selfCosts } from './callgrind.js'

/** Instructions a packet, by function. */
export type Spent = Readonly<Record<string, number>>
/** By leaf. */
export type Instructions = Readonly<Record<string, Spent>>

/** Less than a hundredth of an instruction a packet is what a run costs once. */
const DIGITS = 2

export async function countInstructions(): Promise<Instructions> {
  const folder = mkdtempSync(join(tmpdir(), 'mptun-callgrind-'))
  const out = join(folder, 'profile')
  try {
    const { stdout } = await run([
      ...['valgrind', '--tool=callgrind', '--quiet', `--callgrind-out-file=${out}`],
      ...['--collect-atstart=no', '--toggle-collect=counted', '--dump-after=counted'],
      repositoryPath('build/mptun-leaves'),
    ])
    const leaves = stdout.trim().split('\n')
    const profiles = readdirSync(folder).filter((name) => /^profile\.\d+$/.test(name))
    if (profiles.length !== 2 * leaves.length) {
      throw new Error(`callgrind wrote ${profiles.length} profiles of ${leaves.length} leaves`)
    }
    return Object.fromEntries(
      leaves.map((line, index) => {
        const [, packets, name] = /^(\d+) (.*)$/.exec(line) ?? []
        // Each leaf runs twice; the second run counts.
        const profile = readFileSync(`${out}.${2 * index + 2}`, 'utf8')
        return [name ?? line, perPacket(profile, Number(packets))]
      }),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function perPacket(profile: string, packets: number): Spent {
  const costs = selfCosts(profile, (file) => /(^|\/)native\/\w+\.[ch]$/.test(file))
  const entries = [...costs]
    .map(([name, cost]) => [name, Number((cost / packets).toFixed(DIGITS))] as const)
    .filter(([, each]) => each > 0)
    .sort(([, a], [, b]) => b - a)
  return Object.fromEntries(entries)
}

export function total(spent: Spent): number {
  return Object.values(spent).reduce((sum, each) => sum + each, 0)
}
