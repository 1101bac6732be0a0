/** What is measured: links as data. One way delays; `queue` bounds what waits for the rate. */

import type { BondLink, Scenario } from './scenario.js'

const link = (name: string, mbit: number, delayMs: number, words = ''): BondLink => ({
  name,
  mbit,
  description: `rate=${mbit},delay=${delayMs}${words}`,
})

const QUEUE_300 = ',queue=300ms'
const QUEUE_500 = ',queue=500ms'

/** Pairs and a sextet of poor links on which other tunnels and MPTCP were measured. */
const TABLE: readonly Scenario[] = [
  {
    id: 'equal',
    title: '20 @10 ms + 20 @10 ms',
    group: 'table',
    links: [link('a', 20, 10, QUEUE_300), link('b', 20, 10, QUEUE_300)],
  },
  {
    id: 'unequal',
    title: '20 @10 ms + 20 @40 ms',
    group: 'table',
    links: [link('a', 20, 10, QUEUE_300), link('b', 20, 40, QUEUE_300)],
  },
  {
    id: 'dsl-lte',
    title: '10 @10 ms + 3 @60 ms',
    group: 'table',
    links: [link('a', 10, 10, QUEUE_500), link('b', 3, 60, QUEUE_500)],
  },
  {
    id: 'six-3g',
    title: 'six 3G: 6@30 6@35 6@40 2@45 2@50 4@60',
    group: 'table',
    links: [
      link('a', 6, 30, QUEUE_500),
      link('b', 6, 35, QUEUE_500),
      link('c', 6, 40, QUEUE_500),
      link('d', 2, 45, QUEUE_500),
      link('e', 2, 50, QUEUE_500),
      link('f', 4, 60, QUEUE_500),
    ],
  },
]

export const SCENARIOS: readonly Scenario[] = [...TABLE]
