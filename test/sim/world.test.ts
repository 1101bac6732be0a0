import { afterEach, describe, expect, it } from 'vitest'
import { COUNTER, PLAN_KIND } from '../../src/boundary.js'
import { AEAD } from '../../src/wire.js'
import { ipv4, type LinkShape, orderPlan, World } from './world.js'

const MS = 1000
const S = 1_000_000

const worlds: World[] = []
afterEach(() => {
  for (const world of worlds.splice(0)) world.close()
})

/** Two nodes that share keys, joined by one link a shape, with a plan over all of them. */
function pair(seed: number, shapes: LinkShape[], planKind: number = PLAN_KIND.all.value) {
  const world = new World(seed)
  worlds.push(world)
  const [client, server] = [world.node(), world.node()]
  server.openPort(0)
  const links = shapes.map((shape, path) => {
    client.openPort(path)
    return world.link({
      a: { node: client, port: path, address: `10.1.${path}.1`, udpPort: 40_000 + path },
      b: { node: server, port: 0, address: '10.2.0.1', udpPort: 5000 },
      forward: shape,
    })
  })
  const keys = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const
  for (const [node, own, far] of [
    [client, 0, '10.77.0.2'],
    [server, 1, '10.77.0.1'],
  ] as const) {
    node.command({ kind: 'peerAdd', fields: { peer: 0, everything: 0, ipv4: ipv4(far) } })
    node.command({
      kind: 'probing',
      fields: {
        peer: 0,
        intervalUs: 100 * MS,
        keepaliveUs: 20 * S,
        silenceUs: 250 * MS,
        idleAfterUs: 10 * S,
        initiator: own === 0 ? 1 : 0,
      },
    })
    node.command({
      kind: 'keysInstall',
      fields: {
        peer: 0,
        localIndex: 10 + own,
        remoteIndex: 11 - own,
        aead: AEAD['chacha20-poly1305'].value,
        confirmed: 1,
        sendKey: keys[own],
        receiveKey: keys[1 - own] as Uint8Array,
      },
    })
  }
  shapes.forEach((_, path) => {
    client.command({
      kind: 'pathAdd',
      fields: { peer: 0, path, port: path, family: 4, remotePort: 5000, remote: ipv4('10.2.0.1') },
    })
  })
  const plan = orderPlan(
    planKind,
    shapes.map((_, path) => path),
  )
  for (const node of [client, server]) {
    // Paths are let in as soon as they live, as the core would do it.
    node.pilot = {
      handleEvents: (events) => {
        for (const event of events) {
          if (event.kind !== 'pathAlive') continue
          node.command({ kind: 'pathAllow', fields: { peer: 0, path: event.path, allowed: 1 } })
        }
      },
    }
    node.command({ kind: 'planPublish', fields: { peer: 0 }, payload: plan })
  }
  return { world, client, server, links }
}

const upstream = { from: '10.77.0.1', to: '10.77.0.2' } as const

