/** A whole soak in one table. */

import { median } from '../reporting/median.js'
import type { Table } from '../reporting/table.js'
import { DIRECTIONS, type Direction, type Round } from './traffic.js'
import type { Uses } from './uses.js'

/** Who sends what goes there. */
const SIDE = { up: 'client', down: 'server' } as const

export function tableOf(
  title: string,
  happenings: number,
  rounds: readonly Round[],
  [first, last]: readonly [Uses, Uses],
): Table {
  const row = (name: string, cell: (direction: Direction) => string) => [
    name,
    ...DIRECTIONS.map(cell),
  ]
  const count = (name: string, of: (round: Round, direction: Direction) => number) =>
    row(name, (direction) => String(sum(rounds.map((round) => of(round, direction)))))
  const most = (name: string, of: (round: Round, direction: Direction) => readonly number[]) =>
    row(name, (direction) =>
      rounds
        .flatMap((round) => of(round, direction))
        .reduce((longest, each) => Math.max(longest, each), 0)
        .toFixed(0),
    )
  const tookMs = ({ fetched }: Round, direction: Direction) =>
    fetched[direction].flatMap((each) => each.tookMs ?? [])
  const pings = rounds.flatMap(({ ping }) => ping.rttsMs).sort((a, b) => a - b)
  return {
    title,
    head: ['', 'client', 'server'],
    rows: [
      ['happenings', String(happenings), ''],
      row('large transfers sent, Mbit/s', (direction) => told(mbitOf(rounds, direction), 1)),
      count('short transfers sent', (round, direction) => tookMs(round, direction).length),
      row('  in the middle, ms', (direction) =>
        told(median(rounds.flatMap((round) => tookMs(round, direction)))),
      ),
      most('  longest, ms', tookMs),
      count('datagrams sent', ({ streams }, direction) => streams[direction].sent),
      count('  lost', ({ streams }, direction) => streams[direction].lost),
      count('  misordered', ({ streams }, direction) => streams[direction].outOfOrder),
      most('  longest gap, ms', ({ streams }, direction) => [
        streams[direction].longestGapUs / 1000,
      ]),
      ['ping, 99th percentile, ms', told(pings[Math.floor(pings.length * 0.99)] ?? Number.NaN), ''],
      row('memory first and last, MB', (direction) =>
        [first, last].map((uses) => (uses[SIDE[direction]].bytes / 1e6).toFixed(0)).join(' '),
      ),
      row('descriptors first and last', (direction) =>
        [first, last].map((uses) => uses[SIDE[direction]].descriptors).join(' '),
      ),
    ],
  }
}

/** Of the rounds in which this one was sent; NaN of none. */
function mbitOf(rounds: readonly Round[], direction: Direction): number {
  const own = rounds.filter((round) => round.direction === direction)
  const octets = sum(own.flatMap(({ received }) => received.bins.map(([, count]) => count)))
  return (octets * 8) / 1000 / sum(own.map(({ fromMs, toMs }) => toMs - fromMs))
}

const told = (value: number, digits = 0) => (Number.isNaN(value) ? '–' : value.toFixed(digits))

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
