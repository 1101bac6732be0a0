/**
 * How soon one CUBIC connection fills links that are unlike or unsteady: slow start goes on until they are full,
 * and what begins beside it keeps its own delay.
 */
import { describe, expect, it } from 'vitest'
import { run, scenario } from './adaptive_fixture.js'
import { Pair, SECOND } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
/** Where jitter finds the links is chance: the middle of several starts counts. */
const STARTS_US = [2_000_000, 2_013_000, 2_037_000, 2_051_000, 2_074_000]
const middle = (of: readonly number[]) => of.toSorted((a, b) => a - b)[(of.length - 1) / 2]!

interface Described {
  readonly mbit: number
  readonly delayMs: number
  readonly jitterMs?: number
}

const open = (links: readonly Described[], warmUpUs: number) =>
  Pair.open({
    warmUpUs,
    uplinks: links.map(({ mbit, delayMs, jitterMs = 0 }) => ({
      link: {
        rateBytesPerS: mbit * MBIT,
        delayUs: delayMs * MS,
        jitterUs: jitterMs * MS,
        queueUs: 300 * MS,
      },
    })),
    policy: { mode: 'adaptive' },
  })

const FAR = [
  { mbit: 50, delayMs: 20 },
  { mbit: 50, delayMs: 70 },
]
const UNSTEADY = [
  { mbit: 50, delayMs: 20, jitterMs: 20 },
  { mbit: 50, delayMs: 20, jitterMs: 20 },
]

/** Acknowledgements that overtake each other, and paths that open while something waits for them. */
const RADIO = [
  { mbit: 40, delayMs: 30, jitterMs: 5 },
  { mbit: 25, delayMs: 45, jitterMs: 8 },
]
const sumOf = (links: readonly Described[]) => links.reduce((sum, { mbit }) => sum + mbit, 0)

describe.each(['server', 'client'] as const)('slow start to the %s', (towards) => {
  it.each([
    ['one of them far', FAR],
    ['both unsteady', UNSTEADY],
    ['radio links', RADIO],
  ])('fills two links within four seconds: %s', async (_, links) => {
    const shares: number[] = []
    for (const warmUpUs of STARTS_US) {
      const pair = await open(links, warmUpUs)
      const stream = pair.stream({ congestion: 'cubic', towards })
      pair.runFor(4 * SECOND)
      stream.restart()
      const before = stream.stats().deliveredBytes
      pair.runFor(SECOND)
      shares.push((stream.stats().deliveredBytes - before) / (sumOf(links) * MBIT))
      pair.close()
    }
    expect(middle(shares)).toBeGreaterThan(0.75)
  })
})

it('is not ended by what waits for paths that open, wherever jitter and losses find them', async () => {
  const shares: number[] = []
  for (const knownUs of [1_300_000, 2_000_000]) {
    for (const seed of [7, 8, 9, 10, 11, 12]) {
      const { goodput, possible } = await run(scenario('congested'), {
        seconds: 16,
        fromSeconds: 3,
        seed,
        knownUs,
      })
      shares.push(goodput / possible)
    }
  }
  expect(Math.min(...shares)).toBeGreaterThan(0.65)
})

it('leaves a flow that fits the quickest link there, when its start has crowded it', async () => {
  for (const warmUpUs of STARTS_US) {
    const pair = await open(
      [
        { mbit: 20, delayMs: 10 },
        { mbit: 10, delayMs: 30 },
        { mbit: 5, delayMs: 50 },
      ],
      warmUpUs,
    )
    pair.stream({ congestion: 'cubic', towards: 'server' })
    const flow = pair.flow({ packetsPerSecond: 500, payloadBytes: 1000, towards: 'server' })
    pair.runFor(6 * SECOND)
    flow.restart()
    pair.runFor(SECOND)
    expect(flow.stats().delayP50Us).toBeLessThan(30 * MS)
    pair.close()
  }
})
