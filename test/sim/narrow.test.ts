/** A flow that one path carries easily, beside TCP that fills them all. */
import { describe, expect, it } from 'vitest'
import { describeLink } from '../../bench/sim/description.js'
import { scenario } from './adaptive_fixture.js'
import { Pair, SECOND } from './tunnel.js'

const MS = 1000
const FLOW = { packetsPerSecond: 500, payloadBytes: 200 }

const open = (id: string, warmUpUs: number) =>
  Pair.open({
    warmUpUs,
    uplinks: scenario(id).links.map(({ description }) => {
      const { up, down } = describeLink(description)
      return { link: up, backward: down }
    }),
    policy: { mode: 'adaptive' },
  })

describe('a narrow flow beside CUBIC', () => {
  /** A window makes way to look for its floor every 20 s. */
  it.each([2001, 2012, 2023])('does not wait for a window that shrinks, %d ms', async (ms) => {
    const pair = await open('dsl-lte', ms * MS)
    const flow = pair.flow(FLOW)
    pair.stream({ congestion: 'cubic' })
    pair.runFor(5 * SECOND)
    flow.restart()
    pair.runFor(40 * SECOND)
    expect(flow.stats().longestGapUs).toBeLessThanOrEqual(20 * MS)
    pair.close()
  })

  it.each([2000, 2007, 2023, 2037])(
    'stays on the quickest path once that is back, and does not feel another pulled out, %d ms',
    async (ms) => {
      const pair = await open('unplug', ms * MS)
      const flow = pair.flow(FLOW)
      pair.runFor(300 * MS)
      pair.stream({ congestion: 'cubic' })
      pair.runFor(8 * SECOND)
      pair.unplug(0)
      pair.runFor(4 * SECOND)
      pair.plug(0)
      pair.runFor(6 * SECOND)
      flow.restart()
      pair.unplug(1)
      pair.runFor(SECOND)
      expect(flow.stats().longestGapUs).toBeLessThanOrEqual(10 * MS)
      pair.close()
    },
  )
})