describe('a world', () => {
  it('carries every packet over a good link, in order and with its delay', () => {
    const { world, client, server } = pair(1, [{ delayUs: 20 * MS, rateBytesPerS: 12_500_000 }])
    world.runFor(1 * S)
    const flow = world.flow({
      ...upstream,
      fromNode: client,
      toNode: server,
      payloadBytes: 1000,
      packetsPerSecond: 1000,
      count: 5000,
    })
    world.runFor(6 * S)
    const stats = flow.stats()
    expect(stats).toMatchObject({ sent: 5000, received: 5000, lost: 0, duplicated: 0, damaged: 0 })
    expect(stats.reordered).toBe(0)
    // 20 ms and the time of 1000 + 28 + 32 + 28 octets at 12.5 MB/s.
    expect(stats.delayMinUs).toBe(20 * MS + 88)
    expect(stats.longestGapUs).toBeLessThanOrEqual(2 * MS)
    expect(stats.byPath[0]).toBe(5000)
    expect(server.counter(COUNTER.dropAuth.value)).toBe(0)
  })

  it('keeps what comes while a machine stands still, in order, until it goes on', () => {
    const { world, client, server } = pair(1, [{ delayUs: 20 * MS }])
    world.runFor(1 * S)
    const flow = world.flow({
      ...upstream,
      fromNode: client,
      toNode: server,
      payloadBytes: 1000,
      packetsPerSecond: 1000,
      count: 1000,
    })
    world.runFor(500 * MS)
    server.pauseUntil(world.nowUs + 80 * MS)
    world.runFor(1 * S)
    expect(flow.stats()).toMatchObject({
      received: 1000,
      lost: 0,
      reordered: 0,
      delayMinUs: 20 * MS,
    })
    expect(flow.stats().longestGapUs).toBeGreaterThanOrEqual(80 * MS)
    expect(flow.stats().longestGapUs).toBeLessThan(82 * MS)
  })

  it('is the same to the last bit for the same seed, and another for another', () => {
    const digest = (seed: number) => {
      const { world, client, server } = pair(seed, [
        { delayUs: 20 * MS, jitterUs: 5 * MS, loss: 0.02 },
        { delayUs: 45 * MS, jitterUs: 2 * MS, loss: 0.01, rateBytesPerS: 1_000_000 },
      ])
      world.flow({
        ...upstream,
        fromNode: client,
        toNode: server,
        payloadBytes: 300,
        packetsPerSecond: 2000,
      })
      world.runFor(5 * S)
      return world.digest
    }
    expect(digest(7)).toBe(digest(7))
    expect(digest(7)).not.toBe(digest(8))
  })

  it('delivers the first copy of what is sent on two paths, though one is cut', () => {
    const { world, client, server, links } = pair(3, [{ delayUs: 10 * MS }, { delayUs: 30 * MS }])
    world.runFor(1 * S)
    const flow = world.flow({
      ...upstream,
      fromNode: client,
      toNode: server,
      payloadBytes: 200,
      packetsPerSecond: 500,
    })
    world.runFor(2 * S)
    expect(flow.restart().lost).toBeLessThanOrEqual(5)
    links[0]?.cut()
    world.runFor(2 * S)
    flow.stop()
    world.runFor(1 * S)
    const stats = flow.stats()
    expect(stats.lost).toBe(0)
    expect(stats.damaged).toBe(0)
    expect(stats.duplicated).toBe(0)
    expect(stats.byPath[1]).toBeGreaterThan(900)
    expect(links[0]?.counters('forward').refused).toBeGreaterThan(0)
    expect(server.counter(COUNTER.dropDuplicate.value)).toBeGreaterThan(500)
  })

  it('lets a NAT forget, and the far side follow', () => {
    const { world, client, server, links } = pair(4, [{ delayUs: 5 * MS }])
    world.runFor(1 * S)
    const flow = world.flow({
      fromNode: server,
      toNode: client,
      from: '10.77.0.2',
      to: '10.77.0.1',
      payloadBytes: 100,
      packetsPerSecond: 100,
    })
    world.runFor(1 * S)
    const before = flow.stats().received
    links[0]?.rebind('192.0.2.9', 61_000)
    world.runFor(1 * S)
    expect(flow.stats().received).toBeGreaterThan(before + 50)
  })

  it('captures datagrams, and a copy of one is a replay', () => {
    const { world, client, server, links } = pair(5, [{ delayUs: 5 * MS }])
    world.runFor(1 * S)
    links[0]?.capture('forward', 10)
    world.flow({
      ...upstream,
      fromNode: client,
      toNode: server,
      payloadBytes: 100,
      packetsPerSecond: 1000,
      count: 10,
    })
    world.runFor(1 * S)
    const captured = links[0]?.captured('forward') ?? []
    expect(captured).toHaveLength(10)
    const copy = captured[3]?.bytes ?? new Uint8Array()
    const replays = server.counter(COUNTER.dropReplay.value)
    server.inject(0, { address: '10.9.9.9', udpPort: 9 }, copy)
    expect(server.counter(COUNTER.dropReplay.value)).toBe(replays + 1)
    const unknown = server.counter(COUNTER.dropIndex.value)
    server.inject(0, { address: '10.9.9.9', udpPort: 9 }, copy.with(2, 99))
    expect(server.counter(COUNTER.dropIndex.value)).toBe(unknown + 1)
    server.inject(0, { address: '10.9.9.9', udpPort: 9 }, copy.subarray(0, 20))
    expect(server.counter(COUNTER.dropShort.value)).toBe(1)
  })

  it('makes a port fail as a kernel would', () => {
    const { world, client } = pair(6, [{ delayUs: 5 * MS }, { delayUs: 5 * MS }])
    world.runFor(1 * S)
    const lost: number[] = []
    const allow = client.pilot
    client.pilot = {
      handleEvents: (events, nowUs) => {
        allow?.handleEvents(events, nowUs)
        for (const event of events) if (event.kind === 'pathLost') lost.push(event.path)
      },
    }
    client.failPort(1, 100)
    world.runFor(1 * S)
    expect(new Set(lost)).toEqual(new Set([1]))
  })

  it('refuses commands that make no sense, whatever they name', () => {
    const { client } = pair(8, [{}])
    const refused = 'command: Bad message'
    const open = { port: 32, family: 4, fd: 0 }
    expect(() => client.command({ kind: 'portOpen', fields: open })).toThrow(refused)
    expect(() => client.command({ kind: 'portClose', fields: { port: 200 } })).toThrow(refused)
    expect(() => client.command({ kind: 'peerRemove', fields: { peer: 1024 } })).toThrow(refused)
    expect(() => client.command({ kind: 'pathAdd', fields: { path: 16 } })).toThrow(refused)
  })

  it('closes for good', () => {
    const { world, client } = pair(9, [{}])
    world.close()
    expect(() => world.nowUs).toThrow('the world is closed')
    expect(() => client.readEvents()).toThrow('the world is closed')
  })
})
