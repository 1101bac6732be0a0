/** What the instructions of each leaf were when somebody last looked at them, and what may become of them. */

import { readFileSync, writeFileSync } from 'node:fs'
import { run } from '../lab/namespaces.js'
import { repositoryPath } from '../lab/repository.js'
import { type Instructions, type Spent, total } from './instructions.js'

/** Instruction sets differ, and compilers do: a figure says by which it was made. */
export interface Baseline {
  readonly compiler: string
  readonly leaves: Instructions
}

/** A leaf may become this much worse, as a ratio: room for a fix, not for a habit. */
const TOLERANCE = 0.1

const PATH = repositoryPath('bench/micro/baseline.json')
const REMEDY = 'look at what grew; when it is worth it, npm run bench:micro -- --baseline'

export interface Verdict {
  readonly leaf: string
  readonly ok: boolean
  readonly text: string
}

/** By architecture, as process.arch names it. */
type File = Record<string, Baseline>

function readFile(): File {
  return JSON.parse(readFileSync(PATH, 'utf8')) as File
}

export function readBaseline(): Baseline | undefined {
  return readFile()[process.arch]
}

export async function writeBaseline(leaves: Instructions): Promise<string> {
  const file = { ...readFile(), [process.arch]: { compiler: await compiler(), leaves } }
  writeFileSync(PATH, `${JSON.stringify(file, null, 2)}\n`)
  return PATH
}

export async function compiler(): Promise<string> {
  const { stdout } = await run(['gcc', '-dumpfullversion'])
  return `gcc ${stdout.trim()}`
}

/** One verdict for each leaf of either. */
export function judge(baseline: Baseline | undefined, found: Baseline): Verdict[] {
  if (baseline === undefined) {
    const text = `there is no baseline for ${process.arch}: npm run bench:micro -- --baseline`
    return [{ leaf: 'baseline', ok: false, text }]
  }
  const unlike =
    baseline.compiler === found.compiler
      ? ''
      : ` (the baseline is of ${baseline.compiler}, this is ${found.compiler})`
  const names = new Set([...Object.keys(baseline.leaves), ...Object.keys(found.leaves)])
  return [...names].map((leaf) =>
    judgeLeaf(leaf, baseline.leaves[leaf], found.leaves[leaf], unlike),
  )
}

function judgeLeaf(
  leaf: string,
  before: Spent | undefined,
  now: Spent | undefined,
  unlike: string,
): Verdict {
  if (before === undefined || now === undefined) {
    const where = before === undefined ? 'in the baseline' : 'among the leaves'
    const text = `is not ${where}: npm run bench:micro -- --baseline`
    return { leaf, ok: false, text }
  }
  const [was, is] = [total(before), total(now)]
  const change = `${is.toFixed(1)} instructions a packet, ${was.toFixed(1)} in the baseline`
  if (is <= was * (1 + TOLERANCE)) return { leaf, ok: true, text: change }
  const percent = Math.round((is / was - 1) * 100)
  const text = `${change}: ${percent} % worse by ${grown(before, now)}${unlike}; ${REMEDY}`
  return { leaf, ok: false, text }
}

/** The functions that account for what a leaf has grown, the greatest growth first. */
function grown(before: Spent, now: Spent): string {
  return Object.entries(now)
    .map(([name, is]) => ({ name, was: before[name] ?? 0, is }))
    .filter(({ was, is }) => is > was)
    .sort((a, b) => b.is - b.was - (a.is - a.was))
    .slice(0, 3)
    .map(({ name, was, is }) => `${name} (${was} -> ${is})`)
    .join(', ')
}
