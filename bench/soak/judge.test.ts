import { describe, expect, it } from 'vitest'
import type { StreamReport } from '../lab/arrivals.js'
import type { Course, LinkTruth, Moment } from './course.js'
import { faultsOf } from './judge.js'
import { tableOf } from './table.js'
import type { Fetched, Round } from './traffic.js'
import { growthFaults } from './uses.js'

const S = 1000
const END_MS = 40 * S
const BIN_MS = 100

const DSL: LinkTruth = {
  name: 'dsl',
  state: 'up',
  mbit: 8,
  delayMs: 15,
  lossPercent: 0,
  isRenumbered: false,
  sinceMs: 0,
}
const LTE: LinkTruth = { ...DSL, name: 'lte', mbit: 12 }

const START: Moment = { atMs: 0, what: 'the start', links: [DSL, LTE], servedSinceMs: 0 }
const cutAt = (sinceMs: number): LinkTruth => ({ ...LTE, state: 'cut', sinceMs })

/** Datagrams every 20 ms, but for a gap. */
function stream(gap: readonly [number, number] = [0, 0], lost = 0): StreamReport {
  const times = Array.from({ length: END_MS / 20 }, (_, index) => index * 20)
  const arrived = times.filter((ms) => ms <= gap[0] || ms >= gap[1])
  return {
    sent: times.length,
    received: times.length - lost,
    lost,
    duplicates: 0,
    outOfOrder: 0,
    longestGapUs: 20_000,
    arrivedAtUs: arrived.map((ms) => ms * 1000),
    longestLossRun: lost,
    delayUs: { p50: 0, p99: 0, max: 0 },
  }
}

/** Of a large transfer at the rate that is told of each moment. */
const bins = (mbitAt: (ms: number) => number) =>
  Array.from({ length: END_MS / BIN_MS }, (_, bin): [number, number] => [
    bin,
    (mbitAt(bin * BIN_MS) * 1000 * BIN_MS) / 8,
  ])

const ROUND: Round = {
  fromMs: 0,
  toMs: END_MS,
  direction: 'up',
  congestion: 'cubic',
  received: { binMs: BIN_MS, bins: bins(() => 19), connections: 1, faults: [] },
  isWhole: true,
  fetched: { up: [], down: [{ atMs: 10 * S, tookMs: 300, fault: null }] },
  streams: { up: stream(), down: stream() },
  ping: {
    sent: 0,
    received: 0,
    duplicates: 0,
    answeredAtMs: [],
    rttsMs: [],
    longestGapMs: 0,
    medianMs: Number.NaN,
    maxMs: Number.NaN,
  },
}

const judge = (
  course: Course,
  round: Partial<Round>,
  mode: 'adaptive' | 'balance-rr' = 'adaptive',
) => faultsOf(course, { ...ROUND, ...round }, mode)
const short = (fetched: Partial<Fetched>) => ({
  fetched: { up: [{ atMs: 10 * S, tookMs: 300, fault: null, ...fetched }], down: [] },
})

it('finds nothing where all is well', () => {
  expect(judge([START], {})).toEqual([])
})

describe('a short transfer', () => {
  it('may take three seconds', () => {
    expect(judge([START], short({ tookMs: 2999 }))).toEqual([])
    expect(judge([START], short({ tookMs: 3100 }))).toEqual([
      'a short transfer up took 3.1 s, at 10.0 s, 10.0 s after "the start" (dsl 8 Mbit/s 15 ms 0 %, lte 12 Mbit/s 15 ms 0 %)',
    ])
    expect(judge([START], short({ tookMs: null }))).toHaveLength(1)
    expect(judge([START], short({ fault: 'read ECONNRESET' }))).toHaveLength(1)
  })

  it('is not judged before it was due', () => {
    expect(judge([START], short({ atMs: END_MS - 2 * S, tookMs: null }))).toEqual([])
  })

  it('may take longer where no link was well all the while', () => {
    const dslChanges = { ...START, atMs: 9 * S, links: [{ ...DSL, sinceMs: 9 * S }, cutAt(5 * S)] }
    const slow = short({ tookMs: 4 * S })
    expect(judge([START, dslChanges], slow)).toEqual([])
    const lteStays = { ...dslChanges, links: [{ ...DSL, sinceMs: 9 * S }, LTE] }
    expect(judge([START, lteStays], slow)).toHaveLength(1)
  })

  it('may take longer where a link that is full, or drops large packets, stays in use', () => {
    expect(judge([START], short({ tookMs: 4 * S }))).toHaveLength(1)
    expect(judge([START], short({ tookMs: 4 * S }), 'balance-rr')).toEqual([])
  })

  it('may take longer while a daemon does not run, and until it is due again', () => {
    const slow = short({ tookMs: 4 * S })
    const gone = { ...START, atMs: 12 * S, servedSinceMs: undefined }
    expect(judge([START, gone], slow)).toEqual([])
    const back = { ...START, atMs: 7 * S, servedSinceMs: 12 * S }
    expect(judge([START, back], slow)).toEqual([])
  })
})

