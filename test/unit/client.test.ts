import { beforeEach, describe, expect, it } from 'vitest'
import type { EngineCommand } from '../../src/boundary.js'
import { Client } from '../../src/core/client.js'
import { LIMIT, MESSAGE } from '../../src/wire.js'
import { coreOptions, MS, only, policyOf, SECOND, takeCommands, takeFacts } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { policyAtServer, registry, server, world } from './server_fixture.js'
import { endpoint, SERVER_V4, SERVER_V6, type Station } from './world_fixture.js'

beforeEach(() => registry.addPeer('van', keyPair('van').publicKey))

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

  it('replaces a socket where as many are open as can be', () => {
    const client = aloneClient()
    const names = Array.from({ length: LIMIT.paths.value }, (_, i) => `u${i}`)
    for (const name of names) {
      client.setUplink(0, name, {})
      for (const family of [4, 6] as const) {
        expect(client.handleSocket(0, name, family, 30)).toBe(true)
      }
    }
    const { port } = only(takeCommands(client), 'portOpen').at(-1)!.fields
    expect(client.handleSocket(0, names.at(-1)!, 6, 31)).toBe(true)
    const commands = takeCommands(client)
    expect(only(commands, 'portOpen')).toMatchObject([{ fields: { port, family: 6, fd: 31 } }])
    expect(only(commands, 'portClose')).toEqual([])
    client.handleSocketGone(0, names.at(-1)!, 6, 'unplugged')
    expect(only(takeCommands(client), 'portClose')).toMatchObject([{ fields: { port } }])
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
    expect(client.snapshot().peers[0]!.paths[0]!.why).toBe(
      'the address of the server is not known yet',
    )
    client.setEndpoints(9, [endpoint(SERVER_V6)])
    expect(client.snapshot().peers[0]!.paths[0]!.why).toBe(
      'it has no IPv6 address, and the server is known by no other',
    )
    client.setEndpoints(9, [endpoint(SERVER_V6), endpoint(SERVER_V4)])
    expect(client.snapshot().peers[0]!.paths[0]!.why).toBe('no answer from the other side yet')
  })
})

describe('a server that does not answer', () => {
  const complaints = (van: Station<Client>) =>
    van.factsOf('handshake-unanswered').map(({ forUs }) => Math.round(forUs / SECOND))

  it('is complained of after ten seconds, and again ever more rarely', () => {
    world.cut.add(SERVER_V4)
    const van = world.roadWarrior('van', 1)
    van.core.setUplink(0, 'late', {})
    world.runFor(9 * SECOND)
    expect(complaints(van)).toEqual([])
    world.runFor(3600 * SECOND)
    const times = complaints(van)
    expect(times[0]).toBeLessThan(14)
    for (const [i, seconds] of times.slice(1).entries()) {
      expect(seconds / times[i]!).toBeGreaterThan(5)
      expect(seconds / times[i]!).toBeLessThan(7)
    }
    expect(times).toHaveLength(4)
    expect(van.factsOf('handshake-unanswered')[0]!.tried).toMatchObject([
      { uplink: 'wan0', to: { family: 4, remotePort: 5000 }, why: '' },
      { uplink: 'late', to: undefined, why: 'waiting for the device' },
    ])
  })

  it('is forgiven when it answers', () => {
    world.cut.add(SERVER_V4)
    const van = world.roadWarrior('van', 1)
    world.runFor(15 * SECOND)
    world.cut.clear()
    world.runFor(60 * SECOND)
    expect(complaints(van)).toHaveLength(1)
    world.cut.add(SERVER_V4)
    world.runFor(240 * SECOND)
    expect(complaints(van)[1]).toBeLessThan(14)
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
    world.server(registry, ['198.51.100.9'])
    van.core.setEndpoints(world.nowUs, [endpoint('198.51.100.9')])
    world.runFor(5 * SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(van.factsOf('session-up')).toHaveLength(2)
  })
})

describe('a server that moves', () => {
  const MOVED = '198.51.100.7'
  let van: Station<Client>
  beforeEach(() => {
    van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    world.readdress(server, SERVER_V4, MOVED)
  })
  const remotes = () =>
    [...van.carrier.peers.get(0)!.paths.values()].map(({ endpoint: { remote } }) => remote[3])

  it('is followed, and asked for new keys where it is', () => {
    world.runFor(600 * SECOND)
    expect(remotes()).toEqual([7, 7])
    expect(van.factsOf('session-rekeyed')).toHaveLength(5)
    expect(van.factsOf('session-down')).toEqual([])
    expect(van.factsOf('path-moved')).toHaveLength(2)
  })

  it('is found where it was when it is back there', () => {
    world.runFor(20 * SECOND)
    expect(remotes()).toEqual([7, 7])
    world.readdress(server, MOVED, SERVER_V4)
    world.runFor(30 * SECOND)
    expect(remotes()).toEqual([1, 1])
    expect([van.up(), server.up()]).toEqual([
      [0, 1],
      [0, 1],
    ])
    expect(van.factsOf('session-up')).toHaveLength(1)
  })

  it('and is told where it is by name is left for there', () => {
    world.runFor(SECOND)
    world.readdress(server, MOVED, '198.51.100.8')
    van.core.setEndpoints(world.nowUs, [endpoint('198.51.100.8')])
    world.runFor(100 * MS)
    expect(remotes()).toEqual([8, 8])
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
