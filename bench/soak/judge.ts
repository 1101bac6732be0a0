/**
 * Which of what traffic has come to is a fault: what a user would complain of, while at least one link was
 * well, had been so for a while, and the daemons ran.
 */

import type { Mode } from '#mptun/core/policy.js'
import { monotonicMs } from './clock.js'
import {
  type Course,
  calmStretches,
  isServedAt,
  momentsBetween,
  type Stretch,
  wasWell,
} from './course.js'
import { DIRECTIONS, type Direction, type Fetched, type Round } from './traffic.js'

/** Something is no excuse any more when a link has been well for so long. */
const WELL_MS = 5000
const SHORT_MOST_MS = 3000
/** Between two datagrams, and between two answers to a ping. */
const GAP_MOST_MS = 1000
/** Of a stream. */
const LOST_MOST_SHARE = 0.001
/** What a new connection may take until it fills all links: BBR needs long where their round trips differ. */
const SETTLE_MS = { cubic: 10_000, bbr: 20_000 } as const
const CALM_LEAST_MS = 8000
/** Of the links' rates: a twentieth is headers. */
const GOODPUT_LEAST_SHARE = 0.7 * 0.95

/**
 * A sentence each, without its full stop. No mode but adaptive knows how much a link has room for, sends again what
 * was lost, also in one that is full, and leaves out one that passes small packets alone.
 */
export function faultsOf(course: Course, round: Round, mode: Mode): string[] {
  const isAdaptive = mode === 'adaptive'
  return [
    ...bulkFaults(round),
    ...DIRECTIONS.flatMap((direction) => [
      ...streamFaults(course, direction, round),
      ...(isAdaptive ? shortFaults(course, direction, round.fetched[direction], round.toMs) : []),
      ...(isAdaptive ? lossFaults(course, direction, round) : []),
    ]),
    ...pingFaults(course, round),
    ...(isAdaptive ? goodputFaults(course, round) : []),
  ]
}

function bulkFaults({ received, isWhole, direction }: Round): string[] {
  const { connections, faults } = received
  const broken = isWhole && connections === 1 ? [] : ['its connection broke']
  return [...broken, ...faults].map((fault) => `the large transfer ${direction}: ${fault}`)
}

function shortFaults(
  course: Course,
  direction: Direction,
  fetched: readonly Fetched[],
  endMs: number,
): string[] {
  return fetched.flatMap(({ atMs, tookMs, fault }) => {
    const dueMs = atMs + SHORT_MOST_MS
    if (dueMs > endMs || !wasWell(course, dueMs - WELL_MS, dueMs)) return []
    const isLate = (tookMs ?? Number.POSITIVE_INFINITY) > SHORT_MOST_MS
    if (!isLate && fault === null) return []
    const time = tookMs === null ? 'was not there at the end' : `took ${seconds(tookMs)}`
    return [`a short transfer ${direction} ${fault ?? time}${when(course, atMs)}`]
  })
}

function streamFaults(course: Course, direction: Direction, { streams }: Round): string[] {
  const { arrivedAtUs, duplicates } = streams[direction]
  const times = arrivedAtUs.map((us) => us / 1000)
  return [
    ...longGaps(course, times, `the stream ${direction}`),
    ...(duplicates > 0 ? [`the stream ${direction} had ${duplicates} datagrams twice`] : []),
  ]
}

function lossFaults(course: Course, direction: Direction, round: Round): string[] {
  const { lost, sent } = round.streams[direction]
  const isServed = momentsBetween(course, round.fromMs, round.toMs).every((moment) =>
    isServedAt(moment, round.fromMs),
  )
  if (!isServed || lost <= sent * LOST_MOST_SHARE) return []
  return [`the stream ${direction} lost ${lost} of ${sent} datagrams`]
}

function pingFaults(course: Course, { ping }: Round): string[] {
  return longGaps(course, ping.answeredAtMs.map(monotonicMs), 'the ping')
}

function longGaps(course: Course, timesMs: readonly number[], whose: string): string[] {
  return timesMs.flatMap((atMs, index) => {
    const sinceMs = timesMs[index - 1] ?? atMs
    const dueMs = sinceMs + GAP_MOST_MS
    if (atMs <= dueMs || !wasWell(course, dueMs - WELL_MS, dueMs)) return []
    return [`${whose} paused for ${seconds(atMs - sinceMs)}${when(course, sinceMs)}`]
  })
}

function goodputFaults(course: Course, { received, fromMs, toMs, direction, congestion }: Round) {
  const { binMs, bins } = received
  const inside = ({ fromMs: from, toMs: to, after }: Stretch) => ({
    fromMs: Math.max(from, fromMs + SETTLE_MS[congestion]),
    toMs: Math.min(to, toMs),
    after,
  })
  return calmStretches(course, toMs)
    .map(inside)
    .filter((stretch) => stretch.toMs - stretch.fromMs >= CALM_LEAST_MS)
    .flatMap((stretch) => {
      const { after } = stretch
      const octets = bins.reduce((sum, [bin, count]) => {
        const atMs = bin * binMs
        return atMs >= stretch.fromMs && atMs < stretch.toMs ? sum + count : sum
      }, 0)
      const mbit = (octets * 8) / (stretch.toMs - stretch.fromMs) / 1000
      const room = after.links.reduce((sum, link) => sum + (link.state === 'up' ? link.mbit : 0), 0)
      if (mbit >= room * GOODPUT_LEAST_SHARE) return []
      const what = `${congestion} ${direction} brought ${mbit.toFixed(1)} of ${room} Mbit/s`
      return [`${what} in ${seconds(stretch.toMs - stretch.fromMs)}${when(course, stretch.fromMs)}`]
    })
}

/** Where in the soak to look for the cause. */
function when(course: Course, atMs: number): string {
  const startMs = course[0]!.atMs
  const before = course.filter((moment) => moment.atMs <= atMs).at(-1) ?? course[0]!
  const links = before.links.map(({ name, state, mbit, delayMs, lossPercent }) =>
    state === 'up' ? `${name} ${mbit} Mbit/s ${delayMs} ms ${lossPercent} %` : `${name} ${state}`,
  )
  const since = `${seconds(atMs - before.atMs)} after "${before.what}"`
  return `, at ${seconds(atMs - startMs)}, ${since} (${links.join(', ')})`
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
