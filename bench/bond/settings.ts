/** What the command line asks for. */

import { parseArgs } from 'node:util'
import type { Congestion } from '../lab/traffic.js'
import type { Settings } from './runner.js'
import { allScenarios } from './scenarios/all.js'
import type { Scenario } from './scenarios/scenario.js'
import { MODES, type Mode } from './subject.js'

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  only: { type: 'string' },
  modes: { type: 'string' },
  cc: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  trace: { type: 'string', multiple: true },
  add: { type: 'boolean', default: false },
} as const

const CONGESTIONS: readonly Congestion[] = ['cubic', 'bbr']

export interface Wish {
  readonly settings: Settings
  /** Whether the scenarios are only to be told. */
  readonly isList: boolean
  /** Whether all is measured that a full report has. */
  readonly isWhole: boolean
  /** Whether it goes to the results that are kept. */
  readonly isAdded: boolean
}

/** @throws Error that names the option, what was found and what is accepted. */
export function readSettings(args: readonly string[]): Wish {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const { quick, only, modes, cc } = values
  if (values.add && values.trace) {
    throw new Error('--add: found with --trace, whose files nobody else has; measure them without')
  }
  const wishes = readList('modes', modes, [...MODES, 'mptcp'] as const)
  return {
    settings: {
      scenarios: chooseScenarios(allScenarios(values.trace), only ?? (quick ? 'table' : undefined)),
      modes: wishes.filter((each): each is Mode => each !== 'mptcp'),
      withMptcp: wishes.includes('mptcp'),
      congestions: readList('cc', cc ?? (quick ? 'cubic' : undefined), CONGESTIONS),
      rounds: readNumber('rounds', values.rounds ?? (quick ? '1' : '3'), 1, 99),
      seconds: readNumber('seconds', values.seconds ?? (quick ? '12' : '16'), 2, 600),
    },
    isList: values.list,
    isWhole: !quick && [only, modes, cc, values.trace].every((each) => each === undefined),
    isAdded: values.add,
  }
}

function chooseScenarios(known: readonly Scenario[], text: string | undefined): Scenario[] {
  if (text === undefined) return [...known]
  return text.split(',').flatMap((word) => {
    const chosen = known.filter(({ id, group }) => id === word || group === word)
    if (chosen.length > 0) return chosen
    const groups = new Set(known.map(({ group }) => group))
    const ids = known.map(({ id }) => id)
    throw new Error(
      `--only: found ${word}, accepted are the groups ${[...groups].join(', ')} and the scenarios ${ids.join(', ')}`,
    )
  })
}

function readList<T extends string>(
  word: string,
  text: string | undefined,
  known: readonly T[],
): T[] {
  if (text === undefined) return [...known]
  return text.split(',').map((each) => {
    const found = known.find((name) => name === each)
    if (found !== undefined) return found
    throw new Error(`--${word}: found ${each}, accepted: ${known.join(', ')}`)
  })
}

function readNumber(word: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (value >= least && value <= most) return value
  throw new Error(`--${word}: found ${text}, accepted is a number from ${least} to ${most}`)
}
