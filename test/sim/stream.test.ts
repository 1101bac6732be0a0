/** The models of TCP, QUIC and ping against what is known of the real ones, over a tunnel with one uplink that does nothing. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import type { Congestion, SimStream, Transport } from './stream.js'
import { type Pair, SECOND } from './tunnel.js'
import type { LinkShape } from './world.js'

const MS = 1000
const MBIT = 125_000

/** Payload is 92.4 % of it: headers, inner and outer, are the rest. */
const LINK = { rateBytesPerS: 20 * MBIT, delayUs: 20 * MS, queueUs: 40 * MS }

const open = (link: LinkShape, backward: LinkShape = link, seed = 3): Promise<Pair> =>
  openPair({ seed, uplinks: [{ link, backward }] })

interface Kind {
  readonly transport?: Transport
  readonly congestion: Congestion
}

/** Goodput of seconds 5 to 30, Mbit/s. */
async function run(kind: Kind, link: LinkShape, backward?: LinkShape) {
  const one = await open(link, backward)
  const stream = one.stream(kind)
  one.runFor(30 * SECOND)
  return { mbit: mbitOf(stream, 5, 30), stats: stream.stats() }
}

const mbitOf = (stream: SimStream, fromS: number, toS: number) =>
  stream.goodput(fromS * SECOND, toS * SECOND) / MBIT

/** One and seven bandwidth-delay products. */
const QUEUES = [40 * MS, 300 * MS]

describe('a stream', () => {
  it.each([
    { kind: { congestion: 'cubic' }, share: 0.9 },
    { kind: { congestion: 'bbr' }, share: 0.88 },
    { kind: { congestion: 'newreno' }, share: 0.9 },
    { kind: { transport: 'quic', congestion: 'cubic' }, share: 0.9 },
    { kind: { transport: 'quic', congestion: 'newreno' }, share: 0.9 },
    { kind: { transport: 'quic', congestion: 'bbr' }, share: 0.88 },
  ] as const)('of $kind fills a link with any queue', async ({ kind, share }) => {
    for (const queueUs of QUEUES) {
      const { mbit, stats } = await run(kind, { ...LINK, queueUs })
      expect(mbit).toBeGreaterThan(20 * share)
      expect(stats).toMatchObject({ timeouts: 0, reordered: 0, duplicated: 0, damaged: 0 })
    }
  })

  it.each([{ congestion: 'cubic' }, { transport: 'quic', congestion: 'cubic' }] as const)(
    'of $congestion gets through losses what the kernel gets: 2 Mbit/s of 50',
    async (kind) => {
      const link = { rateBytesPerS: 50 * MBIT, delayUs: 20 * MS, queueUs: 100 * MS }
      const { mbit, stats } = await run(kind, { ...link, loss: 0.02 }, link)
      expect(mbit).toBeGreaterThan(1.4)
      expect(mbit).toBeLessThan(3)
      // Each loss is repaired once, and none by waiting.
      const missing = stats.transmissions - stats.arrivals
      expect(stats.retransmits).toBeLessThanOrEqual(missing)
      expect(stats.retransmits).toBeGreaterThan(missing - 10) // some are still under way
      expect(stats.timeouts).toBeLessThan(3)
      expect(stats.undos).toBe(0)
    },
  )

  it.each(['cubic', 'bbr'] as const)('of TCP begins with a handshake: %s', async (congestion) => {
    const one = await open(LINK)
    const stream = one.stream({ congestion, bytes: 1000 })
    one.runFor(SECOND)
    const { finishedUs, minRttUs, transmissions } = stream.stats()
    expect(transmissions).toBe(1)
    expect(finishedUs / MS).toBeGreaterThan(3 * 20)
    expect(finishedUs / MS).toBeLessThan(3 * 20 + 5)
    expect(minRttUs / MS).toBeCloseTo(2 * 20, -1)
  })

  it('of BBR keeps what the handshake took for its least round trip', async () => {
    const one = await open({ ...LINK, delayUs: 10 * MS })
    const stream = one.stream({ congestion: 'bbr' })
    one.runFor(15 * MS) // the SYN is answered, and nothing else under way
    for (const way of ['forward', 'backward'] as const)
      one.links[0]!.set({ ...LINK, delayUs: 50 * MS }, way)
    one.runFor(9 * SECOND)
    // Twice what 20 ms hold is two fifths of what 100 ms hold.
    expect(mbitOf(stream, 5, 9)).toBeLessThan(14)
    one.runFor(5 * SECOND)
    expect(mbitOf(stream, 12, 14)).toBeGreaterThan(16)
  })

  /** Of 20 ms that is eleven round trips with four packets each, and ten are what it remembers rates for. */
  it('of BBR goes on at its rate once it has measured its least round trip', async () => {
    const one = await open({ ...LINK, delayUs: 10 * MS })
    const stream = one.stream({ congestion: 'bbr' })
    one.runFor(40 * SECOND)
    const seconds = Array.from({ length: 35 }, (_, second) =>
      mbitOf(stream, 5 + second, 6 + second),
    )
    // A fifth of a second, a round trip, and what the queue held.
    expect(Math.min(...seconds)).toBeLessThan(16)
    expect(Math.min(...seconds)).toBeGreaterThan(13)
  })

  it.each(['tcp', 'quic'] as const)('of BBR over %s does not mind losses', async (transport) => {
    const link = { rateBytesPerS: 50 * MBIT, delayUs: 20 * MS, queueUs: 100 * MS }
    const kind = { transport, congestion: 'bbr' } as const
    const { mbit, stats } = await run(kind, { ...link, loss: 0.02 }, link)
    expect(mbit).toBeGreaterThan(40)
    expect(stats.timeouts).toBe(0)
  })

  it('takes a needless recovery back', async () => {
    const one = await open({ ...LINK, queueUs: 300 * MS })
    const stream = one.stream({ congestion: 'cubic' })
    one.runFor(5 * SECOND)
    // All that is under way comes late, yet it comes: a timeout, and no loss.
    one.links[0]!.set({ ...LINK, queueUs: 300 * MS, delayUs: 1500 * MS }, 'backward')
    one.runFor(SECOND)
    one.links[0]!.set({ ...LINK, queueUs: 300 * MS }, 'backward')
    one.runFor(4 * SECOND)
    const { timeouts, undos } = stream.stats()
    expect(timeouts).toBeGreaterThan(0)
    expect(undos).toBeGreaterThan(0)
  })

  it.each(['tcp', 'quic'] as const)(
    'of %s comes back after a cut of three seconds',
    async (transport) => {
      const one = await open(LINK)
      const stream = one.stream({ transport, congestion: 'cubic' })
      one.runFor(5 * SECOND)
      one.cut(0)
      one.runFor(3 * SECOND)
      one.restore(0)
      one.runFor(12 * SECOND)
      const { longestGapUs, probes } = stream.stats()
      expect(probes).toBeGreaterThan(0)
      expect(longestGapUs).toBeGreaterThan(3 * SECOND)
      expect(mbitOf(stream, 15, 20)).toBeGreaterThan(18)
    },
  )

  it('shares a link with another, in both directions at once', async () => {
    const downs: number[] = []
    // How a stream against two fares hangs on when theirs begin anew: by a quarter from one delay to the next.
    for (const delayMs of [16, 18, 20, 22, 24]) {
      const one = await open({ ...LINK, delayUs: delayMs * MS })
      const up = [one.stream({ congestion: 'cubic' }), one.stream({ congestion: 'cubic' })]
      const down = one.stream({ congestion: 'cubic', towards: 'client' })
      one.runFor(30 * SECOND)
      const mbits = up.map((stream) => mbitOf(stream, 5, 30))
      for (const mbit of mbits) expect(mbit).toBeGreaterThan(4)
      expect(mbits[0]! + mbits[1]!).toBeGreaterThan(15)
      downs.push(mbitOf(down, 5, 30))
    }
    expect(downs.reduce((sum, mbit) => sum + mbit) / downs.length).toBeGreaterThan(13)
  })

  it('is the same without super-packets, but for the moments', async () => {
    const one = await open(LINK)
    const stream = one.stream({ congestion: 'cubic', gso: false })
    one.runFor(10 * SECOND)
    expect(mbitOf(stream, 2, 10)).toBeGreaterThan(18)
    expect(stream.stats().damaged).toBe(0)
  })

  it.each([
    { transport: 'tcp', payload: 1368 },
    { transport: 'quic', payload: 1350 },
  ] as const)('of $transport ends whole, through losses', async ({ transport, payload }) => {
    const one = await open({ ...LINK, loss: 0.01 })
    const stream = one.stream({ transport, congestion: 'cubic' })
    one.runFor(5 * SECOND)
    stream.stop()
    one.runFor(2 * SECOND)
    const { deliveredBytes, transmissions, retransmits } = stream.stats()
    expect(deliveredBytes).toBe((transmissions - retransmits) * payload)
  })

  it('is the same to the last bit for the same seed', async () => {
    const digest = async (seed: number) => {
      const one = await open({ ...LINK, loss: 0.01 }, LINK, seed)
      one.stream({ congestion: 'cubic' })
      one.stream({ congestion: 'bbr' })
      one.stream({ transport: 'quic', congestion: 'newreno', towards: 'client' })
      one.ping({ perSecond: 20 })
      one.runFor(5 * SECOND)
      const { digest } = one.world
      return digest
    }
    const first = await digest(7)
    expect(await digest(7)).toBe(first)
    expect(await digest(8)).not.toBe(first)
  })
})

