/** Client and server together: sessions, from the first handshake to the last word. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.js'
import type { Server } from '../../src/core/server.js'
import { MESSAGE, TIMER } from '../../src/wire.js'
import type { Datagram } from './carrier_fixture.js'
import { MS, policyOf, SECOND } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { MemoryRegistry, SERVER_V4, type Station, World } from './world_fixture.js'

let world: World
let registry: MemoryRegistry
let server: Station<Server>
let van: Station<Client>

beforeEach(() => {
  world = new World()
  registry = new MemoryRegistry()
  registry.addPeer('van', keyPair('van').publicKey)
  server = world.server(registry)
  van = world.roadWarrior('van', 2)
})

const isHandshake = (datagram: Datagram, type: number): boolean =>
  datagram instanceof Uint8Array && datagram[0] === type
const kinds = (station: Station) =>
  station.facts.map(({ kind }) => kind).filter((kind) => kind !== 'stats')
/** From 10 s of idleness on: nobody sends any data in these tests. */
const untilIdle = () => world.runFor(TIMER.idleAfterUs.value + SECOND)

describe('a session', () => {
  it('is up with all its paths within a few round trips', () => {
    world.runFor(200 * MS)
    expect(van.up()).toEqual([0, 1])
    expect(server.up()).toEqual([0, 1])
    expect(van.carrier.carrying(0)).toEqual([0, 1])
    expect(server.carrier.carrying(0)).toEqual([0, 1])
    expect(van.factsOf('session-up')).toEqual([
      { kind: 'session-up', peer: 'server', aead: 'aes-256-gcm' },
    ])
    expect(server.factsOf('session-up')).toMatchObject([{ peer: 'van' }])
  })

  it('gives the client its inner addresses, and the server routes to them', () => {
    world.runFor(200 * MS)
    const { ipv4, ipv6 } = registry.findPeer(keyPair('van').publicKey)!
    expect(van.factsOf('addresses')).toEqual([
      {
        kind: 'addresses',
        own: { ipv4, ipv4Prefix: 24, ipv6, ipv6Prefix: 64 },
        server: { ...registry.server, ipv4Prefix: 32, ipv6Prefix: 128 },
      },
    ])
    expect(server.carrier.peers.get(0)).toMatchObject({
      everything: false,
      ipv4: Buffer.from(ipv4).toString('hex'),
      ipv6: Buffer.from(ipv6).toString('hex'),
    })
    expect(van.carrier.peers.get(0)).toMatchObject({ everything: true, ipv4: '' })
  })

  it('needs one uplink only that works in both directions', () => {
    world.pass = (datagram, from) =>
      !isHandshake(datagram, MESSAGE.response.value) || from !== SERVER_V4 || lucky()
    let answers = 0
    const lucky = () => ++answers % 2 === 0
    world.runFor(200 * MS)
    expect(van.up()).toEqual([0, 1])
    expect(server.factsOf('session-up')).toHaveLength(1)
    // Both copies of one initiation got the same answer, and one of them was enough.
    expect(answers).toBe(2)
  })

  it('comes about although every first message is lost', () => {
    const seen = new Set<string>()
    world.pass = (datagram, from, to) => {
      if (!(datagram instanceof Uint8Array)) return true
      const key = `${from} ${to} ${datagram[0]}`
      return seen.has(key) || seen.add(key) === undefined
    }
    world.runFor(2 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(server.core.snapshot().peers).toHaveLength(1)
  })

  it('lives on a rekey every 120 s: paths stay up, nothing begins anew', () => {
    world.runFor(SECOND)
    van.facts.length = 0
    server.facts.length = 0
    const before = van.carrier.peers.get(0)!.sending
    world.runFor(15 * 60 * SECOND)
    expect(kinds(van)).toEqual(new Array(7).fill('session-rekeyed'))
    expect(kinds(server)).toEqual(new Array(7).fill('session-rekeyed'))
    expect(van.up()).toEqual([0, 1])
    expect(van.carrier.peers.get(0)!.sending).not.toEqual(before)
    expect(van.carrier.peers.get(0)!.epochs.length).toBeLessThanOrEqual(2)
    expect(server.carrier.strangers + van.carrier.strangers).toBe(0)
  })

  it('is told with its next keys what never arrived, though its paths went on', () => {
    world.runFor(SECOND)
    world.pass = (datagram) => datagram instanceof Uint8Array || datagram.type !== 'control'
    van.core.setUplink(world.nowUs, 'wan1', { weight: 9 })
    world.runFor(3 * SECOND)
    world.pass = () => true
    world.runFor(TIMER.rekeyAfterUs.value)
    expect(van.factsOf('path-state').filter(({ to }) => to === 'down')).toEqual([])
    expect(server.core.snapshot().peers[0]!.policy.paths[1]).toMatchObject({ weight: 9 })
  })

  it('is rekeyed although answers are lost at first', () => {
    world.runFor(SECOND)
    let lost = 0
    world.pass = (datagram) => !isHandshake(datagram, MESSAGE.response.value) || ++lost > 10
    world.runFor(140 * SECOND)
    expect(lost).toBeGreaterThan(10)
    expect(van.factsOf('session-rekeyed')).toHaveLength(1)
    expect(server.factsOf('session-rekeyed')).toHaveLength(1)
    expect(van.factsOf('path-state').filter(({ to }) => to === 'down')).toEqual([])
  })
})

describe('when the client starts again', () => {
  it.each([
    ['shortly', 100 * MS],
    ['after a while', 100 * SECOND],
  ])('%s after the end without a word, everything begins anew', (_, downUs) => {
    world.runFor(SECOND)
    const { paths } = server.carrier.peers.get(0)!
    expect(paths.size).toBe(2)
    world.kill(van)
    world.runFor(downUs)
    van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    expect(van.up()).toEqual([0])
    expect(server.factsOf('session-up')).toHaveLength(2)
    expect(server.core.snapshot().peers).toHaveLength(1)
    // Its policy, whose number is one that the server has seen before, is taken: the second path is gone.
    expect(server.core.snapshot().peers[0]!.paths.map(({ path }) => path)).toEqual([0])
  })

  it('the order of its control messages begins anew too', () => {
    world.runFor(SECOND)
    for (let i = 0; i < 20; i++) van.core.setUplink(world.nowUs, 'wan0', { weight: 2 + i })
    world.runFor(SECOND)
    expect(server.core.snapshot().peers[0]!.paths[0]).toMatchObject({ weight: 21 })
    world.kill(van)
    van = world.roadWarrior('van', 2)
    van.core.setUplink(world.nowUs, 'wan0', { weight: 77 })
    world.runFor(SECOND)
    expect(server.core.snapshot().peers[0]!.paths[0]).toMatchObject({ weight: 77 })
  })
})

describe('when the server starts again', () => {
  it('without a word, the client notices the silence and begins anew', () => {
    world.runFor(SECOND)
    world.kill(server)
    world.runFor(5 * SECOND)
    expect(van.up()).toEqual([])
    expect(van.factsOf('handshake-started')).toHaveLength(2)
    server = world.server(registry)
    world.runFor(3 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(van.factsOf('session-up')).toHaveLength(2)
    expect(van.factsOf('handshake-started')).toHaveLength(2)
  })

  it('while the client is idle, it notices at its next keepalive', () => {
    world.runFor(SECOND)
    untilIdle()
    world.kill(server)
    server = world.server(registry)
    world.runFor(30 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(server.up()).toEqual([0, 1])
  })

  it('between its answer and the first datagram, the client asks again', () => {
    world.pass = (datagram) => datagram instanceof Uint8Array
    world.runFor(SECOND)
    expect(van.factsOf('session-up')).toHaveLength(1)
    world.kill(server)
    world.pass = () => true
    server = world.server(registry)
    world.runFor(10 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(server.up()).toEqual([0, 1])
  })

  it('with a last word, the client asks at once and is in as soon as the server is back', () => {
    world.runFor(SECOND)
    server.core.close()
    world.kill(server)
    world.runFor(100 * MS)
    expect(van.factsOf('session-down')).toEqual([
      { kind: 'session-down', peer: 'server', why: 'the server was shut down' },
    ])
    expect(van.core.snapshot().peers[0]!.inUse).toBe(false)
    // The word came over both paths.
    expect(van.factsOf('handshake-started')).toHaveLength(2)
    expect(van.carrier.peers.get(0)!.epochs).toEqual([])
    server = world.server(registry)
    world.runFor(3 * SECOND)
    expect(van.up()).toEqual([0, 1])
  })
})

describe('when all paths are lost', () => {
  it('one handshake is begun, and the session goes on when they come back', () => {
    world.runFor(SECOND)
    world.cut.add(SERVER_V4)
    world.runFor(20 * SECOND)
    expect(van.up()).toEqual([])
    expect(van.factsOf('handshake-started').map(({ why }) => why)).toEqual([
      'the addresses of the server are known',
      'no path to the server is left',
    ])
    world.cut.clear()
    world.runFor(5 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(van.factsOf('session-up')).toHaveLength(1)
    expect(van.factsOf('session-rekeyed')).toHaveLength(1)
    expect(van.factsOf('handshake-started')).toHaveLength(2)
  })

  it('for longer than keys live, both sides say that the session is over, and a new one begins', () => {
    world.runFor(SECOND)
    world.cut.add(SERVER_V4)
    world.runFor(200 * SECOND)
    expect(van.factsOf('session-down').map(({ why }) => why)).toEqual([
      'its keys are too old and no new ones could be agreed',
    ])
    expect(server.factsOf('session-down').map(({ why }) => why)).toEqual([
      'nothing was heard until its keys expired',
    ])
    expect(server.core.snapshot().peers).toEqual([])
    expect(server.carrier.peers.size).toBe(0)
    expect(server.core.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    world.cut.clear()
    world.runFor(5 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(van.factsOf('session-up')).toHaveLength(2)
  })

  it('while keys are to be agreed anew, the server is looked for all the same', () => {
    world.runFor(TIMER.rekeyAfterUs.value - SECOND)
    world.cut.add(SERVER_V4)
    world.runFor(2 * SECOND)
    expect(van.up()).toEqual([0, 1])
    world.runFor(30 * SECOND)
    expect(van.up()).toEqual([])
    expect(van.factsOf('handshake-started').map(({ why }) => why)).toEqual([
      'the addresses of the server are known',
      'no path to the server is left',
    ])
  })

  it('again before the answer to what was asked comes, the server is looked for again', () => {
    world.runFor(SECOND)
    world.pass = (datagram) => !isHandshake(datagram, MESSAGE.response.value)
    world.cut.add(SERVER_V4)
    world.runFor(4 * SECOND)
    world.cut.clear()
    world.runFor(SECOND)
    expect(van.up()).toEqual([0, 1])
    world.cut.add(SERVER_V4)
    world.runFor(4 * SECOND)
    expect(van.factsOf('handshake-started').map(({ why }) => why)).toEqual([
      'the addresses of the server are known',
      'no path to the server is left',
      'no path to the server is left',
    ])
  })

  it('a policy that changed meanwhile is told when one is back', () => {
    world.runFor(SECOND)
    world.cut.add(SERVER_V4)
    world.runFor(SECOND)
    van.core.setPolicy(world.nowUs, policyOf({ mode: 'broadcast' }))
    world.runFor(10 * SECOND)
    expect(server.core.snapshot().peers[0]!.policy.mode).toBe('adaptive')
    world.cut.clear()
    world.runFor(5 * SECOND)
    expect(server.core.snapshot().peers[0]!.policy.mode).toBe('broadcast')
  })
})

describe('when no new keys can be agreed', () => {
  it('the session ends with its keys, the server is looked for, and the next one is another', () => {
    world.runFor(SECOND)
    world.pass = (datagram) => !isHandshake(datagram, MESSAGE.response.value)
    world.runFor(TIMER.rejectAfterUs.value)
    const why = 'its keys are too old and no new ones could be agreed'
    expect(van.factsOf('session-down').map((fact) => fact.why)).toEqual([why])
    expect(van.factsOf('handshake-started').at(-1)!.why).toBe(why)
    expect(van.core.snapshot().peers[0]!.paths).toMatchObject([
      { state: 'down', why },
      { state: 'down', why },
    ])
    world.pass = () => true
    world.runFor(5 * SECOND)
    expect([van.up(), server.up()]).toEqual([
      [0, 1],
      [0, 1],
    ])
    expect(van.factsOf('session-up')).toHaveLength(2)
  })
})

describe('when one path is lost', () => {
  it('what was said on it is said again on another', () => {
    world.runFor(SECOND)
    world.cut.add(world.addressOf(van, 0))
    van.core.setUplink(world.nowUs, 'wan1', { weight: 9 })
    world.runFor(5 * SECOND)
    expect([van.up(), server.up()]).toEqual([[1], [1]])
    expect(server.core.snapshot().peers[0]!.policy.paths[1]).toMatchObject({ weight: 9 })
  })

  it('both sides carry on with the other, and take it back', () => {
    world.runFor(20 * SECOND)
    van.carrier.sendData(world.nowUs, 0)
    world.cut.add(world.addressOf(van, 1))
    world.runFor(4 * SECOND)
    expect([van.up(), server.up()]).toEqual([[0], [0]])
    expect(van.factsOf('handshake-started')).toHaveLength(1)
    world.cut.clear()
    world.runFor(SECOND)
    expect([van.up(), server.up()]).toEqual([
      [0, 1],
      [0, 1],
    ])
  })
})

describe('a word of goodbye', () => {
  it('of the client ends its peer on the server', () => {
    world.runFor(SECOND)
    van.core.close()
    world.kill(van)
    world.runFor(100 * MS)
    expect(server.core.snapshot().peers).toEqual([])
    expect(server.carrier.peers.size).toBe(0)
    expect(server.factsOf('session-down')).toEqual([
      { kind: 'session-down', peer: 'van', why: 'the client was shut down' },
    ])
    expect(van.carrier.peers.get(0)!.epochs).toEqual([])
  })

  it('of one client leaves the others alone', () => {
    registry.addPeer('bus', keyPair('bus').publicKey)
    const bus = world.roadWarrior('bus', 3)
    world.runFor(SECOND)
    van.core.close()
    world.kill(van)
    world.runFor(10 * SECOND)
    expect(server.core.snapshot().peers.map(({ name }) => name)).toEqual(['bus'])
    expect(bus.up()).toEqual([0, 1, 2])
  })
})

describe('several clients', () => {
  it('have a session each, and none knows of the others', () => {
    const others = Array.from({ length: 12 }, (_, i) => {
      registry.addPeer(`bus${i}`, keyPair(`bus${i}`).publicKey)
      return world.roadWarrior(`bus${i}`, 1 + (i % 3))
    })
    world.runFor(300 * SECOND)
    const { peers } = server.core.snapshot()
    expect(peers.map(({ name }) => name).sort()).toEqual(
      ['van', ...others.map((_, i) => `bus${i}`)].sort(),
    )
    expect(server.carrier.strangers).toBe(0)
    others.forEach((bus, i) => {
      expect(bus.up()).toHaveLength(1 + (i % 3))
      expect(bus.factsOf('session-rekeyed')).toHaveLength(2)
    })
    const indices = [...server.carrier.peers.values()].flatMap(({ epochs }) =>
      epochs.map(({ localIndex }) => localIndex),
    )
    expect(new Set(indices).size).toBe(indices.length)
  })
})
