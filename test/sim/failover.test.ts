/** Cuts, silence, restarts and moves, seen from both ends. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND } from './tunnel.js'

const MS = 1000
const TWO = [{ link: { delayUs: 10 * MS } }, { link: { delayUs: 30 * MS } }]

/** Lets time pass in milliseconds until it holds; how many that took. */
function until(target: Pair, holds: () => boolean, mostMs = 10_000): number {
  for (let ms = 0; ms < mostMs; ms++) {
    if (holds()) return ms
    target.runFor(MS)
  }
  throw new Error(`did not happen within ${mostMs} ms`)
}

describe('a silent cut', () => {
  it.each([0, 1])(
    'of uplink %i in use is noticed at both ends within 3 probe intervals',
    async (uplink) => {
      const two = await openPair({ uplinks: TWO })
      two.flow({ packetsPerSecond: 50 })
      two.runFor(SECOND)
      two.cut(uplink)
      const others = [0, 1].filter((path) => path !== uplink)
      const ms = until(two, () => {
        const { client, server } = two.up()
        return `${client}` === `${others}` && `${server}` === `${others}`
      })
      expect(ms).toBeLessThanOrEqual(300)
    },
  )

  it('of one direction is noticed at both ends', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 50 })
    two.runFor(SECOND)
    two.links[1]?.cut('forward')
    until(two, () => `${two.up().client}|${two.up().server}` === '0|0', 400)
    const lost = two.client.factsOf('path-state').find(({ to }) => to === 'down')
    expect(lost?.why).toBe('the other side does not hear us')
  })

  it('while idle is noticed with the first data, and costs three probe intervals', async () => {
    const two = await openPair({ uplinks: TWO, policy: { mode: 'active-backup' }, primary: 0 })
    two.runFor(15 * SECOND)
    two.cut(0)
    const flow = two.flow({ packetsPerSecond: 100, count: 200 })
    two.runFor(5 * SECOND)
    const { sent, received } = flow.stats()
    expect(sent - received).toBeLessThanOrEqual(35)
  })

  it('costs no more while JavaScript sleeps: C has its reserves', async () => {
    const three = await openPair({
      uplinks: [...TWO, { link: { delayUs: 20 * MS }, intent: 'standby' }],
      policy: { mode: 'active-backup' },
      primary: 0,
    })
    const flow = three.flow({ packetsPerSecond: 100, count: 300 })
    three.runFor(SECOND)
    for (const { node } of [three.client, three.server]) node.pilot = undefined
    three.cut(0)
    three.runFor(SECOND)
    three.cut(1)
    three.runFor(3 * SECOND)
    const { sent, received, byPath } = flow.stats()
    expect(sent - received).toBeLessThanOrEqual(2 * 33)
    expect(byPath[1]).toBeGreaterThan(60)
    expect(byPath[2]).toBeGreaterThan(60)
  })

  it('of everything is survived: the session goes on where it was', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 50 })
    two.runFor(SECOND)
    two.cut(0)
    two.cut(1)
    two.runFor(20 * SECOND)
    expect(two.up().client).toEqual([])
    two.restore(1)
    const ms = until(two, () => two.up().client.includes(1), 4000)
    expect(ms).toBeLessThan(4000)
    expect(two.client.factsOf('session-up')).toHaveLength(1)
  })
})

describe('a restored path', () => {
  it('is used again after updelay, within a second', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 50 })
    two.runFor(20 * SECOND)
    two.cut(1)
    two.runFor(5 * SECOND)
    two.restore(1)
    const ms = until(two, () => two.up().client.length === 2 && two.up().server.length === 2)
    expect(ms).toBeGreaterThanOrEqual(200)
    expect(ms).toBeLessThan(1000)
  })
})

