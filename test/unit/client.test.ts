import sodium from 'libsodium-wrappers'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EngineCommand } from '../../src/boundary.js'
import { Client } from '../../src/core/client.js'
import { DEFAULT_PATH_POLICY } from '../../src/core/policy.js'
import type { Server } from '../../src/core/server.js'
import { LIMIT, MESSAGE } from '../../src/wire.js'
import {
  coreOptions,
  MS,
  only,
  pathSample,
  policyOf,
  SECOND,
  takeCommands,
  takeFacts,
} from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import {
  endpoint,
  MemoryRegistry,
  SERVER_V4,
  SERVER_V6,
  type Station,
  World,
} from './world_fixture.js'

let world: World
let registry: MemoryRegistry
let server: Station<Server>

beforeAll(() => sodium.ready)
beforeEach(() => {
  world = new World()
  registry = new MemoryRegistry()
  registry.addPeer('van', keyPair('van').publicKey)
  server = world.server(registry, [SERVER_V4, SERVER_V6])
})

const why = (station: Station, path: number) =>
  station.core.snapshot().peers[0]!.paths.find((each) => each.path === path)!.why
const policyAtServer = () => server.core.snapshot().peers[0]!.policy
const pathsAtServer = () => server.core.snapshot().peers[0]!.paths.map(({ path }) => path)

/** A client alone, whose commands are looked at one by one. */
function aloneClient(): Client {
  const client = new Client({
    ...coreOptions('van'),
    serverPublicKey: keyPair('server').publicKey,
  })
  takeCommands(client)
  return client
}
const initiations = (commands: readonly EngineCommand[]) =>
  only(commands, 'datagramSend').filter(({ payload }) => payload?.[0] === MESSAGE.initiation.value)

