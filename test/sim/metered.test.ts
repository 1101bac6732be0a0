/** What an uplink costs that carries nothing, and what it is worth all the same. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND, type UplinkOptions } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const HOUR = 3600 * SECOND
/** Both ways together, as the provider counts: IP and UDP headers included. */
const MOST_BYTES_AN_HOUR = 60_000
/** A round trip of the link that takes over, and the time in which a path is found silent. */
const BOUND_US = 60 * MS + 30 * MS

const open = (policy: object, ...uplinks: UplinkOptions[]): Promise<Pair> =>
  openPair({ seed: 3, uplinks, policy: { mode: 'adaptive', ...policy }, primary: 0 })

const link = (mbit: number, delayMs: number) => ({
  rateBytesPerS: mbit * MBIT,
  delayUs: delayMs * MS,
  queueUs: 300 * MS,
})
const HOME = { link: link(20, 10) }
const STICK = link(10, 30)

/** What an uplink carries in both directions while this goes on, scaled to an hour. */
function bytesAnHour(of: Pair, uplink: number, us: number): number {
  const sum = () =>
    (['forward', 'backward'] as const).reduce(
      (bytes, direction) => bytes + of.links[uplink]!.counters(direction).offeredBytes,
      0,
    )
  const before = sum()
  of.runFor(us)
  return ((sum() - before) * HOUR) / us
}

describe('an uplink that rests', () => {
  it('costs less than 60 kB an hour while the tunnel is idle', async () => {
    const both = await open({}, HOME, { link: STICK, metered: true, tier: 1 })
    both.runFor(20 * SECOND)
    expect(bytesAnHour(both, 1, HOUR)).toBeLessThan(MOST_BYTES_AN_HOUR)
  })

  it.each([
    { mode: 'adaptive', traits: { tier: 1 } },
    { mode: 'adaptive', traits: { metered: true, tier: 1 } },
    { mode: 'adaptive', traits: { metered: true, intent: 'standby' } },
    { mode: 'active-backup', traits: { metered: true } },
    { mode: 'balance-rr', traits: { metered: true, tier: 1 } },
  ] as const)('and no more beside traffic: $mode, $traits', async ({ mode, traits }) => {
    const both = await open({ mode }, HOME, { link: STICK, ...traits })
    both.flow({ packetsPerSecond: 20 })
    both.flow({ packetsPerSecond: 20, towards: 'client' })
    both.runFor(20 * SECOND)
    expect(bytesAnHour(both, 1, HOUR / 6)).toBeLessThan(MOST_BYTES_AN_HOUR)
  })

  it('costs as little where packets come now and then, so that the tunnel falls asleep between', async () => {
    const both = await open({}, HOME, { link: STICK, metered: true, tier: 1 })
    both.flow({ packetsPerSecond: 1 / 15 })
    both.runFor(20 * SECOND)
    expect(bytesAnHour(both, 1, HOUR / 6)).toBeLessThan(MOST_BYTES_AN_HOUR)
  })

  it('costs as little after its link has died', async () => {
    const both = await open({}, HOME, { link: STICK, metered: true, tier: 1 })
    both.flow({ packetsPerSecond: 20 })
    both.cut(1)
    both.runFor(60 * SECOND)
    expect(both.up().client).toEqual([0])
    expect(bytesAnHour(both, 1, HOUR / 6)).toBeLessThan(MOST_BYTES_AN_HOUR)
    both.restore(1)
    both.runFor(25 * SECOND)
    expect(both.up().client).toEqual([0, 1])
  })

  it.each(['server', 'client'] as const)(
    'takes over within a round trip and 30 ms when the others fall silent, towards the %s',
    async (towards) => {
      const both = await open({}, HOME, { link: STICK, metered: true, tier: 1 })
      const flow = both.flow({ packetsPerSecond: 200, towards })
      both.runFor(70 * SECOND)
      flow.restart()
      both.cut(0)
      both.runFor(10 * SECOND)
      flow.stop()
      both.runFor(SECOND)
      const { sent, received, reordered, longestGapUs } = flow.stats()
      expect({ lost: sent - received, reordered }).toEqual({ lost: 0, reordered: 0 })
      expect(longestGapUs).toBeLessThanOrEqual(BOUND_US)
    },
  )

  it('is left again, and rests, when the others are back', async () => {
    const both = await open({}, HOME, { link: STICK, metered: true, tier: 1 })
    both.flow({ packetsPerSecond: 200 })
    both.runFor(10 * SECOND)
    both.cut(0)
    both.runFor(20 * SECOND)
    both.restore(0)
    both.runFor(10 * SECOND)
    expect(both.up().client).toEqual([0, 1])
    expect(bytesAnHour(both, 1, HOUR / 6)).toBeLessThan(MOST_BYTES_AN_HOUR)
  })
})

describe('a metered uplink that may carry', () => {
  it('is asked every five seconds, by one side', async () => {
    const both = await open({}, HOME, { link: STICK, metered: true })
    both.flow({ packetsPerSecond: 20 })
    both.runFor(20 * SECOND)
    // 720 questions and answers of 91 octets each, and a session's own messages.
    const asked = 720 * 2 * 91
    expect(bytesAnHour(both, 1, HOUR / 6)).toBeLessThan(asked + 25_000)
  })

  it('is lost within ten seconds of silence', async () => {
    const both = await open({}, HOME, { link: STICK, metered: true })
    both.flow({ packetsPerSecond: 20 })
    both.runFor(10 * SECOND)
    both.cut(1)
    both.runFor(10 * SECOND)
    expect(both.up().client).toEqual([0])
  })
})

describe('an uplink over its budget', () => {
  it.each([
    ['server', 'forward'],
    ['client', 'backward'],
  ] as const)(
    'carries nothing towards the %s while the other falls silent',
    async (towards, direction) => {
      const both = await open({}, HOME, { link: STICK, budgetDayBytes: 1e6 })
      const offered = () => both.links[1]!.counters(direction).offeredBytes
      both.stream({ congestion: 'cubic', towards })
      both.runFor(10 * SECOND)
      const within = offered()
      expect(within).toBeGreaterThan(1e5)
      both.cut(0)
      both.runFor(10 * SECOND)
      // Questions, answers and reports are no data: this stick carries a megabyte in each second.
      expect(offered() - within).toBeLessThan(20_000)
    },
  )

  it.each([
    ['server', 'forward'],
    ['client', 'backward'],
  ] as const)(
    'carries on at the rate that it is given then, towards the %s',
    async (towards, direction) => {
      const bytesPerS = 64_000
      const traits = { budgetDayBytes: 1e6, overBudget: bytesPerS }
      const alone = await open({}, { link: STICK, ...traits })
      const offered = () => alone.links[0]!.counters(direction).offeredBytes
      alone.stream({ congestion: 'cubic', towards })
      alone.runFor(5 * SECOND)
      const within = offered()
      expect(within).toBeGreaterThan(1e6)
      alone.runFor(30 * SECOND)
      const rate = (offered() - within) / 30
      // The rate is that of inner packets; headers of 60 octets come to each.
      expect(rate).toBeLessThan((bytesPerS * 1500) / 1440 + 1000)
      expect(rate).toBeGreaterThan(bytesPerS)
    },
  )
})
