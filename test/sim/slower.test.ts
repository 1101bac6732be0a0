/** A lone path with random loss that becomes much slower under TCP. */
import { describe, expect, it } from 'vitest'
import type { Congestion } from '../../bench/sim/stream.js'
import { links, run } from './adaptive_fixture.js'

const NARROWED_S = 10
const SETTLED_S = NARROWED_S + 5
const MBIT = 125_000

/** The wait of the oldest packet in the queue in front of the path, 95th percentile, and what comes out. */
async function afterwards(congestion: Congestion, queue: string, seed: number) {
  const waits: number[] = []
  let beganUs: number | undefined
  const { goodput } = await run(
    {
      ...links(`rate=12,delay=60,loss=5,queue=${queue}`),
      happenings: [{ atS: NARROWED_S, link: 'l0', what: 'set rate=2' }],
    },
    {
      congestion,
      seed,
      fromSeconds: SETTLED_S,
      seconds: SETTLED_S + 20,
      watchMs: 50,
      watch: ({ nowUs, client }) => {
        beganUs ??= nowUs
        if (nowUs - beganUs < SETTLED_S * 1_000_000) return
        for (const event of client.node.stats())
          if (event.kind === 'peerStats') waits.push(event.backlogUs)
      },
    },
  )
  waits.sort((a, b) => a - b)
  return { goodput: goodput / MBIT, waitUs: waits[Math.floor(waits.length * 0.95)]! }
}

describe.each(['cubic', 'bbr'] as const)('%s over 12 Mbit/s of which 2 are left', (congestion) => {
  it.each([1, 2, 3, 4])('does not wait for seconds, and fills them, %d', async (seed) => {
    const { goodput, waitUs } = await afterwards(congestion, '200ms', seed)
    expect(waitUs).toBeLessThan(1_200_000)
    expect(goodput).toBeGreaterThan(1.65)
  })

  /** Of three packets, which no delay tells of. */
  it.each([1, 2, 3, 4])('does not overflow a short queue for ever, %d', async (seed) => {
    const { goodput, waitUs } = await afterwards(congestion, '20ms', seed)
    expect(waitUs).toBeLessThan(1_500_000)
    expect(goodput).toBeGreaterThan(1.15)
  })
})