describe('a client', () => {
  it('wants everything from its server, and keeps paths alive', () => {
    const client = new Client({
      ...coreOptions('van'),
      serverPublicKey: keyPair('server').publicKey,
    })
    expect(takeCommands(client)).toMatchObject([
      { kind: 'peerAdd', fields: { peer: 0, everything: 1 } },
      {
        kind: 'probing',
        fields: { peer: 0, intervalUs: 100 * MS, silenceUs: 3 * SECOND, initiator: 1 },
      },
    ])
  })

  it('asks nobody before it has a socket and an address for it', () => {
    const client = aloneClient()
    client.setUplink(0, 'dsl', {})
    client.setEndpoints(0, [endpoint(SERVER_V6)])
    client.handleTimeout(0)
    expect(takeFacts(client)).toEqual([])
    expect(client.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    client.handleSocket(5, 'dsl', 4, 30)
    client.handleTimeout(5)
    // It wants to, but no address matches the socket.
    expect(initiations(takeCommands(client))).toEqual([])
    client.setEndpoints(6, [endpoint(SERVER_V6), endpoint(SERVER_V4)])
    const dueUs = client.nextTimeout()
    client.handleTimeout(dueUs)
    expect(initiations(takeCommands(client))).toMatchObject([{ fields: { port: 0, family: 4 } }])
  })

  it('sends the same initiation on every uplink, and a new one with each try', () => {
    const client = aloneClient()
    for (const name of ['dsl', 'lte', 'sat']) {
      client.setUplink(0, name, {})
      client.handleSocket(0, name, 4, 30)
    }
    client.setEndpoints(0, [endpoint(SERVER_V4)])
    client.handleTimeout(0)
    const first = initiations(takeCommands(client))
    expect(first.map(({ fields }) => fields.port)).toEqual([0, 1, 2])
    expect(new Set(first.map(({ payload }) => String(payload))).size).toBe(1)
    client.handleTimeout(client.nextTimeout())
    const second = initiations(takeCommands(client))
    expect(second).toHaveLength(3)
    expect(second[0]!.payload).not.toEqual(first[0]!.payload)
  })

  it('has as many uplinks as there can be paths, and finds room again', () => {
    const client = aloneClient()
    for (let i = 0; i < LIMIT.paths.value; i++) expect(client.setUplink(0, `u${i}`, {})).toBe(true)
    expect(client.setUplink(0, 'one more', {})).toBe(false)
    expect(client.removeUplink(0, 'u7')).toBe(true)
    expect(client.removeUplink(0, 'u7')).toBe(false)
    expect(client.setUplink(0, 'one more', {})).toBe(true)
    expect(client.snapshot().peers[0]!.paths.at(-1)).toMatchObject({ path: 7, label: 'one more' })
  })

  it('refuses a socket of an uplink that it does not know', () => {
    expect(aloneClient().handleSocket(0, 'nobody', 4, 30)).toBe(false)
  })

  it('shows an uplink that waits for its device from the start', () => {
    const client = aloneClient()
    client.setUplink(7, 'lte', { tier: 2 })
    expect(client.snapshot().peers[0]!.paths).toMatchObject([
      { path: 0, label: 'lte', state: 'down', tier: 2, why: 'waiting for the device' },
    ])
    expect(client.snapshot().peers[0]!.paths[0]!.endpoint).toBeUndefined()
    client.handleSocket(8, 'lte', 4, 30)
    expect(client.snapshot().peers[0]!.paths[0]!.why).toBe('no answer from the other side yet')
  })
})

describe('the addresses of a server', () => {
  it('are used by family: IPv6 where the uplink has it, IPv4 elsewhere', () => {
    const van = world.client('van')
    van.core.setUplink(0, 'dsl', {})
    van.core.setUplink(0, 'lte', {})
    world.plug(van, 'dsl', '2001:db8:1::1')
    world.plug(van, 'lte', '10.0.0.2')
    van.core.setEndpoints(0, [endpoint(SERVER_V6), endpoint(SERVER_V4)])
    world.runFor(SECOND)
    expect(van.up()).toEqual([0, 1])
    const families = van.core.snapshot().peers[0]!.paths.map((path) => path.endpoint?.family)
    expect(families).toEqual([6, 4])
  })

  it('are tried in turn until one answers', () => {
    const van = world.roadWarrior('van', 1)
    van.core.setEndpoints(0, [endpoint('192.0.2.1'), endpoint('192.0.2.2'), endpoint(SERVER_V4)])
    world.runFor(15 * SECOND)
    expect(van.up()).toEqual([0])
  })

  it('that lead nowhere from one uplink only are left, while others carry the session', () => {
    const van = world.client('van')
    for (const [name, address] of [
      ['dsl', '2001:db8:1::1'],
      ['lte', '2001:db8:2::1'],
    ] as const) {
      van.core.setUplink(0, name, {})
      world.plug(van, name, address)
      world.plug(van, name, name === 'dsl' ? '10.0.0.1' : '10.0.0.2')
    }
    world.cut.add('2001:db8:2::1')
    van.core.setEndpoints(0, [endpoint(SERVER_V6), endpoint(SERVER_V4)])
    world.runFor(2 * SECOND)
    expect(van.up()).toEqual([0])
    world.runFor(3 * SECOND)
    expect(van.up()).toEqual([0, 1])
    const families = van.core.snapshot().peers[0]!.paths.map((path) => path.endpoint?.family)
    expect(families).toEqual([6, 4])
  })

  it('that work are kept through any number of rekeys', () => {
    const van = world.roadWarrior('van', 2)
    van.core.setEndpoints(0, [endpoint(SERVER_V4), endpoint('192.0.2.1')])
    world.runFor(3600 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(van.factsOf('path-state').filter(({ to }) => to === 'down')).toEqual([])
    expect(van.factsOf('path-moved')).toEqual([])
  })

  it('may change while it runs', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    world.cut.add(SERVER_V4)
    world.kill(server)
    server = world.server(registry, ['198.51.100.9'])
    van.core.setEndpoints(world.nowUs, [endpoint('198.51.100.9')])
    world.runFor(5 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(van.factsOf('session-up')).toHaveLength(2)
  })
})

describe('uplinks that come and go', () => {
  it('are told to the server with the policy, and their paths come up', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    van.core.setUplink(world.nowUs, 'lte', { weight: 9, tier: 1 })
    world.runFor(SECOND)
    expect(policyAtServer().paths).toContainEqual({
      ...DEFAULT_PATH_POLICY,
      path: 1,
      tier: 1,
      weight: 9,
    })
    expect(van.up()).toEqual([0])
    world.plug(van, 'lte', '10.9.9.9')
    world.runFor(SECOND)
    expect([van.up(), server.up()]).toEqual([
      [0, 1],
      [0, 1],
    ])
    expect(van.factsOf('handshake-started')).toHaveLength(1)
  })

  it('are forgotten by both sides when they are removed', () => {
    const van = world.roadWarrior('van', 3)
    world.runFor(SECOND)
    van.core.removeUplink(world.nowUs, 'wan1')
    expect(van.up()).toEqual([0, 2])
    world.runFor(2 * SECOND)
    expect(van.up()).toEqual([0, 2])
    expect([...van.carrier.peers.get(0)!.paths.keys()]).toEqual([0, 2])
    expect(van.carrier.ports.size).toBe(2)
    expect(policyAtServer().paths.map(({ path }) => path)).toEqual([0, 2])
    expect(pathsAtServer()).toEqual([0, 2])
    expect([...server.carrier.peers.get(0)!.paths.keys()]).toEqual([0, 2])
  })

  it('go out of the plan before their socket is closed', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    van.core.removeUplink(world.nowUs, 'wan0')
    const kinds = takeCommands(van.core).map(({ kind }) => kind)
    expect(kinds).toEqual(['planPublish', 'controlSend'])
    van.core.handleTimeout(world.nowUs + SECOND)
    const later = takeCommands(van.core).map(({ kind }) => kind)
    expect(later.indexOf('pathRemove')).toBeGreaterThanOrEqual(0)
    expect(later.indexOf('portClose')).toBeGreaterThan(later.indexOf('pathRemove'))
  })

  it('leave no path behind when their last words come after the news', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    const [epoch] = server.carrier.peers.get(0)!.epochs
    const from = server.carrier.peers.get(0)!.paths.get(1)!.endpoint
    van.core.removeUplink(world.nowUs, 'wan1')
    world.runFor(2 * SECOND)
    const { localIndex: receiver, receiveKey: key } = epoch!
    const probe = {
      type: 'probe',
      receiver,
      key,
      path: 1,
      heard: true,
      body: new Uint8Array(),
    } as const
    server.carrier.receive(world.nowUs, from, probe)
    world.runFor(SECOND)
    expect(pathsAtServer()).toEqual([0, 1])
    world.runFor(5 * SECOND)
    expect(pathsAtServer()).toEqual([0])
    expect([...server.carrier.peers.get(0)!.paths.keys()]).toEqual([0])
  })

  it('may come back under the same name at once', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    van.core.removeUplink(world.nowUs, 'wan1')
    van.core.setUplink(world.nowUs, 'wan1', {})
    world.plug(van, 'wan1', '10.200.0.1')
    world.runFor(SECOND)
    expect([van.up(), server.up()]).toEqual([
      [0, 2],
      [0, 1, 2],
    ])
    world.runFor(SECOND)
    expect(server.up()).toEqual([0, 2])
  })

  it('lose their path with their socket, say why, and have it back with the next', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(30 * SECOND) // idle: only what is told to C at once is quick
    van.core.handleSocketGone(world.nowUs, 'wan1', 4, 'wan1 has no address')
    world.runFor(SECOND)
    expect(van.up()).toEqual([0])
    expect(why(van, 1)).toBe('wan1 has no address')
    world.plug(van, 'wan1', '10.200.0.1')
    world.runFor(SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(why(van, 1)).toBe('')
  })

  it('move to a new socket without a loss', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    world.plug(van, 'wan0', '10.200.0.1')
    world.runFor(SECOND)
    expect(van.up()).toEqual([0])
    expect(van.factsOf('path-state').filter(({ to }) => to === 'down')).toEqual([])
    expect(van.carrier.ports.size).toBe(1)
    expect(server.factsOf('path-moved')).toHaveLength(1)
  })

  it('start a handshake when the last one had gone', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    van.core.handleSocketGone(world.nowUs, 'wan0', 4, 'unplugged')
    world.runFor(60 * SECOND)
    expect(van.factsOf('handshake-started')).toHaveLength(1)
    world.plug(van, 'wan0', '10.200.0.1')
    world.runFor(SECOND)
    expect(van.up()).toEqual([0])
    expect(van.factsOf('handshake-started').at(-1)?.why).toBe('uplink wan0 is there')
  })
})

