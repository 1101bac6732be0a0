/** One stream where delays jitter, or where a round trip is long: what stands there is seldom a queue of ours. */
import { describe, expect, it } from 'vitest'
import { describeLink } from '../../bench/sim/description.js'
import { links, run, scenario } from './adaptive_fixture.js'
import { Pair, SECOND } from './tunnel.js'

const MBIT = 125_000
const NETEM = ',queue=none,limit=1000,overhead=14'
const STEADY = { fromSeconds: 8 } as const
const STARTS_US = [300_000, 700_000, 1_100_000, 2_000_000, 2_050_000]

const UP = { transport: 'tcp', towards: 'server' } as const

/** What is found in a tunnel of its own over the links of this row, for each seed: the least first. */
async function eachOf(
  seeds: readonly number[],
  id: string,
  find: (pair: Pair) => number,
): Promise<number[]> {
  const found: number[] = []
  for (const seed of seeds) {
    const uplinks = scenario(id).links.map(({ description }) => {
      const { up, down } = describeLink(description)
      return { link: up, backward: down }
    })
    const pair = await Pair.open({ seed, uplinks, policy: { mode: 'adaptive' } })
    found.push(find(pair))
    pair.close()
  }
  return found.toSorted((a, b) => a - b)
}

describe('links whose delays jitter', () => {
  const rows: readonly [string, number][] = [
    ['jit-20', 80],
    ['lte-starlink', 55],
    ['dual-lte', 50],
    ['congested', 18],
    ['lte-geo', 35],
  ]
  it.each(rows)('%s carries %i Mbit/s and more of CUBIC', async (id, leastMbit) => {
    const { goodput } = await run(scenario(id), STEADY)
    expect(goodput / MBIT).toBeGreaterThan(leastMbit)
  })

  it('are opened though the first packets of a load are late', async () => {
    const early = { seconds: 20, fromSeconds: 3, knownUs: 400_000 }
    for (const [seed, leastMbit] of [
      [1, 75],
      [4, 60],
    ] as const) {
      const { goodput } = await run(scenario('lte-starlink'), { ...early, seed })
      expect(goodput / MBIT).toBeGreaterThan(leastMbit)
    }
  })

  it('are not put aside for reports that only seem quick', async () => {
    const { paths, goodput } = await run(scenario('jit-20'), { ...STEADY, seed: 4 })
    for (const { suspicions } of paths) expect(suspicions).toBeLessThan(3)
    expect(goodput / MBIT).toBeGreaterThan(80)
  })

  it('leave BBR a round trip that it can fill, once it has measured anew', async () => {
    const later = { congestion: 'bbr', seconds: 60, fromSeconds: 30 } as const
    const { goodput } = await run(scenario('jit-20'), later)
    expect(goodput / MBIT).toBeGreaterThan(75)
    const lossy = await run(scenario('congested'), later)
    expect(lossy.goodput / MBIT).toBeGreaterThan(23)
  })

  it.each([
    ['congested', 20],
    ['lte-starlink', 75],
  ])('%s leaves BBR %i Mbit/s before it has measured anew', async (id, leastMbit) => {
    const runs = await Promise.all(
      [1, 2, 3].map((seed) => run(scenario(id), { ...STEADY, congestion: 'bbr', seed })),
    )
    const [, middle = 0] = runs.map(({ goodput }) => goodput / MBIT).toSorted((x, y) => x - y)
    expect(middle).toBeGreaterThan(leastMbit)
  })

  it('leave BBR a round trip that it can fill from the start, however lucky a packet is', async () => {
    const soon = { congestion: 'bbr', seconds: 10, fromSeconds: 3 } as const
    for (const seed of [1, 2, 3, 4, 5]) {
      const { goodput } = await run(scenario('jit-20'), { ...soon, seed })
      expect(goodput / MBIT).toBeGreaterThan(70)
    }
  })

  it.each([
    ['first', () => {}],
    [
      'second',
      (pair: Pair) => {
        pair.stream({ ...UP, congestion: 'bbr', bytes: 3_000_000 })
        pair.runFor(10 * SECOND)
      },
    ],
  ] as const)('leave BBR most of what they carry to its %s connection', async (_, before) => {
    const found = await eachOf([1, 2, 3, 4, 5], 'congested', (pair) => {
      before(pair)
      const stream = pair.stream({ ...UP, congestion: 'bbr' })
      pair.runFor(10 * SECOND)
      const [from, to] = [30, 100]
      const bytes = stream.stats().bytesPer100Ms.slice(from, to)
      return bytes.reduce((sum, each) => sum + each, 0) / ((to - from) / 10) / MBIT
    })
    expect(found[2]).toBeGreaterThan(22)
  })

  it('do not open connections later for the sake of BBR where another has shown that it is none', async () => {
    const openedAfter = async (congestion: 'cubic' | 'bbr') => {
      const found = await eachOf([1, 2, 3, 4, 5, 6, 7, 8], 'jit-20', (pair) => {
        pair.stream({ ...UP, congestion, bytes: 300_000 })
        pair.runFor(4 * SECOND)
        const next = pair.stream({ ...UP, congestion, bytes: 1 })
        pair.runFor(SECOND)
        return next.stats().finishedUs
      })
      return found.reduce((sum, each) => sum + each, 0) / found.length
    }
    expect(await openedAfter('cubic')).toBeLessThan((await openedAfter('bbr')) - 5000)
  })

  /** BBR lives by the round trip of its first packet: of 24 starts 7 are not lucky enough. */
  it.each([
    ['cubic', 0],
    ['bbr', 1],
  ] as const)(
    'alone carry most of what their order lets through: %s, but for %d of five',
    async (congestion, unlucky) => {
      const link = links(`rate=50,delay=20,jitter=20${NETEM}`)
      const found: number[] = []
      for (const knownUs of STARTS_US) {
        const { goodput } = await run(link, { ...STEADY, congestion, knownUs })
        found.push(goodput / MBIT)
      }
      expect(found.toSorted((a, b) => a - b)[unlucky]).toBeGreaterThan(18)
    },
  )
})

describe('long round trips', () => {
  it('leave time for a repair', async () => {
    const link = links('rate=10,delay=150,loss=1')
    for (const transport of ['tcp', 'quic'] as const) {
      const { goodput } = await run(link, { transport, seconds: 40, fromSeconds: 15 })
      expect(goodput / MBIT).toBeGreaterThan(transport === 'tcp' ? 5 : 6)
    }
  })

  it('leave time for the ingress queue to fill and empty', async () => {
    const { goodput } = await run(links('rate=20,delay=320'), { seconds: 40, fromSeconds: 15 })
    expect(goodput / MBIT).toBeGreaterThan(5)
  })
})

describe('a link whose rate goes up and down', () => {
  it('finds enough waiting when it goes up', async () => {
    const MBITS = [4, 20, 9, 26, 6, 14, 30, 8, 18, 5]
    const happenings = Array.from({ length: 200 }, (_, step) => ({
      atS: 1 + step * 0.15,
      link: 'l0',
      what: `set rate=${MBITS[(step * 3) % MBITS.length]}` as const,
    }))
    const link = { ...links('rate=14,delay=20,queue=1s'), happenings }
    let sum = 0
    for (const knownUs of STARTS_US.slice(2)) {
      sum += (await run(link, { fromSeconds: 12, knownUs })).goodput
    }
    expect(sum / 3 / MBIT).toBeGreaterThan(6.45)
  })
})
