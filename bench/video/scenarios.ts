/** Two uplinks of phones, and the times at which one of them is gone. */

import { type BondLink, type Happening, link } from '../bond/scenarios/scenario.js'

export interface VideoScenario {
  readonly id: string
  readonly title: string
  readonly links: readonly BondLink[]
  /** Of the transport stream. */
  readonly mbit: number
  readonly happenings: readonly Happening[]
  readonly seconds: number
}

const LTE = ',jitter=4,queue=300ms'
export const LINKS: readonly BondLink[] = [link('a', 6, 35, LTE), link('b', 6, 45, LTE)]

const CUT_EVERY_S = 5
/** Before the first cut: a stream finds its speed. */
const CALM_S = 2

/** Each link in turn is gone for so long, without a sign. */
function inTurn(seconds: number, cutS: number): Happening[] {
  const count = cutS === 0 ? 0 : Math.ceil((seconds - CALM_S) / CUT_EVERY_S)
  return Array.from({ length: count }, (_, index) => {
    const atS = CALM_S + index * CUT_EVERY_S
    const { name } = LINKS[index % LINKS.length]!
    return [
      { atS, link: name, what: 'cut' },
      { atS: atS + cutS, link: name, what: 'restore' },
    ] satisfies Happening[]
  }).flat()
}

/** @param cutMs each cut's length; 0: none. @param seconds of film that count. */
export function videoScenario(mbit: number, cutMs: number, seconds: number): VideoScenario {
  return {
    id: `${mbit}-${cutMs}`,
    title: `${mbit} Mbit/s over 6 @35 ms + 6 @45 ms, ${
      cutMs === 0 ? 'no cut' : `every ${CUT_EVERY_S} s one of them cut for ${cutMs} ms`
    }`,
    links: LINKS,
    mbit,
    happenings: inTurn(seconds, cutMs / 1000),
    seconds,
  }
}
