/** Links that stay what they are. */

import { type BondLink, link, type Scenario } from './scenario.js'

/** What cheap modems hold. */
const QUEUE_300 = ',queue=300ms'
const QUEUE_500 = ',queue=500ms'

/** From its third second on, three times the ten seconds after which BBR looks for its least round trip again. */
const WHOLE_CYCLES_S = 33

/** Pairs and a sextet of poor links on which other tunnels were measured, too. */
export const TABLE: readonly Scenario[] = [
  {
    id: 'equal',
    title: '20 @10 ms + 20 @10 ms',
    group: 'table',
    leastS: WHOLE_CYCLES_S,
    links: [link('a', 20, 10, QUEUE_300), link('b', 20, 10, QUEUE_300)],
  },
  {
    id: 'unequal',
    title: '20 @10 ms + 20 @40 ms',
    group: 'table',
    leastS: WHOLE_CYCLES_S,
    links: [link('a', 20, 10, QUEUE_300), link('b', 20, 40, QUEUE_300)],
  },
  {
    id: 'dsl-lte',
    title: '10 @10 ms + 3 @60 ms',
    group: 'table',
    leastS: WHOLE_CYCLES_S,
    links: [link('a', 10, 10, QUEUE_500), link('b', 3, 60, QUEUE_500)],
  },
  {
    id: 'six-3g',
    title: 'six 3G: 6@30 6@35 6@40 2@45 2@50 4@60',
    group: 'table',
    leastS: WHOLE_CYCLES_S,
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

/** As the bonding driver's users had them, and what one bad stick did to it. */
const six = (slowest: number): BondLink[] =>
  [8, 8, 8, 8, 8, slowest].map((mbit, index) => link(`g${index}`, mbit, 60, QUEUE_500))

export const STICKS: readonly Scenario[] = [
  {
    id: 'six-8',
    title: 'six HSPA sticks of 8 Mbit/s @60 ms',
    group: 'sticks',
    links: six(8),
  },
  {
    id: 'six-slow',
    title: 'the same, one throttled to 512 kbit/s',
    group: 'sticks',
    links: six(0.512),
  },
]

/** Where per-packet work begins to count. */
export const FAST: readonly Scenario[] = [
  {
    id: 'aggregate',
    title: '300 @10 ms + 80 @30 ms',
    group: 'fast',
    links: [link('a', 300, 10), link('b', 80, 30)],
  },
  {
    id: 'hundreds',
    title: '100 @25 ms + 100 @25 ms',
    group: 'fast',
    links: [link('a', 100, 25), link('b', 100, 25)],
  },
]

const pair = (words: string): BondLink[] => [link('a', 20, 20, words), link('b', 20, 40, words)]

/** One link, so that nothing but sending again can help, and pairs. */
export const LOSS: readonly Scenario[] = [
  {
    id: 'one-loss-2',
    title: 'one link of 50 @20 ms, 2 % lost',
    group: 'loss',
    links: [link('a', 50, 20, ',loss=2')],
    isLossy: true,
  },
  ...[0.5, 1, 2, 5].map(
    (percent): Scenario => ({
      id: `pair-loss-${String(percent).replace('.', '')}`,
      title: `20 @20 ms + 20 @40 ms, ${percent} % lost on each`,
      group: 'loss',
      links: pair(`,loss=${percent}`),
      isLossy: true,
    }),
  ),
]

const GOOD = [link('a', 20, 10, QUEUE_300), link('b', 20, 25, QUEUE_300)]
const BAD = link('bad', 1, 300, `${QUEUE_500},loss=5`)

/** Beside bulk in both directions a ping is to feel nothing of it, nor of a bad link. */
export const INTERACTIVE: readonly Scenario[] = [
  {
    id: 'both-ways',
    title: '20 @10 ms + 20 @25 ms, bulk both ways',
    group: 'interactive',
    links: GOOD,
    direction: 'both',
  },
  {
    id: 'both-ways-bad',
    title: 'the same and a link of 1 @300 ms, 5 % lost',
    group: 'interactive',
    links: [...GOOD, BAD],
    direction: 'both',
    isLopsided: true,
  },
  {
    id: 'good',
    title: '20 @10 ms + 20 @25 ms, bulk one way',
    group: 'interactive',
    links: GOOD,
  },
  {
    id: 'good-bad',
    title: 'the same and a link of 1 @300 ms, 5 % lost',
    group: 'interactive',
    links: [...GOOD, BAD],
    isLopsided: true,
  },
]
