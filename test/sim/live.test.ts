/** A live stream of datagrams, a frame's worth at a time, while the links of two phones are cut in turn. */
import { describe, expect, it } from 'vitest'
import type { FlowStats } from '../../bench/sim/addon.js'
import { openPair } from './pair_fixture.js'
import { SECOND } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const PAYLOAD_BYTES = 1316
const FRAMES_PER_S = 25

const link = (delayMs: number) => ({
  rateBytesPerS: 6 * MBIT,
  delayUs: delayMs * MS,
  jitterUs: 4 * MS,
  queueUs: 300 * MS,
})

async function stream(mbit: number, cutMs: number, seed = 1): Promise<FlowStats> {
  const uplinks = [{ link: link(35) }, { link: link(45) }]
  const pair = await openPair({ seed, uplinks, policy: { mode: 'adaptive' } })
  const packetsPerSecond = (mbit * MBIT) / PAYLOAD_BYTES
  const flow = pair.flow({
    packetsPerSecond,
    payloadBytes: PAYLOAD_BYTES,
    burst: Math.round(packetsPerSecond / FRAMES_PER_S),
    count: Math.round(packetsPerSecond * 22),
  })
  pair.runFor(2 * SECOND)
  for (const uplink of [0, 1, 0, 1]) {
    pair.cut(uplink)
    pair.runFor(cutMs * MS)
    pair.restore(uplink)
    pair.runFor(5 * SECOND - cutMs * MS)
  }
  pair.runFor(2 * SECOND)
  return flow.stats()
}

describe('live video over two links, each cut in turn', () => {
  it.each([
    // One link carries it.
    [5, 2500, 250],
    // Both are needed: what does not fit through the other one meanwhile waits.
    [8, 500, 350],
    [8, 1000, 550],
  ])('of %d Mbit/s loses nothing by cuts of %d ms', async (mbit, cutMs, mostDelayMs) => {
    const { sent, received, delayMaxUs } = await stream(mbit, cutMs)
    expect(received).toBe(sent)
    expect(delayMaxUs).toBeLessThan(mostDelayMs * MS)
  })

  it.each([2, 3, 4])(
    'is not held up by doubts about the link that is left, seed %i',
    async (seed) => {
      const { sent, received, delayMaxUs } = await stream(8, 1000, seed)
      expect(received).toBe(sent)
      expect(delayMaxUs).toBeLessThan(550 * MS)
    },
  )

  // Starts that may take the link that is left for the one that is cut, or soon believe in that again.
  it.each([3, 14, 17, 26, 37, 43, 48, 58])(
    'finds out which link is left, seed %i',
    async (seed) => {
      const { sent, received, delayMaxUs } = await stream(5, 2500, seed)
      expect(received).toBe(sent)
      expect(delayMaxUs).toBeLessThan(250 * MS)
    },
  )

  it('drops when it would come too late anyway', async () => {
    const { sent, received, delayMaxUs } = await stream(8, 2000)
    expect(sent - received).toBeGreaterThan(0)
    expect(sent - received).toBeLessThan(sent / 100)
    expect(delayMaxUs).toBeLessThan(SECOND)
  })
})

describe('a stream over one link', () => {
  it('is on time again soon after ten seconds without it', async () => {
    const pair = await openPair({
      uplinks: [{ link: { ...link(35), rateBytesPerS: 4 * MBIT } }],
      policy: { mode: 'adaptive' },
    })
    const packetsPerSecond = (3 * MBIT) / PAYLOAD_BYTES
    const flow = pair.flow({ packetsPerSecond, payloadBytes: PAYLOAD_BYTES })
    pair.runFor(3 * SECOND)
    pair.cut(0)
    pair.runFor(10 * SECOND)
    pair.restore(0)
    pair.runFor(12 * SECOND)
    flow.restart()
    pair.runFor(3 * SECOND)
    expect(flow.stats().delayMaxUs).toBeLessThan(100 * MS)
  })

  it('is on time again soon after the way has become much longer, there and back', async () => {
    const near = { rateBytesPerS: 4 * MBIT, delayUs: 5 * MS, queueUs: 200 * MS }
    const pair = await openPair({ uplinks: [{ link: near }], policy: { mode: 'adaptive' } })
    const flow = pair.flow({ packetsPerSecond: 200, payloadBytes: 900 })
    pair.runFor(8 * SECOND)
    pair.links[0]!.set({ ...near, delayUs: 90 * MS })
    pair.runFor(6 * SECOND)
    flow.restart()
    pair.runFor(3 * SECOND)
    expect(flow.stats().delayMaxUs).toBeLessThan(120 * MS)
  })
})
