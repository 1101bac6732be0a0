/** Packets of a session's first moments, when a path far away has not been measured yet. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { SECOND } from './tunnel.js'

const MS = 1000
const MBIT = 125_000

describe.each(['server', 'client'] as const)('the first packets to the %s', (towards) => {
  it.each([
    ['the near path is the first', [10, 200]],
    ['the near path is the second', [200, 10]],
  ])('take the path that is known to be near: %s', async (_, delaysMs) => {
    const pair = await openPair({
      uplinks: delaysMs.map((delayMs) => ({
        link: { rateBytesPerS: 20 * MBIT, delayUs: delayMs * MS, queueUs: SECOND },
      })),
      policy: { mode: 'adaptive' },
      warmUpUs: 0,
    })
    const ping = pair.ping({ perSecond: 50, towards })
    pair.runFor(SECOND)
    const { answered, maxUs } = ping.stats()
    expect(answered).toBeGreaterThan(25)
    expect(maxUs).toBeLessThan(60 * MS)
  })
})
