/** What the tests of the mode adaptive have in common: the benchmark's scenarios, in virtual time. */
import { allScenarios } from '../../bench/bond/scenarios/all.js'
import type { Scenario } from '../../bench/bond/scenarios/scenario.js'
import { type Result, type Run, simulate } from '../../bench/sweep/simulate.js'

export type { Result } from '../../bench/sweep/simulate.js'

/** A scenario of bench/bond. @throws Error when none has this id. */
export function scenario(id: string): Scenario {
  const found = allScenarios().find((each) => each.id === id)
  if (found) return found
  throw new Error(`scenario: found ${id}, accepted: ${allScenarios().map((each) => each.id)}`)
}

/** Links as the emulator's --link describes them. */
export const links = (...descriptions: readonly string[]): Pick<Scenario, 'links'> => ({
  links: descriptions.map((description, index) => ({
    name: `l${index}`,
    mbit: 0,
    delayMs: 0,
    description,
  })),
})

/** One CUBIC over TCP for 30 s in mode adaptive, unless told otherwise. */
export function run(
  of: Pick<Scenario, 'links' | 'happenings'>,
  change: Partial<Run> = {},
): Promise<Result> {
  return simulate(of, {
    transport: 'tcp',
    congestion: 'cubic',
    mode: 'adaptive',
    seconds: 30,
    seed: 1,
    ...change,
  })
}