describe('a device', () => {
  it('that goes away is out at once and loses nothing in balance-rr', async () => {
    const two = await openPair({ uplinks: TWO })
    const flow = two.flow({ packetsPerSecond: 200, count: 1000 })
    two.runFor(SECOND)
    two.client.node.failPort(1, 19)
    two.tell((client, nowUs) => client.handleSocketGone(nowUs, 'uplink1', 4, 'the device is gone'))
    two.runFor(0)
    expect(two.up().client).toEqual([0])
    two.runFor(10 * SECOND)
    const { sent, received } = flow.stats()
    expect(sent - received).toBeLessThanOrEqual(1)
    const path = two.client.core.snapshot().peers[0]?.paths.find(({ label }) => label === 'uplink1')
    expect(path?.why).toBe('the device is gone')
  })

  it('that comes back, on another socket, is taken up again', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 200 })
    two.runFor(SECOND)
    two.tell((client, nowUs) => client.handleSocketGone(nowUs, 'uplink1', 4, 'the device is gone'))
    two.runFor(3 * SECOND)
    two.tell((client, nowUs) => client.handleSocket(nowUs, 'uplink1', 4, 0))
    until(two, () => two.up().client.length === 2 && two.up().server.length === 2, 2000)
  })

  it('that comes back first of two gets a socket of its own, and no path of the other', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 200 })
    two.runFor(SECOND)
    for (const uplink of ['uplink0', 'uplink1']) {
      two.tell((client, nowUs) => client.handleSocketGone(nowUs, uplink, 4, 'the device is gone'))
    }
    two.runFor(SECOND)
    // Its socket has the number of the first one's now, and so in the simulation that one's link.
    two.tell((client, nowUs) => client.handleSocket(nowUs, 'uplink1', 4, 0))
    until(two, () => two.up().client.includes(1) && two.up().server.includes(1), 2000)
    two.runFor(2 * SECOND)
    expect(two.up()).toEqual({ client: [1], server: [1] })
  })
})

describe('NAT', () => {
  it('may give another mapping in mid-flow: nothing towards the server is lost', async () => {
    const two = await openPair({ uplinks: TWO })
    const up = two.flow({ packetsPerSecond: 200, count: 600 })
    const down = two.flow({ packetsPerSecond: 200, count: 600, towards: 'client' })
    two.runFor(SECOND)
    two.links[0]?.rebind('203.0.113.77', 12_345)
    two.links[1]?.rebind('203.0.113.78', 12_346)
    two.runFor(4 * SECOND)
    expect(up.stats().received).toBe(up.stats().sent)
    // Towards the client until the server has heard a datagram from the new place.
    expect(down.stats().sent - down.stats().received).toBeLessThanOrEqual(20)
    expect(two.server.factsOf('path-moved').length).toBeGreaterThanOrEqual(2)
  })
})

describe('a restarted server', () => {
  it('is found again within 3 s of silence, without a human', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 100, count: 2000 })
    two.runFor(SECOND)
    two.restartServer()
    const ms = until(two, () => two.client.factsOf('session-up').length === 2)
    expect(ms).toBeLessThan(3000)
    const flow = two.flow({ packetsPerSecond: 100, count: 100, fromPort: 41_000 })
    two.runFor(3 * SECOND)
    expect(flow.stats().received).toBe(100)
    expect(two.up()).toEqual({ client: [0, 1], server: [0, 1] })
  })

  it('that said goodbye and stays away for a minute is found within 3 s of its return', async () => {
    const two = await openPair({ uplinks: TWO })
    two.flow({ packetsPerSecond: 10 })
    two.runFor(SECOND)
    two.server.core.close()
    two.server.flush()
    two.runFor(100 * MS)
    expect(two.client.factsOf('session-down')).toHaveLength(1)
    two.cut(0)
    two.cut(1)
    two.runFor(60 * SECOND)
    two.restartServer()
    two.restore(0)
    two.restore(1)
    const ms = until(two, () => two.client.factsOf('session-up').length === 2)
    expect(ms).toBeLessThan(3000)
  })
})
