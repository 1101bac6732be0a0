/** Which films go over which links and through what. */

import { MODES, type Mode, type Subject } from '../bond/subject.js'
import type { VideoRun } from './measure.js'
import { LINKS, videoScenario } from './scenarios.js'
import { TRANSPORTS, type Transport } from './stream.js'

/** As on the command line. */
export interface Wish {
  readonly quick: boolean
  readonly mbit?: string | undefined
  readonly cut?: string | undefined
  readonly over?: string | undefined
  readonly transport?: string | undefined
  readonly seconds?: string | undefined
}

export interface Group {
  readonly title: string
  readonly runs: readonly VideoRun[]
}

/** One that a link alone can carry, and one that needs both. */
const RATES_MBIT = [5, 8]
/** The last but one is what the first film must outlive; the others tell how far the second goes. */
const CUTS_MS = [0, 300, 500, 1000, 2000, 2500]
const QUICK_CUTS_MS: Readonly<Record<number, readonly number[]>> = { 5: [2500], 8: [500] }
const SECONDS = 40
const QUICK_SECONDS = 22

/** @throws Error that names the option, what was found and what is accepted. */
export function chooseRuns(wish: Wish): Group[] {
  const rates = wish.mbit === undefined ? RATES_MBIT : [numberOf('mbit', wish.mbit, 0.5, 11)]
  const cuts = wish.cut === undefined ? undefined : [numberOf('cut', wish.cut, 0, 4000)]
  const seconds = numberOf(
    'seconds',
    wish.seconds ?? `${wish.quick ? QUICK_SECONDS : SECONDS}`,
    2,
    600,
  )
  const subjects = subjectsOf(
    wish.over ?? (wish.quick ? 'adaptive' : 'adaptive,balance-rr,broadcast,a,b'),
  )
  return transportsOf(wish.transport).flatMap((transport) =>
    rates.flatMap((mbit) =>
      (cuts ?? (wish.quick ? QUICK_CUTS_MS[mbit] : undefined) ?? CUTS_MS).map((cutMs) => {
        const scenario = videoScenario(mbit, cutMs, seconds)
        return {
          title: `${transport}: ${scenario.title}`,
          runs: subjects.map((subject) => ({ scenario, subject, transport, seed: 1 })),
        }
      }),
    ),
  )
}

function subjectsOf(text: string): Subject[] {
  const links = LINKS.map(({ name }) => name)
  return text.split(',').map((word): Subject => {
    if (links.includes(word)) return { kind: 'alone', link: word }
    if (isMode(word)) return { kind: 'mode', mode: word }
    throw new Error(`--over: found ${word}, accepted: ${[...MODES, ...links].join(', ')}`)
  })
}

const isMode = (word: string): word is Mode => MODES.some((mode) => mode === word)

function transportsOf(text: string | undefined): readonly Transport[] {
  if (text === undefined) return TRANSPORTS
  const found = TRANSPORTS.find((each) => each === text)
  if (found !== undefined) return [found]
  throw new Error(`--transport: found ${text}, accepted: ${TRANSPORTS.join(', ')}`)
}

function numberOf(word: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (value >= least && value <= most) return value
  throw new Error(`--${word}: found ${text}, accepted is a number from ${least} to ${most}`)
}
