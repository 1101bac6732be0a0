/** Header compression end to end, in virtual time: it saves what it can, and costs no packet whatever happens. */
import { describe, expect, it } from 'vitest'
import { COUNTER } from '../../src/boundary.js'
import { openPair } from './pair_fixture.js'
import { type Pair, type PairOptions, SECOND } from './tunnel.js'

const MS = 1000
const MBIT = 125_000

const adaptivePair = (options: PairOptions) =>
  openPair({ ...options, policy: { mode: 'adaptive' } })

const link = (mbit: number, delayMs: number) => ({
  rateBytesPerS: mbit * MBIT,
  delayUs: delayMs * MS,
  queueUs: 200 * MS,
})

/** Payload of the links' rate where all packets go whole: 1368 of 1480 octets. */
const WHOLE_SHARE = 1368 / 1480

/** At the client and at the server. */
const dropped = ({ client, server }: Pair) =>
  [client, server].map(({ node }) => node.counter(COUNTER.dropContext.value))

/** Octets that the client has saved of each packet that went compressed since. */
function savedOf({ client }: Pair, since = { packets: 0, octets: 0 }) {
  const stats = client.node.stats().find((event) => event.kind === 'peerStats')
  if (stats?.kind !== 'peerStats') throw new Error('the client has no peer')
  const [packets, octets] = [stats.compressed, stats.savedBytes]
  return { packets, octets, each: (octets - since.octets) / (packets - since.packets) }
}

const compressed = ({ client, server }: Pair) =>
  [client, server].map(({ node }) => {
    const stats = node.stats().find((event) => event.kind === 'peerStats')
    return stats?.kind === 'peerStats' ? stats.compressed : 0
  })

describe('a stream', () => {
  it('has more of its links than whole headers would leave it', async () => {
    const pair = await adaptivePair({
      seed: 1,
      uplinks: [{ link: link(20, 10) }, { link: link(10, 20) }],
    })
    const stream = pair.stream({ congestion: 'cubic' })
    pair.runFor(20 * SECOND)
    const share = stream.goodput(5 * SECOND, 20 * SECOND) / (30 * MBIT)
    expect(share).toBeGreaterThan(WHOLE_SHARE * 1.02)
    // Data one way, acknowledgements the other.
    for (const count of compressed(pair)) expect(count).toBeGreaterThan(10_000)
    expect(dropped(pair)).toEqual([0, 0])
  })

  it('has its contexts made anew as its numbers and times move on', async () => {
    const pair = await adaptivePair({ seed: 1, uplinks: [{ link: link(5, 10) }] })
    pair.stream({ congestion: 'bbr' })
    pair.runFor(10 * SECOND)
    const early = savedOf(pair)
    // The high octets of its timestamps are others after 65 s, and those of its numbers after each 16 MB.
    pair.runFor(190 * SECOND)
    const late = savedOf(pair, early)
    for (const { each } of [early, late]) expect(each).toBeGreaterThan(52 - 11)
    expect(dropped(pair)).toEqual([0, 0])
  })

  it('goes whole where a path carries gigabits', async () => {
    const pair = await adaptivePair({ seed: 1, uplinks: [{ link: link(1000, 5) }] })
    pair.stream({ congestion: 'cubic' })
    pair.runFor(2 * SECOND)
    const [before] = compressed(pair)
    pair.runFor(SECOND)
    expect(compressed(pair)[0]).toBe(before)
  })

  it.each([1, 2, 3])(
    'loses nothing by it on bad links, over keys and cuts (seed %i)',
    async (seed) => {
      const bad = { lossRate: 0.02, jitterUs: 15 * MS }
      const pair = await adaptivePair({
        seed,
        uplinks: [{ link: { ...link(6, 10), ...bad } }, { link: { ...link(4, 40), ...bad } }],
      })
      const streams = [
        pair.stream({ congestion: 'cubic' }),
        pair.stream({ congestion: 'bbr', towards: 'client' }),
      ]
      for (let turn = 0; turn < 16; turn += 1) {
        pair.runFor(8 * SECOND) // keys change once in all
        pair.cut(turn % 2)
        pair.runFor(SECOND)
        pair.restore(turn % 2)
      }
      expect(dropped(pair)).toEqual([0, 0])
      for (const count of compressed(pair)) expect(count).toBeGreaterThan(10_000)
      for (const stream of streams)
        expect(stream.goodput(120 * SECOND, 140 * SECOND)).toBeGreaterThan(2 * MBIT)
    },
  )

  it('goes on with a server that has forgotten all', async () => {
    const pair = await adaptivePair({ seed: 1, uplinks: [{ link: link(20, 10) }] })
    const stream = pair.stream({ congestion: 'cubic' })
    pair.runFor(5 * SECOND)
    pair.restartServer()
    pair.runFor(15 * SECOND)
    const [before = 0] = compressed(pair)
    pair.runFor(5 * SECOND)
    expect(stream.goodput(20 * SECOND, 25 * SECOND) / (20 * MBIT)).toBeGreaterThan(
      WHOLE_SHARE * 1.01,
    )
    expect(compressed(pair)[0]).toBeGreaterThan(before + 1000)
    expect(dropped(pair)).toEqual([0, 0])
  })
})
