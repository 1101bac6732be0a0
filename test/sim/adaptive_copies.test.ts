/** Copies of thin packets in the mode adaptive: while the quickest path is in doubt, and never for much. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND, type UplinkOptions } from './tunnel.js'

const MS = 1000
const MBIT = 125_000

const open = (...uplinks: UplinkOptions[]): Promise<Pair> =>
  openPair({ seed: 2, uplinks, policy: { mode: 'adaptive' } })

const link = (delayMs: number, loss: number, mbit = 20) => ({
  rateBytesPerS: mbit * MBIT,
  delayUs: delayMs * MS,
  queueUs: 300 * MS,
  loss,
})

function copied(of: Pair): number {
  const found = of.client.node.stats().find((event) => event.kind === 'peerStats')
  return found?.kind === 'peerStats' ? found.copied : Number.NaN
}

describe('copies', () => {
  it('keep a ping from waiting for what is sent again, where every path loses some', async () => {
    const both = await open({ link: link(20, 0.01) }, { link: link(25, 0.01) })
    const ping = both.ping({ perSecond: 50 })
    both.runFor(10 * SECOND)
    ping.restart()
    both.runFor(50 * SECOND)
    ping.stop()
    both.runFor(SECOND)
    const { sent, answered, duplicated, p99Us } = ping.stats()
    expect(copied(both)).toBeGreaterThan(0.8 * 50 * 50)
    // The slower path's round trip and a millisecond; sent again it takes a round trip more.
    expect(p99Us).toBeLessThanOrEqual(51 * MS)
    expect({ lost: sent - answered, duplicated }).toEqual({ lost: 0, duplicated: 0 })
  })

  /** When the first round trip is timed on a path is chance, and it says what its window would carry. */
  it.each([2000, 2005, 2010, 2020])(
    'take no more than a twentieth of the rate of the second path, known for %d ms',
    async (ms) => {
      const both = await openPair({
        seed: 3,
        warmUpUs: ms * MS,
        uplinks: [{ link: link(20, 0.01) }, { link: link(25, 0.01, 2) }],
        policy: { mode: 'adaptive' },
      })
      const flow = both.flow({ packetsPerSecond: 60, payloadBytes: 400 })
      both.runFor(10 * SECOND)
      const before = copied(both)
      both.runFor(20 * SECOND)
      const octets = ((copied(both) - before) * (400 + 28 + 32)) / 20
      expect(octets).toBeGreaterThan(0)
      expect(octets).toBeLessThanOrEqual(7000)
      expect(flow.stats().duplicated).toBe(0)
    },
  )

  it.each([
    { name: 'links that lose nothing', first: 0, second: {} },
    { name: 'a second link that costs money', first: 0.01, second: { metered: true } },
    { name: 'a second link that waits for its turn', first: 0.01, second: { tier: 1 } },
  ])('there are none on $name', async ({ first, second }) => {
    const both = await open({ link: link(20, first) }, { link: link(25, first), ...second })
    both.ping({ perSecond: 50 })
    both.runFor(30 * SECOND)
    expect(copied(both)).toBe(0)
  })
})
