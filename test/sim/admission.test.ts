/** Which uplinks carry in the mode adaptive: the policy of the core on what the real C measures. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND, type UplinkOptions } from './tunnel.js'

const MS = 1000
const MBIT = 125_000

const open = (...uplinks: UplinkOptions[]): Promise<Pair> =>
  openPair({ seed: 5, uplinks, policy: { mode: 'adaptive' } })

const link = (mbit: number, delayMs: number) => ({
  rateBytesPerS: mbit * MBIT,
  delayUs: delayMs * MS,
  queueUs: 200 * MS,
})
const pathsOf = (of: Pair) => of.client.core.snapshot().peers[0]!.paths
/** Bytes per second that the uplinks carried on their way out, over the next seconds. */
function ratesFor(of: Pair, seconds: number): number[] {
  const sent = () => {
    of.tell((client) => client.requestStats(0))
    of.runFor(10 * MS)
    return pathsOf(of).map(({ measurements }) => measurements?.txBytes ?? 0)
  }
  const before = sent()
  of.runFor(seconds * SECOND)
  return sent().map((bytes, i) => (bytes - before[i]!) / seconds)
}

describe('a path that is far slower than the others', () => {
  it('is left out of bulk, which is said, and costs the others nothing', async () => {
    const both = await open({ link: link(20, 10) }, { link: link(10, 400) })
    const stream = both.stream({ congestion: 'cubic' })
    both.runFor(20 * SECOND)
    expect(pathsOf(both)[1]).toMatchObject({
      state: 'up',
      inPlan: true,
      notes: [expect.stringMatching(/^is left out of bulk: 3\d\d ms slower than uplink0$/)],
    })
    expect(stream.goodput(8 * SECOND, 20 * SECOND)).toBeGreaterThan(0.98 * 0.9 * 20 * MBIT)
  })
})

describe('a second tier', () => {
  it('joins when the first is full and leaves when it would do', async () => {
    const both = await open({ link: link(10, 10) }, { link: link(10, 20), tier: 1 })
    const waits = 'tier 1: waits until the tiers before it are full'
    const light = both.flow({ packetsPerSecond: 100, count: 500 })
    both.runFor(6 * SECOND)
    expect(light.stats().received).toBe(500)
    expect(pathsOf(both)[1]).toMatchObject({
      inPlan: false,
      why: waits,
      measurements: { txDataInWindow: 0 },
    })

    const stream = both.stream({ congestion: 'cubic' })
    both.runFor(20 * SECOND)
    expect(pathsOf(both)[1]).toMatchObject({ inPlan: true, why: '' })
    expect(stream.goodput(10 * SECOND, 20 * SECOND)).toBeGreaterThan(0.8 * 20 * MBIT)

    stream.stop()
    both.flow({ packetsPerSecond: 100 })
    both.runFor(8 * SECOND)
    expect(pathsOf(both)[1]).toMatchObject({ inPlan: false, why: waits })
  })
})

describe('a cap', () => {
  it('is kept to in both directions, each with its own', async () => {
    const capped = await open({
      link: link(50, 10),
      rateUpBytesPerS: 4 * MBIT,
      rateDownBytesPerS: 8 * MBIT,
    })
    const streams = (['server', 'client'] as const).map((towards) =>
      capped.stream({ congestion: 'cubic', towards }),
    )
    capped.runFor(20 * SECOND)
    const [up, down] = streams.map((stream) => stream.goodput(8 * SECOND, 20 * SECOND) / MBIT)
    expect(up).toBeGreaterThan(3)
    expect(up).toBeLessThan(4)
    expect(down).toBeGreaterThan(6.5)
    expect(down).toBeLessThan(8)
  })
})

describe('a budget', () => {
  it('that is used up ends the use of the uplink, in both directions, without a loss', async () => {
    const both = await open({ link: link(20, 10) }, { link: link(20, 15), budgetDayBytes: 10e6 })
    const stream = both.stream({ congestion: 'cubic', towards: 'client' })
    both.runFor(20 * SECOND)
    expect(both.client.factsOf('budget')).toMatchObject([{ uplink: 'uplink1', isSpent: true }])
    expect(pathsOf(both)[1]).toMatchObject({
      inPlan: false,
      why: expect.stringContaining('its 10 MB of today are used up'),
    })
    const usage = both.client.core.usage()['uplink1']
    // What comes within a sample, and while the word is under way, is beyond it.
    expect(usage?.dayBytes).toBeLessThan(11.5e6)
    const before = stream.stats()
    const [, spent = 0] = ratesFor(both, 5)
    expect(spent).toBeLessThan(3000)
    expect(stream.stats().timeouts).toBe(before.timeouts)
    expect(stream.goodput(12 * SECOND, 20 * SECOND)).toBeGreaterThan(0.85 * 20 * MBIT)
  })
})

describe('a path that has little to do', () => {
  it('is not taken for a slow one', async () => {
    const lossy = (delayMs: number) => ({ link: { ...link(10, delayMs), loss: 0.01 } })
    const both = await open(lossy(10), lossy(40))
    both.flow({ packetsPerSecond: 100 })
    both.runFor(30 * SECOND)
    expect(pathsOf(both).flatMap(({ notes }) => notes)).toEqual([])
  })
})

describe('two good paths', () => {
  it('are both used, and nothing is said of them', async () => {
    const both = await open({ link: link(20, 10) }, { link: link(20, 30) })
    const stream = both.stream({ congestion: 'cubic' })
    both.runFor(40 * SECOND)
    expect(pathsOf(both).map(({ inPlan, notes }) => ({ inPlan, notes }))).toEqual([
      { inPlan: true, notes: [] },
      { inPlan: true, notes: [] },
    ])
    expect(stream.goodput(10 * SECOND, 40 * SECOND)).toBeGreaterThan(0.9 * 0.92 * 40 * MBIT)
  })
})
