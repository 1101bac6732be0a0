/**
 * Who does what, beside whom. The contestants of a suite run at once, idle while another is measured, but
 * where it wants them one by one.
 */

import { availableParallelism } from 'node:os'
import {
  type Case,
  DOWNLOADS_EACH,
  DOWNLOADS_SAME,
  DOWNLOADS_SUM,
  IDLE,
  LOAD_CLIENTS,
  LOAD_PATHS,
  named,
  TCP_500,
  TCP_BOTH,
  TCP_REVERSE,
  TCP1,
  TCP1_BBR,
  TCP4,
  UDP64,
  UDP1400,
} from './cases.js'
import type { Contestant } from './contestants/contestant.js'
import { fastd } from './contestants/fastd.js'
import { fleet } from './contestants/fleet.js'
import {
  mptun,
  mptunChacha,
  mptunMode,
  mptunOpenssl,
  mptunPaths,
  mptunUnsealed,
} from './contestants/mptun.js'
import { openvpn } from './contestants/openvpn.js'
import { relay } from './contestants/relay.js'
import { vxlan } from './contestants/vxlan.js'
import { wireguardGo } from './contestants/wireguard.js'

export interface Suite {
  readonly id: string
  readonly contestants: readonly Contestant[]
  readonly cases: readonly Case[]
  /** Each runs while no other does: a hundred clients are in use for ten seconds more, which is a load. */
  readonly oneByOne?: boolean
  /** Cases that not all of them do, by id. */
  readonly only?: Readonly<Record<string, readonly Contestant[]>>
  /** As after `taskset -c`, for all that runs; of the server's daemon alone, where it stands apart. */
  readonly cpus?: string
  readonly serverCpus?: string
}

const PEERS = [wireguardGo, openvpn, fastd]

const CARRIERS = [
  ...[mptun, mptunPaths(2), mptunOpenssl, mptunChacha, mptunUnsealed],
  ...PEERS,
  vxlan,
]
const LOADS = [TCP1, TCP1_BBR, TCP4, TCP_REVERSE, TCP_BOTH, TCP_500, UDP64, UDP1400]

export const SUITES: readonly Suite[] = [
  {
    id: 'all',
    contestants: [...CARRIERS, relay],
    cases: [...LOADS, IDLE],
    only: {
      ...Object.fromEntries(LOADS.map(({ id }) => [id, CARRIERS])),
      // Without losses the congestion control makes no difference but to the sender's own CPU time.
      [TCP1_BBR.id]: [mptun, mptunUnsealed, vxlan],
    },
  },
  {
    id: 'one-core',
    contestants: [mptun, mptunUnsealed, ...PEERS, vxlan],
    cases: [named(TCP1, 'tcp1-one-core', 'one TCP stream, everything on one core')],
    cpus: '0',
  },
  {
    id: 'paths',
    contestants: [mptunPaths(1), mptunPaths(2), mptunPaths(4), mptunPaths(8)],
    cases: [named(TCP1, 'tcp1-paths', 'one TCP stream over more paths'), LOAD_PATHS],
  },
  {
    id: 'modes',
    contestants: [1, 2].flatMap((links) => [
      mptunMode('balance-rr', links),
      mptunMode('adaptive', links),
    ]),
    cases: [TCP1, TCP1_BBR, TCP_REVERSE, TCP_BOTH, UDP64].map((each) =>
      named(each, `${each.id}-modes`, `${each.title}, by mode`),
    ),
  },
  {
    id: 'clients',
    // Where others keep the cores awake, one client's packet costs 13 us, and 21 where none does.
    oneByOne: true,
    contestants: [
      ...[fleet(1), fleet(10), fleet(100)],
      // What of the difference is the traffic's: this mode only counts.
      ...[fleet(1, 'balance-rr'), fleet(100, 'balance-rr')],
    ],
    cases: [LOAD_CLIENTS, DOWNLOADS_SAME, DOWNLOADS_SUM, DOWNLOADS_EACH],
    // A single core is shared by all, as it would be there.
    ...(availableParallelism() > 1 ? { cpus: '0', serverCpus: '1' } : {}),
  },
]

/** What a quick run keeps. */
const QUICK_CASES: ReadonlySet<string> = new Set(
  [TCP1, TCP_BOTH, TCP_500, UDP64, IDLE].map(({ id }) => id).concat('tcp1-one-core'),
)
const QUICK_CONTESTANTS: ReadonlySet<string> = new Set(
  [mptun, mptunUnsealed, ...PEERS, vxlan, relay].map(({ id }) => id),
)

export interface Choice {
  readonly quick: boolean
  /** Ids of contestants and of cases; absent: all. */
  readonly only: readonly string[] | undefined
  readonly cases: readonly string[] | undefined
}

/** The suites that are left of a choice. Throws, with what is accepted, at a word that nothing is called. */
export function chooseSuites({ quick, only, cases }: Choice): Suite[] {
  const of = (pick: (suite: Suite) => readonly { id: string }[]) => [
    ...new Set(SUITES.flatMap(pick).map(({ id }) => id)),
  ]
  expectKnown(
    'only',
    only,
    of(({ contestants }) => contestants),
  )
  expectKnown(
    'cases',
    cases,
    of((suite) => suite.cases),
  )
  const isAsked = ({ id }: Case) => cases?.includes(id) ?? (!quick || QUICK_CASES.has(id))
  const takesPart = ({ id }: Contestant) =>
    only?.includes(id) ?? (!quick || QUICK_CONTESTANTS.has(id))
  return SUITES.map((suite) => ({
    ...suite,
    contestants: suite.contestants.filter(takesPart),
    cases: suite.cases.filter(isAsked),
  })).filter((suite) => suite.contestants.length > 0 && suite.cases.length > 0)
}

/** Who of a suite does a case of it. */
export function performersOf(suite: Suite, { id }: Case): readonly Contestant[] {
  const few = suite.only?.[id]
  return few === undefined
    ? suite.contestants
    : suite.contestants.filter((contestant) => few.includes(contestant))
}

function expectKnown(
  word: string,
  found: readonly string[] | undefined,
  known: readonly string[],
): void {
  const stranger = found?.find((each) => !known.includes(each))
  if (stranger === undefined) return
  throw new Error(`--${word}: found "${stranger}", accepted are ${known.join(', ')}`)
}