describe('a stream', () => {
  it('may pause for a second', () => {
    expect(judge([START], { streams: { up: stream([10 * S, 11 * S]), down: stream() } })).toEqual(
      [],
    )
    const faults = judge([START], { streams: { up: stream([10 * S, 12 * S]), down: stream() } })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain('the stream up paused for 2.0 s, at 10.0 s')
  })

  it('may lose one datagram of a thousand, and more where nothing is sent again', () => {
    const lossy = { streams: { up: stream(), down: stream([0, 0], 3) } }
    expect(judge([START], { streams: { up: stream(), down: stream([0, 0], 2) } })).toEqual([])
    expect(judge([START], lossy)).toEqual(['the stream down lost 3 of 2000 datagrams'])
    expect(judge([START], lossy, 'balance-rr')).toEqual([])
  })

  it('brings nothing twice', () => {
    expect(
      judge([START], { streams: { up: { ...stream(), duplicates: 1 }, down: stream() } }),
    ).toEqual(['the stream up had 1 datagrams twice'])
  })
})

it('takes the pause of a ping for a fault', () => {
  const answeredAtMs = [10 * S, 12 * S].map(
    (ms) => ms - Number(process.hrtime.bigint() / 1000000n) + Date.now(),
  )
  expect(judge([START], { ping: { ...ROUND.ping, answeredAtMs } })).toHaveLength(1)
})

describe('a large transfer', () => {
  it('has one connection, and the octets that were sent', () => {
    const received = { ...ROUND.received, faults: ['other octets than were sent, at 7'] }
    expect(judge([START], { received })).toEqual([
      'the large transfer up: other octets than were sent, at 7',
    ])
    expect(judge([START], { isWhole: false })).toEqual([
      'the large transfer up: its connection broke',
    ])
  })

  const at = (mbitAt: (ms: number) => number) => ({
    received: { ...ROUND.received, bins: bins(mbitAt) },
  })

  it('fills two thirds of the links that are up, when nothing happens for eight seconds', () => {
    expect(
      judge(
        [START],
        at(() => 14),
      ),
    ).toEqual([])
    expect(
      judge(
        [START],
        at(() => 13),
      )[0],
    ).toContain('cubic up brought 13.0 of 20 Mbit/s in 30.0 s')
    expect(
      judge(
        [START],
        at(() => 13),
        'balance-rr',
      ),
    ).toEqual([])
    const cut = { ...START, atMs: 20 * S, links: [DSL, cutAt(20 * S)] }
    expect(
      judge(
        [START, cut],
        at((ms) => (ms < 20 * S ? 19 : 6)),
      ),
    ).toEqual([])
    expect(
      judge(
        [START, cut],
        at((ms) => (ms < 20 * S ? 19 : 5)),
      ),
    ).toHaveLength(1)
  })

  it('may take ten seconds to begin, BBR twenty, and what it likes between happenings', () => {
    const from = (startMs: number) => at((ms) => (ms < startMs ? 0 : 19))
    expect(judge([START], from(10 * S))).toEqual([])
    expect(judge([START], from(20 * S))).toHaveLength(1)
    expect(judge([START], { ...from(20 * S), congestion: 'bbr' })).toEqual([])
    const busy = Array.from({ length: 8 }, (_, index) => ({ ...START, atMs: index * 5 * S }))
    expect(
      judge(
        busy,
        at(() => 0),
      ),
    ).toEqual([])
  })
})

it('tells of daemons that grow', () => {
  const use = (megabytes: number, descriptors: number) => ({ bytes: megabytes * 1e6, descriptors })
  const first = { client: use(80, 30), server: use(80, 30) }
  expect(growthFaults(first, { client: use(120, 40), server: use(60, 20) })).toEqual([])
  expect(growthFaults(first, { client: use(150, 30), server: use(80, 50) })).toEqual([
    'the client grew by 70 MB',
    'the server has 20 more files open',
  ])
})

it('has no figure in the table for what was never sent', () => {
  const uses = { client: { bytes: 0, descriptors: 0 }, server: { bytes: 0, descriptors: 0 } }
  const { rows } = tableOf('a soak', 0, [ROUND], [uses, uses])
  const cellsOf = (name: string) => rows.find(([of]) => of === name)?.slice(1)
  expect(cellsOf('large transfers sent, Mbit/s')).toEqual(['19.0', '–'])
  expect(cellsOf('  in the middle, ms')).toEqual(['–', '300'])
  expect(cellsOf('ping, 99th percentile, ms')).toEqual(['–', ''])
})
