/** Recorded links: mahimahi traces that the command line names. */

import { existsSync, readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { type BondLink, link, type Scenario } from './scenario.js'

/** A line of a trace is the chance to send so much (mahimahi, mm-link(1)). */
const OPPORTUNITY_BYTES = 1500
const DELAY_MS = 20
/** Base stations keep seconds for each phone. */
const WORDS = `,delay=${DELAY_MS},queue=2s`
/** Long enough for the traces' own ups and downs. */
const LEAST_S = 60

/** All traces together, and the first beside a fibre. @throws Error for a file that is no trace. */
export function recordedScenarios(files: readonly string[]): Scenario[] {
  if (files.length === 0) return []
  const links = files.map((file, index) => recordedLink(`t${index}`, file))
  const names = files.map((file) => basename(file)).join(' + ')
  const course = {
    group: 'traces',
    direction: 'down',
    leastS: LEAST_S,
    isCourseOfLink: true,
  } as const
  return [
    { id: 'traces', title: names, links, ...course },
    {
      id: 'fiber-trace',
      title: `50 @5 ms + ${basename(files[0]!)}`,
      links: [link('fiber', 50, 5, ',queue=100ms'), links[0]!],
      ...course,
    },
  ]
}

/** NAME.down is carried down, and NAME.up beside it up; any other file both ways. */
function recordedLink(name: string, file: string): BondLink {
  const down = resolve(file)
  const other = down.replace(/\.down$/, '.up')
  const up = existsSync(other) ? other : down
  const timesMs = readTrace(down)
  return {
    name,
    mbit: (timesMs.length * OPPORTUNITY_BYTES * 8) / (timesMs.at(-1)! * 1000),
    delayMs: DELAY_MS,
    description: `down.trace=${down},up.trace=${up}${WORDS}`,
  }
}

function readTrace(file: string): number[] {
  const timesMs = readFileSync(file, 'utf8').trim().split(/\s+/).map(Number)
  if ((timesMs.at(-1) ?? Number.NaN) > 0) return timesMs
  throw new Error(`--trace: found ${file}, accepted are files of one time in milliseconds a line`)
}