describe('a ping', () => {
  it('takes twice the delay, and waits behind what fills the queue', async () => {
    const one = await open(LINK)
    const ping = one.ping({ perSecond: 20 })
    one.runFor(2 * SECOND)
    const { answered, lost, minUs, maxUs } = ping.restart()
    expect(answered).toBe(40)
    expect(lost).toBe(1) // still under way
    expect(minUs).toBe(maxUs)
    // 144 octets, tunnel and all, take 58 us each way.
    expect(minUs).toBe(2 * (20 * MS + 58))
    one.stream({ congestion: 'cubic' })
    one.runFor(10 * SECOND)
    expect(ping.stats().p50Us).toBeGreaterThan(60 * MS)
    expect(ping.stats().maxUs).toBeLessThan(85 * MS)
  })

  it('loses both requests and answers', async () => {
    const one = await open({ ...LINK, loss: 0.1 })
    const ping = one.ping({ perSecond: 100, count: 2000 })
    one.runFor(25 * SECOND)
    const { sent, lost } = ping.stats()
    expect(sent).toBe(2000)
    expect(lost / sent).toBeGreaterThan(0.16)
    expect(lost / sent).toBeLessThan(0.22)
  })

  it('goes both ways', async () => {
    const one = await open(LINK)
    const ping = one.ping({ perSecond: 10, towards: 'client', count: 10 })
    one.runFor(2 * SECOND)
    expect(ping.stats()).toMatchObject({ sent: 10, answered: 10, duplicated: 0 })
  })
})
