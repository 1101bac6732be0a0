/** An hour of two links with losses, cuts, rekeys and NAT rebinding, twice: bit for bit the same. */
import { describe, expect, it } from 'vitest'
import { Pair, SECOND } from './tunnel.js'

const MS = 1000

async function anHour(seed: number) {
  const pair = await Pair.open({
    seed,
    uplinks: [
      { link: { rateBytesPerS: 2_500_000, delayUs: 10 * MS, queueUs: 100 * MS, loss: 0.001 } },
      {
        link: {
          rateBytesPerS: 1_500_000,
          delayUs: 40 * MS,
          jitterUs: 5 * MS,
          queueUs: 300 * MS,
          loss: 0.005,
          lossBurst: 3,
        },
      },
    ],
  })
  const up = pair.flow({ packetsPerSecond: 100, payloadBytes: 1000 })
  const down = pair.flow({ packetsPerSecond: 100, payloadBytes: 200, towards: 'client' })
  for (let minute = 0; minute < 60; minute++) {
    const uplink = minute % 2
    pair.runFor(20 * SECOND)
    pair.cut(uplink)
    pair.runFor(5 * SECOND)
    pair.restore(uplink)
    pair.runFor(15 * SECOND)
    if (minute % 10 === 9) pair.links[uplink]?.rebind(`203.0.113.${100 + minute}`, 30_000 + minute)
    pair.runFor(20 * SECOND)
  }
  up.stop()
  down.stop()
  pair.runFor(SECOND)
  const result = {
    up: up.stats(),
    down: down.stats(),
    paths: pair.up(),
    rekeys: pair.client.factsOf('session-rekeyed').length,
    sessions: pair.client.factsOf('session-up').length,
    losses: pair.client.factsOf('path-state').filter(({ to }) => to === 'down').length,
    moved: pair.server.factsOf('path-moved').length,
    digest: pair.world.digest,
  }
  pair.close()
  return result
}

describe('an hour', () => {
  it('is survived, in seconds', async () => {
    const { up, down, paths, rekeys, sessions, losses, moved } = await anHour(7)
    expect(paths).toEqual({ client: [0, 1], server: [0, 1] })
    expect({ rekeys, sessions }).toEqual({ rekeys: 30, sessions: 1 })
    expect(losses).toBeGreaterThanOrEqual(60)
    expect(moved).toBeGreaterThanOrEqual(6)
    for (const flow of [up, down]) {
      // Sixty cuts of 300 ms each until it is noticed, with half of 100 packets/s on the cut link.
      expect(flow.sent - flow.received).toBeLessThan(60 * 20 + 0.006 * flow.sent)
      expect(flow.duplicated).toBe(0)
      expect(flow.damaged).toBe(0)
    }
  })

  it('is the same again with the same seed, and another with another', async () => {
    const first = await anHour(11)
    expect(await anHour(11)).toEqual(first)
    expect((await anHour(12)).digest).not.toBe(first.digest)
  })
})