describe('uplinks that cost money', () => {
  const MB = 1e6
  const pathOf = (station: Station) => station.core.snapshot().peers[0]!.paths[0]!
  const carry = (van: Station<Client>, bytes: number, datagrams = 0) =>
    van.core.handleEvent(
      world.nowUs,
      pathSample({ txBytes: bytes, rxBytes: 5, txDatagrams: datagrams, rxDatagrams: 1 }),
    )

  it('have one cap here and another at the server, and the same target', () => {
    const van = world.roadWarrior('van', 1)
    const caps = { rateUpBytesPerS: 1000, rateDownBytesPerS: 2000, targetUs: 15_000, metered: true }
    van.core.setUplink(world.nowUs, 'wan0', caps)
    world.runFor(SECOND)
    const wanted = { ...DEFAULT_PATH_POLICY, path: 0, metered: true, targetUs: 15_000 }
    expect(van.core.policy.paths).toEqual([{ ...wanted, capBytesPerS: 1000 }])
    expect(policyAtServer().paths).toEqual([{ ...wanted, capBytesPerS: 2000 }])
  })

  it('carry nothing more when their budget is used up, in either direction, and say so', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    van.core.setUplink(world.nowUs, 'wan0', { budgetDayBytes: MB })
    carry(van, 0.9 * MB)
    expect(pathOf(van)).toMatchObject({ inPlan: true, notes: ['has used 900 kB of 1 MB today'] })
    // Headers of IP and UDP are on the bill.
    carry(van, 0.9 * MB, 100_000 / 28)
    world.runFor(SECOND)
    const why = 'its 1 MB of today are used up; the next day begins at midnight'
    expect(pathOf(van)).toMatchObject({ inPlan: false, why })
    expect(pathOf(server)).toMatchObject({ inPlan: false, why: 'its budget is used up' })
    expect(van.factsOf('budget')).toEqual([{ kind: 'budget', uplink: 'wan0', isSpent: true, why }])
    expect(Object.keys(van.core.usage())).toEqual(['wan0'])
  })

  it('carry again when the budget is raised, or a new day begins', () => {
    let wallUs = new Date(2026, 2, 5).getTime() * 1000
    const { publicKey } = keyPair('server')
    const client = new Client({
      ...coreOptions('van'),
      wallUs: () => wallUs,
      serverPublicKey: publicKey,
    })
    const told = () => only(takeFacts(client), 'budget').map(({ isSpent }) => isSpent)
    client.setUplink(0, 'lte', { budgetDayBytes: MB })
    client.handleEvent(0, pathSample({ txBytes: MB }))
    expect(told()).toEqual([true])
    client.setUplink(0, 'lte', { budgetDayBytes: 2 * MB })
    expect(told()).toEqual([false])
    client.handleEvent(0, pathSample({ txBytes: 2 * MB }))
    expect(told()).toEqual([true])
    // Nothing is carried that would be counted, so it looks by itself.
    wallUs += 86_400 * SECOND
    expect(client.nextTimeout()).toBeLessThanOrEqual(60 * SECOND)
    client.handleTimeout(client.nextTimeout())
    expect(told()).toEqual([false])
    expect(client.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })

  it('count on where they were, from session to session and from start to start', () => {
    const client = new Client({
      ...coreOptions('van'),
      wallUs: () => new Date(2026, 2, 5).getTime() * 1000,
      serverPublicKey: keyPair('server').publicKey,
      usage: { lte: { day: '2026-03-05', dayBytes: 70, month: '2026-03-01', monthBytes: 900 } },
    })
    client.setUplink(0, 'lte', { metered: true })
    for (const txBytes of [100, 150, 20]) {
      client.handleEvent(0, pathSample({ txBytes }))
    }
    expect(client.usage()).toEqual({
      lte: { day: '2026-03-05', dayBytes: 240, month: '2026-03-01', monthBytes: 1070 },
    })
    client.setUplink(0, 'dsl', {})
    client.handleEvent(0, pathSample({ path: 1, txBytes: 100 }))
    expect(client.usage()).not.toHaveProperty('dsl')
  })
})

