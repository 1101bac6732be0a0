/** The course of one run: what arrived, and what went over each link. */

import { mbitBetween } from './arrived.js'
import type { Measured } from './measure.js'
import type { Look } from './watch.js'

export interface TimeLine {
  readonly stepS: number
  /** Of TCP's payload, one a step; empty without TCP. */
  readonly mbit: readonly number[]
  /** Of each link, in the direction of the load, one a step. */
  readonly links: Readonly<Record<string, readonly number[]>>
  readonly happened: readonly {
    readonly atS: number
    readonly link: string
    readonly what: string
  }[]
}

const STEP_S = 0.1

/** Undefined where nothing happened to the links. */
export function timeLineOf({ arrived, watched }: Measured, seconds: number): TimeLine | undefined {
  const { looks, happened } = watched
  if (happened.length === 0) return undefined
  const startUs = arrived?.startUs ?? looks[0]?.atUs ?? 0
  const steps = Array.from({ length: Math.round(seconds / STEP_S) }, (_, step) => step * STEP_S)
  const names = Object.keys(looks[0]?.deliveredBytes ?? {})
  const rates = (name: string) =>
    steps.map((atS) => {
      const bytes = (s: number) => deliveredAt(looks, name, startUs + s * 1e6)
      return rounded(((bytes(atS + STEP_S) - bytes(atS)) * 8) / (STEP_S * 1e6))
    })
  return {
    stepS: STEP_S,
    mbit:
      arrived === undefined
        ? []
        : steps.map((atS) => rounded(mbitBetween(arrived, atS, atS + STEP_S))),
    links: Object.fromEntries(names.map((name) => [name, rates(name)])),
    happened: happened.map(({ atUs, link, what }) => ({
      atS: rounded((atUs - startUs) / 1e6),
      link,
      what,
    })),
  }
}

/** Between two looks as if it had come evenly. */
export function deliveredAt(looks: readonly Look[], name: string, atUs: number): number {
  const after = firstWhere(looks, (look) => look.atUs > atUs)
  const next = looks[after]
  const previous = looks[after - 1]
  if (next === undefined) return previous?.deliveredBytes[name] ?? 0
  if (previous === undefined) return next.deliveredBytes[name] ?? 0
  const share = (atUs - previous.atUs) / (next.atUs - previous.atUs)
  const [from, to] = [previous.deliveredBytes[name] ?? 0, next.deliveredBytes[name] ?? 0]
  return from + share * (to - from)
}

/** The first look that is so, of looks of which all later ones are; their count when none is. */
function firstWhere(looks: readonly Look[], isSo: (look: Look) => boolean): number {
  let [low, high] = [0, looks.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isSo(looks[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}

const rounded = (value: number) => Math.round(value * 100) / 100
