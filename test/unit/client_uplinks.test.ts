import { beforeEach, describe, expect, it } from 'vitest'
import { CROSSING } from '../../src/boundary.js'
import { Client } from '../../src/core/client.js'
import { DEFAULT_PATH_POLICY, DEFAULT_POLICY } from '../../src/core/policy.js'
import {
  coreOptions,
  MS,
  only,
  pathSample,
  SECOND,
  takeCommands,
  takeFacts,
} from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { policyAtServer, registry, server, world } from './server_fixture.js'
import { SERVER_V4, type Station } from './world_fixture.js'

beforeEach(() => registry.addPeer('van', keyPair('van').publicKey))

const why = (station: Station, path: number) =>
  station.core.snapshot().peers[0]!.paths.find((each) => each.path === path)!.why
const pathsAtServer = () => server.core.snapshot().peers[0]!.paths.map(({ path }) => path)

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

  it('get a socket however often they come and go', () => {
    const van = world.roadWarrior('van', 1)
    for (let times = 0; times < 2 * CROSSING.ports.value; times++) {
      world.plug(van, 'wan0', '10.9.9.9')
      world.runFor(MS)
      expect(van.carrier.ports.size).toBe(1)
    }
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

  it.each([
    ['', 60],
    [', and the session with it', 300],
  ])('start a handshake when the last one had gone%s', (_, forS) => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    van.core.handleSocketGone(world.nowUs, 'wan0', 4, 'unplugged')
    world.runFor(forS * SECOND)
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

  it('carry over their budget what nothing else can, in either direction, where that is wanted', () => {
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    van.core.setUplink(world.nowUs, 'wan0', { budgetDayBytes: MB, overBudget: 'standby' })
    expect(pathOf(van).inPlan).toBe(true)
    carry(van, 2 * MB)
    world.runFor(SECOND)
    const waits = { inPlan: false, why: 'standby: waits until no other path is left' }
    expect([pathOf(van), pathOf(server)]).toEqual([
      expect.objectContaining({ ...waits, notes: ['has used 2.00 MB of 1 MB today'] }),
      expect.objectContaining(waits),
    ])
    van.core.setUplink(world.nowUs, 'wan1', { intent: 'down' })
    world.runFor(SECOND)
    expect([pathOf(van).inPlan, pathOf(server).inPlan]).toEqual([true, true])
    van.core.setUplink(world.nowUs, 'wan0', { overBudget: 'stop' })
    world.runFor(SECOND)
    expect([pathOf(van).inPlan, pathOf(server).inPlan]).toEqual([false, false])
  })

  it('carry on at a rate of their own over their budget, in either direction, where that is wanted', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    const wanted = { budgetDayBytes: MB, overBudget: 64_000, rateUpBytesPerS: 20_000 }
    van.core.setUplink(world.nowUs, 'wan0', wanted)
    world.runFor(SECOND)
    expect([pathOf(van), pathOf(server)]).toMatchObject([
      { inPlan: true, capBytesPerS: 20_000 },
      { inPlan: true, capBytesPerS: 0 },
    ])
    carry(van, 2 * MB)
    world.runFor(SECOND)
    const slowed =
      'is held to 512 kbit/s: its 1 MB of today are used up; the next day begins at midnight'
    expect([pathOf(van), pathOf(server)]).toMatchObject([
      { inPlan: true, capBytesPerS: 20_000, notes: ['has used 2.00 MB of 1 MB today', slowed] },
      { inPlan: true, capBytesPerS: 64_000 },
    ])
    // Which keeps to no rate.
    van.core.setPolicy(world.nowUs, { ...DEFAULT_POLICY, mode: 'balance-rr' })
    world.runFor(SECOND)
    const why = 'its 1 MB of today are used up; the next day begins at midnight'
    expect([pathOf(van), pathOf(server)]).toMatchObject([
      { inPlan: false, why, notes: ['has used 2.00 MB of 1 MB today'] },
      { inPlan: false },
    ])
  })

  it('tell of the cap that the server keeps to, where a mode keeps to caps', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    van.core.setUplink(world.nowUs, 'wan0', { rateDownBytesPerS: 250_000 })
    world.runFor(SECOND)
    expect([pathOf(van), pathOf(server)]).toMatchObject([
      { capBytesPerS: 0, notes: ['is sent at most 2.00 Mbit/s by the server'] },
      { capBytesPerS: 250_000, notes: [] },
    ])
    van.core.setPolicy(world.nowUs, { ...DEFAULT_POLICY, mode: 'balance-rr' })
    world.runFor(SECOND)
    expect(pathOf(van).notes).toEqual([])
  })

  it('are taken out by their owner also when they would carry over their budget', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
    const wanted = { budgetDayBytes: MB, overBudget: 'standby', intent: 'down' } as const
    van.core.setUplink(world.nowUs, 'wan0', wanted)
    carry(van, 2 * MB)
    world.runFor(SECOND)
    expect(pathOf(van)).toMatchObject({ inPlan: false, why: 'taken out by configuration' })
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

  it('count all that a new session has carried, though it is more than the one before had', () => {
    const van = world.roadWarrior('van', 1)
    van.core.setUplink(0, 'wan0', { metered: true })
    world.runFor(SECOND)
    van.core.handleEvent(world.nowUs, pathSample({ txBytes: 100 }))
    world.kill(server)
    world.server(registry, [SERVER_V4])
    world.runFor(5 * SECOND)
    expect(van.factsOf('session-up')).toHaveLength(2)
    van.core.handleEvent(world.nowUs, pathSample({ txBytes: 150 }))
    expect(van.core.usage()).toHaveProperty('wan0.dayBytes', 250)
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