describe('a policy', () => {
  it('reaches the server and is the same on both sides', () => {
    const van = world.roadWarrior('van', 2)
    van.core.setPolicy(0, policyOf({ mode: 'balance-xor', hash: 'layer3' }))
    van.core.setUplink(0, 'wan1', { weight: 3, intent: 'standby' })
    world.runFor(SECOND)
    expect(policyAtServer()).toEqual(van.core.snapshot().peers[0]!.policy)
    expect(van.factsOf('policy')).toEqual([{ kind: 'policy', peer: 'server', mode: 'balance-xor' }])
    expect(server.factsOf('policy')).toEqual([{ kind: 'policy', peer: 'van', mode: 'balance-xor' }])
    expect([van.carrier.carrying(0), server.carrier.carrying(0)]).toEqual([[0], [0]])
  })

  it('may name a primary that is not there yet', () => {
    const van = world.client('van')
    van.core.setPolicy(0, policyOf({ mode: 'active-backup' }), 'lte')
    van.core.setEndpoints(0, [endpoint(SERVER_V4)])
    for (const [i, name] of ['dsl', 'lte'].entries()) {
      van.core.setUplink(0, name, {})
      world.plug(van, name, `10.0.0.${i + 1}`)
    }
    world.runFor(SECOND)
    expect(policyAtServer().primary).toBe(1)
    expect(van.factsOf('active-path').at(-1)).toMatchObject({ path: 1, label: 'lte' })
    van.core.removeUplink(world.nowUs, 'lte')
    world.runFor(SECOND)
    expect(policyAtServer().primary).toBeUndefined()
    van.core.setUplink(world.nowUs, 'sat', {})
    van.core.setUplink(world.nowUs, 'lte', {})
    world.runFor(2 * SECOND)
    expect(policyAtServer().primary).toBe(2)
  })
})

