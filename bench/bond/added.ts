/** Results that grow scenario by scenario: a whole run takes hours. */

import { isDeepStrictEqual } from 'node:util'
import { keyOf, type Results, type Row } from './results.js'

/**
 * What was measured now, and of what is kept whatever was not measured again, in the order of the scenarios.
 * @throws Error unless both are of one machine, and of as many rounds of one length.
 */
export function addResults(
  kept: Results,
  now: Results,
  order: readonly { readonly id: string }[],
): Results {
  assertComparable(kept, now)
  const fresh = new Set(now.rows.map(idOf))
  const scenarios = new Map([...kept.scenarios, ...now.scenarios].map((each) => [each.id, each]))
  return {
    ...now,
    scenarios: order.flatMap(({ id }) => scenarios.get(id) ?? []),
    rows: [...kept.rows.filter((row) => !fresh.has(idOf(row))), ...now.rows],
  }
}

/** @throws Error that names what differs and what to do. */
export function assertComparable(
  kept: Pick<Results, 'machine' | 'settings'>,
  now: Pick<Results, 'machine' | 'settings'>,
): void {
  for (const word of ['machine', 'settings'] as const) {
    if (isDeepStrictEqual(kept[word], now[word])) continue
    const told = (results: typeof kept) => JSON.stringify(results[word])
    throw new Error(
      `--add: the results that are kept are of another ${word}, ${told(kept)}, than these, ${told(now)}; measure without --add, or take bench/results/bond.json away to begin anew`,
    )
  }
}

const idOf = ({ scenario, load, congestion, subject }: Row) =>
  [scenario, load, congestion, keyOf(subject)].join(' ')
