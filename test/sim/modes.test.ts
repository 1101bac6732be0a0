/** What each mode promises, both ends real, over modelled links. */
import { describe, expect, it } from 'vitest'
import { COUNTER } from '../../src/boundary.js'
import type { Policy } from '../../src/core/policy.js'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND } from './tunnel.js'

const MS = 1000
/** 20 Mbit/s, 10 ms. */
const TWENTY = { rateBytesPerS: 2_500_000, delayUs: 10 * MS, queueUs: 100 * MS }

function setPolicy(target: Pair, policy: Partial<Policy>, primary?: string): void {
  target.tell((client, nowUs) => {
    const { primary: _primary, paths: _paths, ...before } = client.policy
    client.setPolicy(nowUs, { ...before, ...policy }, primary)
  })
}

describe('balance-rr', () => {
  it.each([
    [1, 1],
    [3, 1],
    [5, 2],
  ])('splits by weight %i:%i within 2 percent and loses nothing', async (first, second) => {
    const two = await openPair({
      uplinks: [
        { link: { delayUs: 10 * MS }, weight: first },
        { link: { delayUs: 10 * MS }, weight: second },
      ],
    })
    for (const towards of ['server', 'client'] as const) {
      const flow = two.flow({ packetsPerSecond: 3000, payloadBytes: 1200, towards, count: 15_000 })
      two.runFor(6 * SECOND)
      const { sent, received, reordered, byPath } = flow.stats()
      expect({ received, reordered }).toEqual({ received: sent, reordered: 0 })
      const share = byPath[0]! / received
      expect(Math.abs(share - first / (first + second))).toBeLessThan(0.02)
    }
  })

  it('carries 30 Mbit/s over two links of 20', async () => {
    const two = await openPair({ uplinks: [{ link: TWENTY }, { link: TWENTY }] })
    const flow = two.flow({ packetsPerSecond: 3000, payloadBytes: 1222, count: 30_000 })
    two.runFor(12 * SECOND)
    const { sent, received, reordered } = flow.stats()
    expect(received).toBe(sent)
    expect(reordered).toBe(0)
  })
})

describe('order', () => {
  it('is kept over unequal delays while nothing is lost', async () => {
    const two = await openPair({
      uplinks: [{ link: TWENTY }, { link: { ...TWENTY, delayUs: 40 * MS } }],
    })
    const flow = two.flow({ packetsPerSecond: 3000, payloadBytes: 1000, count: 30_000 })
    two.runFor(12 * SECOND)
    const { sent, received, reordered, delayMaxUs } = flow.stats()
    expect({ received, reordered }).toEqual({ received: sent, reordered: 0 })
    expect(delayMaxUs).toBeLessThan(60 * MS)
  })

  it('is nearly kept with losses and jitter, and a loss holds others no longer than the slowest path takes', async () => {
    const link = { ...TWENTY, delayUs: 20 * MS, jitterUs: 3 * MS, loss: 0.01 }
    const two = await openPair({
      uplinks: [{ link }, { link: { ...link, delayUs: 50 * MS } }],
    })
    const flow = two.flow({ packetsPerSecond: 1000, payloadBytes: 1000, count: 20_000 })
    two.runFor(25 * SECOND)
    const { sent, received, reordered, delayP99Us } = flow.stats()
    expect(received / sent).toBeGreaterThan(0.985)
    // A deadline is a guess about jitter: one packet in thousands comes after it.
    expect(reordered).toBeLessThan(received / 1000)
    expect(delayP99Us).toBeLessThan(80 * MS)
  })
})

