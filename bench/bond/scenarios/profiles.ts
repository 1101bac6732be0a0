/**
 * The sixteen netem profiles of mqvpn's benchmarks (github.com/mp0rta/mqvpn, benchmarks/bench_env_setup.sh):
 * the same delay, jitter and rate at both ends. `limit` is netem's own, its delay line included, and what
 * netem weighs on a veth are Ethernet frames.
 */

import { type BondLink, link, type Scenario } from './scenario.js'

const NETEM = ',queue=none,limit=1000,overhead=14'

const profile = (
  id: string,
  title: string,
  links: readonly BondLink[],
  traits: Pick<Scenario, 'isLopsided' | 'isLossy'> = {},
): Scenario => ({ id, title, group: 'profiles', links, ...traits })

const pair = (a: readonly [number, number, string?], b: readonly [number, number, string?]) =>
  [a, b].map(([mbit, delayMs, words = ''], index) =>
    link(index === 0 ? 'a' : 'b', mbit, delayMs, `${words}${NETEM}`),
  )

const twins = (words: string) => pair([50, 20, words], [50, 20, words])

const LOPSIDED = { isLopsided: true }
const LOSSY = { isLossy: true }

export const PROFILES: readonly Scenario[] = [
  profile('baseline', '50 @20 ms + 50 @20 ms', twins('')),
  profile('rtt-40', '50 @20 ms + 50 @40 ms', pair([50, 20], [50, 40])),
  profile('rtt-70', '50 @20 ms + 50 @70 ms', pair([50, 20], [50, 70])),
  profile('rtt-120', '50 @20 ms + 50 @120 ms', pair([50, 20], [50, 120])),
  profile('rtt-320', '50 @20 ms + 50 @320 ms', pair([50, 20], [50, 320]), LOPSIDED),
  profile('bw-4to1', '50 @20 ms + 12 @20 ms', pair([50, 20], [12, 20])),
  profile('bw-10to1', '100 @20 ms + 10 @20 ms', pair([100, 20], [10, 20]), LOPSIDED),
  profile(
    'dual-lte',
    '40 @30±5 ms 0.5 % + 25 @45±8 ms 0.5 %',
    pair([40, 30, ',jitter=5,loss=0.5'], [25, 45, ',jitter=8,loss=0.5']),
    LOSSY,
  ),
  profile(
    'fiber-lte',
    '300 @8 ms + 30 @40±8 ms 0.5 %',
    pair([300, 8], [30, 40, ',jitter=8,loss=0.5']),
    { ...LOPSIDED, ...LOSSY },
  ),
  profile(
    'lte-starlink',
    '40 @35±8 ms + 100 @50±25 ms 1 %',
    pair([40, 35, ',jitter=8'], [100, 50, ',jitter=25,loss=1']),
    LOSSY,
  ),
  profile(
    'lte-geo',
    '40 @35 ms + 20 @320±20 ms 0.5 %',
    pair([40, 35], [20, 320, ',jitter=20,loss=0.5']),
    { ...LOPSIDED, ...LOSSY },
  ),
  profile('jit-5', '50 @20±5 ms, twice', twins(',jitter=5')),
  profile('jit-20', '50 @20±20 ms, twice', twins(',jitter=20')),
  profile('loss-05', '50 @20 ms 0.5 %, twice', twins(',loss=0.5'), LOSSY),
  profile('loss-2', '50 @20 ms 2 %, twice', twins(',loss=2'), LOSSY),
  profile(
    'congested',
    '20 @50±20 ms 2 % + 15 @60±25 ms 2 %',
    pair([20, 50, ',jitter=20,loss=2'], [15, 60, ',jitter=25,loss=2']),
    LOSSY,
  ),
]