describe('time', () => {
  it('of a client without anything is nothing to wait for', () => {
    const client = aloneClient()
    client.handleTimeout(0)
    expect(client.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })

  it('goes into each handshake and never stands still', () => {
    const client = aloneClient()
    client.setUplink(0, 'dsl', {})
    client.handleSocket(0, 'dsl', 4, 30)
    client.setEndpoints(0, [endpoint(SERVER_V4)])
    const waits: number[] = []
    for (let i = 0, nowUs = 0; i < 8; i++) {
      client.handleTimeout(nowUs)
      expect(initiations(takeCommands(client))).toHaveLength(1)
      waits.push(client.nextTimeout() - nowUs)
      nowUs = client.nextTimeout()
    }
    expect(waits[0]).toBeLessThan(320 * MS)
    expect(waits.at(-1)).toBeGreaterThanOrEqual(2 * SECOND)
    expect(waits.at(-1)).toBeLessThanOrEqual(2.5 * SECOND)
  })

  it('is for samples four times as often where they decide which of several paths carry', () => {
    const client = aloneClient()
    client.setUplink(0, 'dsl', {})
    client.setPolicy(0, policyOf({ mode: 'balance-rr' }))
    const use = (inUse: number) => client.handleEvent(0, { kind: 'peerUse', peer: 0, inUse })
    use(1)
    expect(client.nextTimeout()).toBe(SECOND)
    client.handleTimeout(SECOND)
    client.setPolicy(0, policyOf({ mode: 'adaptive' }))
    client.handleTimeout(2 * SECOND)
    expect(client.nextTimeout()).toBe(3 * SECOND)
    client.setUplink(0, 'lte', {})
    client.handleTimeout(3 * SECOND)
    expect(client.nextTimeout()).toBe(3250 * MS)
    use(0)
    client.handleTimeout(3250 * MS)
    expect(client.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    expect(only(takeCommands(client), 'statsRequest')).toHaveLength(5)
  })
})