describe('balance-xor', () => {
  async function flowsByPath(target: Pair, count: number) {
    const flows = Array.from({ length: count }, (_, i) =>
      target.flow({ packetsPerSecond: 20, payloadBytes: 200, fromPort: 20_000 + 7 * i, count: 40 }),
    )
    target.runFor(3 * SECOND)
    return flows.map((flow) => {
      const { sent, received, reordered, byPath } = flow.stats()
      expect({ received, reordered }).toEqual({ received: sent, reordered: 0 })
      const paths = byPath.flatMap((packets, path) => (packets > 0 ? [path] : []))
      expect(paths).toHaveLength(1)
      return paths[0]!
    })
  }

  it('keeps each of 200 flows on one path, by weight, and moves only those of a lost path', async () => {
    const three = await openPair({
      // Two hundred hashed flows miss their shares by 3 % (one sigma): the seed fixes which.
      seed: 2,
      uplinks: [
        { link: { delayUs: 10 * MS }, weight: 2 },
        { link: { delayUs: 20 * MS } },
        { link: { delayUs: 30 * MS } },
      ],
      policy: { mode: 'balance-xor' },
    })
    const before = await flowsByPath(three, 200)
    for (const [path, weight] of [2, 1, 1].entries()) {
      const share = before.filter((each) => each === path).length / before.length
      expect(Math.abs(share - weight / 4)).toBeLessThan(0.1)
    }
    three.cut(1)
    three.runFor(SECOND)
    const after = await flowsByPath(three, 200)
    for (const [i, path] of before.entries()) {
      if (path === 1) expect(after[i]).not.toBe(1)
      else expect(after[i]).toBe(path)
    }
    three.restore(1)
    three.runFor(30 * SECOND)
    expect(await flowsByPath(three, 200)).toEqual(before)
  })

  it('layer3 keeps all flows between two addresses together', async () => {
    const two = await openPair({
      uplinks: [{ link: {} }, { link: {} }],
      policy: { mode: 'balance-xor', hash: 'layer3' },
    })
    expect(new Set(await flowsByPath(two, 50)).size).toBe(1)
  })
})

describe('broadcast', () => {
  it('loses 4 % where both links lose 20 %, and delivers no copy', async () => {
    const link = { delayUs: 10 * MS, loss: 0.2 }
    const two = await openPair({
      uplinks: [{ link }, { link: { ...link, delayUs: 25 * MS } }],
      // Three probes in a row are lost every now and then: whoever falls silent is not waited for.
      policy: { mode: 'broadcast', downdelayUs: SECOND },
    })
    const flow = two.flow({ packetsPerSecond: 500, payloadBytes: 500, count: 20_000 })
    two.runFor(45 * SECOND)
    const { sent, received, duplicated, reordered } = flow.stats()
    expect(sent).toBe(20_000)
    expect(1 - received / sent).toBeLessThan(0.045)
    expect(1 - received / sent).toBeGreaterThan(0.035)
    expect(duplicated).toBe(0)
    expect(reordered).toBe(0)
    expect(two.server.node.counter(COUNTER.dropDuplicate.value)).toBeGreaterThan(10_000)
  })

  it('loses nothing when either link is cut', async () => {
    const two = await openPair({
      uplinks: [{ link: { delayUs: 10 * MS } }, { link: { delayUs: 30 * MS } }],
      policy: { mode: 'broadcast' },
    })
    const flow = two.flow({ packetsPerSecond: 500, payloadBytes: 500, count: 5000 })
    for (const uplink of [0, 1]) {
      two.runFor(2 * SECOND)
      two.cut(uplink)
      two.runFor(SECOND)
      two.restore(uplink)
      two.runFor(2 * SECOND)
    }
    two.runFor(2 * SECOND)
    const { sent, received, duplicated, reordered } = flow.stats()
    expect({ received, duplicated, reordered }).toEqual({
      received: sent,
      duplicated: 0,
      reordered: 0,
    })
  })
})

describe('active-backup', () => {
  const uplinks = [{ link: { delayUs: 20 * MS } }, { link: { delayUs: 20 * MS } }]

  /** The path that carries data now. */
  function carrier(target: Pair): number {
    const flow = target.flow({ packetsPerSecond: 100, count: 20 })
    target.runFor(SECOND)
    const { byPath } = flow.stats()
    return byPath.findIndex((packets) => packets > 10)
  }

  it('loses at most three probe intervals to a silent cut', async () => {
    const two = await openPair({ uplinks, policy: { mode: 'active-backup' }, primary: 0 })
    for (const towards of ['server', 'client'] as const) {
      const flow = two.flow({ packetsPerSecond: 100, towards, count: 300 })
      two.runFor(SECOND)
      two.cut(0)
      two.runFor(5 * SECOND)
      const { sent, received, reordered } = flow.stats()
      // What was under way when the link was cut is lost with it: 20 ms are two packets.
      expect(sent - received).toBeLessThanOrEqual(30 + 2)
      expect(reordered).toBe(0)
      two.restore(0)
      two.runFor(30 * SECOND)
    }
  })

  it.each([
    ['always', 0],
    ['better', 1],
    ['failure', 1],
  ] as const)('reselects the primary: %s', async (reselect, afterRestore) => {
    const two = await openPair({
      uplinks: [uplinks[0]!, { ...uplinks[1]!, weight: 2 }],
      policy: { mode: 'active-backup', reselect },
      primary: 0,
    })
    expect(carrier(two)).toBe(0)
    two.cut(0)
    two.runFor(SECOND)
    expect(carrier(two)).toBe(1)
    two.restore(0)
    two.runFor(5 * SECOND)
    expect(carrier(two)).toBe(afterRestore)
    two.cut(1)
    two.runFor(SECOND)
    expect(carrier(two)).toBe(0)
  })

  it('better takes a primary of greater weight back', async () => {
    const two = await openPair({
      uplinks: [{ ...uplinks[0]!, weight: 3 }, uplinks[1]!],
      policy: { mode: 'active-backup', reselect: 'better' },
      primary: 0,
    })
    two.cut(0)
    two.runFor(SECOND)
    two.restore(0)
    two.runFor(5 * SECOND)
    expect(carrier(two)).toBe(0)
  })

  it('does not flap with a primary that flaps', async () => {
    const two = await openPair({ uplinks, policy: { mode: 'active-backup' }, primary: 0 })
    const flow = two.flow({ packetsPerSecond: 100, count: 6000 })
    for (let i = 0; i < 30; i++) {
      two.cut(0)
      two.runFor(SECOND)
      two.restore(0)
      two.runFor(SECOND)
    }
    const changes = two.client.factsOf('active-path').length
    expect(changes).toBeLessThan(12) // thirty cuts: sixty without hold-down
    const { sent, received } = flow.stats()
    expect(received / sent).toBeGreaterThan(0.94)
  })
})

describe('changes while it runs', () => {
  it('of mode, weight and uplinks lose nothing', async () => {
    const three = await openPair({
      uplinks: [0, 1, 2].map((i) => ({ link: { delayUs: (10 + 15 * i) * MS } })),
    })
    const flow = three.flow({ packetsPerSecond: 1000, count: 20_000 })
    const step = (action: () => void) => {
      three.runFor(SECOND)
      action()
    }
    step(() => setPolicy(three, { mode: 'balance-xor' }))
    step(() => setPolicy(three, { mode: 'active-backup' }, 'uplink1'))
    step(() => setPolicy(three, { mode: 'broadcast' }))
    step(() => setPolicy(three, { mode: 'balance-rr' }))
    step(() => three.tell((client, nowUs) => client.setUplink(nowUs, 'uplink0', { weight: 5 })))
    step(() =>
      three.tell((client, nowUs) => client.setUplink(nowUs, 'uplink1', { intent: 'down' })),
    )
    step(() => three.tell((client, nowUs) => client.setUplink(nowUs, 'uplink1', { intent: 'up' })))
    step(() =>
      three.tell((client, nowUs) => client.setUplink(nowUs, 'uplink2', { intent: 'standby' })),
    )
    step(() => three.tell((client, nowUs) => client.removeUplink(nowUs, 'uplink2')))
    three.runFor(15 * SECOND)
    const { sent, received, duplicated } = flow.stats()
    expect({ received, duplicated }).toEqual({ received: sent, duplicated: 0 })
    expect(three.up()).toEqual({ client: [0, 1], server: [0, 1] })
  })

  it('the server follows the mode of the client', async () => {
    const two = await openPair({ uplinks: [{ link: {} }, { link: {} }] })
    setPolicy(two, { mode: 'active-backup' }, 'uplink1')
    two.runFor(SECOND)
    const flow = two.flow({ packetsPerSecond: 100, towards: 'client', count: 100 })
    two.runFor(2 * SECOND)
    expect(flow.stats().byPath.slice(0, 2)).toEqual([0, 100])
  })

  it('a tier is used when the one before it is gone, and standby when nothing else is left', async () => {
    const three = await openPair({
      uplinks: [{ link: {} }, { link: {}, tier: 1 }, { link: {}, intent: 'standby' }],
    })
    const share = () => {
      const flow = three.flow({ packetsPerSecond: 100, count: 50 })
      three.runFor(SECOND)
      return flow.stats().byPath.slice(0, 3)
    }
    expect(share()).toEqual([50, 0, 0])
    three.cut(0)
    three.runFor(SECOND)
    expect(share()).toEqual([0, 50, 0])
    three.cut(1)
    three.runFor(SECOND)
    expect(share()).toEqual([0, 0, 50])
  })
})
