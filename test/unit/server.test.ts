import { beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint, EventOf } from '../../src/boundary.js'
import type { Client } from '../../src/core/client.js'
import { DEFAULT_PATH_POLICY, encodePolicy } from '../../src/core/policy.js'
import { CONTROL_KIND, MESSAGE, TIMER } from '../../src/wire.js'
import { MS, only, pathSample, policyOf, SECOND, takeCommands, takeFacts } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { names, refusals, registry, server, world } from './server_fixture.js'
import type { Station } from './world_fixture.js'

describe('a stranger', () => {
  it('is refused by name and leaves nothing behind', () => {
    const stranger = world.roadWarrior('stranger', 2)
    world.runFor(10 * SECOND)
    expect(stranger.factsOf('session-up')).toEqual([])
    expect(refusals(server)['stranger']).toBeGreaterThan(3)
    expect(Object.keys(refusals(server))).toEqual(['stranger'])
    expect(server.factsOf('handshake-refused')[0]).toMatchObject({ why: 'stranger' })
    expect(server.core.snapshot().peers).toEqual([])
    expect(server.carrier.peers.size).toBe(0)
    expect(server.core.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is let in as soon as it is known', () => {
    const van = world.roadWarrior('van', 1)
    world.runFor(5 * SECOND)
    registry.addPeer('van', keyPair('van').publicKey)
    world.runFor(3 * SECOND)
    expect(van.up()).toEqual([0])
  })

  it('is refused with an invitation that does not exist', () => {
    const invitation = { id: new Uint8Array(16).fill(1), secret: new Uint8Array(32) }
    world.roadWarrior('van', 1, { invitation })
    world.runFor(SECOND)
    expect(Object.keys(refusals(server))).toEqual(['stranger'])
    expect(server.carrier.peers.size).toBe(0)
  })

  it('gets nothing with the right id and the wrong secret', () => {
    const { id } = registry.newInvite('van')
    const van = world.roadWarrior('van', 1, { invitation: { id, secret: new Uint8Array(32) } })
    world.runFor(10 * SECOND)
    expect(refusals(van)['forged']).toBeGreaterThan(0)
    expect(van.factsOf('session-up')).toEqual([])
    expect(registry.peers.size).toBe(0)
    expect(registry.invites.size).toBe(1)
    expect(server.factsOf('session-up')).toEqual([])
  })
})

describe('a peer that is revoked', () => {
  let van: Station<Client>
  beforeEach(() => {
    registry.addPeer('van', keyPair('van').publicKey)
    van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    registry.peers.clear()
  })

  it('is told so, and its session ends', () => {
    expect(server.core.revoke('van')).toBe(true)
    world.runFor(100 * MS)
    expect(server.carrier.peers.size).toBe(0)
    expect(names()).toEqual([])
    expect(server.factsOf('session-down')).toMatchObject([{ peer: 'van', why: 'revoked' }])
    expect(van.up()).toEqual([])
    expect(van.factsOf('session-down')).toHaveLength(1)
    const why = 'the server has revoked this key: ask for a new invitation'
    expect(van.core.snapshot().peers[0]!.paths).toMatchObject([{ why }, { why }])
    expect(server.core.revoke('van')).toBe(false)
  })

  it('asks again after 60 s and not before, whatever happens to its uplinks', () => {
    server.core.revoke('van')
    world.runFor(SECOND)
    let asked = 0
    world.pass = (datagram) => {
      asked += Number(datagram instanceof Uint8Array)
      return true
    }
    van.core.setUplink(world.nowUs, 'lte', {})
    world.plug(van, 'lte', '10.200.0.1')
    world.runFor(58 * SECOND)
    expect(asked).toBe(0)
    registry.addPeer('van', keyPair('van').publicKey)
    world.runFor(3 * SECOND)
    expect(asked).toBeGreaterThan(0)
    expect(van.up()).toEqual([0, 1, 2])
  })

  it('does not ask sooner because of what C said of a path before it heard that the session is over', () => {
    server.core.revoke('van')
    world.runFor(SECOND)
    let asked = 0
    world.pass = (datagram) => {
      asked += Number(datagram instanceof Uint8Array)
      return true
    }
    van.core.handleEvent(world.nowUs, { kind: 'pathAlive', peer: 0, path: 1 })
    van.core.setUplink(world.nowUs, 'lte', {})
    world.plug(van, 'lte', '10.200.0.1')
    world.runFor(58 * SECOND)
    expect(asked).toBe(0)
  })

  it('asks once a minute for as long as nobody answers', () => {
    server.core.revoke('van')
    world.runFor(SECOND)
    const asked = new Set<number>()
    world.pass = (datagram) => {
      if (datagram instanceof Uint8Array) asked.add(world.nowUs)
      return true
    }
    world.runFor(600 * SECOND)
    const gaps = [...asked].slice(1).map((us, i) => us - [...asked][i]!)
    expect(asked.size).toBeGreaterThan(6)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(60 * SECOND)
    registry.addPeer('van', keyPair('van').publicKey)
    world.runFor(80 * SECOND)
    expect(van.up()).toEqual([0, 1])
    world.kill(server)
    world.runFor(4 * SECOND)
    world.server(registry)
    world.runFor(4 * SECOND)
    expect(van.up()).toEqual([0, 1])
  })
})

describe('keys that are too old', () => {
  it('of a client that went away without a word free its place', () => {
    registry.addPeer('van', keyPair('van').publicKey)
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    world.kill(van)
    world.runFor(TIMER.rejectAfterUs.value)
    expect(server.factsOf('session-down')).toHaveLength(1)
    expect(names()).toEqual([])
    expect(server.carrier.peers.size).toBe(0)
    expect(server.core.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })

  it('that were never used free it without a word in the log', () => {
    registry.newInvite('camper')
    world.pass = (datagram) => datagram instanceof Uint8Array
    const van = world.roadWarrior('van', 1, { invitation: registry.newInvite('van') })
    world.runFor(SECOND)
    world.kill(van)
    expect(server.carrier.peers.size).toBe(1)
    world.runFor(TIMER.rejectAfterUs.value)
    expect(server.carrier.peers.size).toBe(0)
    expect(server.factsOf('session-down')).toEqual([])
    expect(server.core.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('the will of the server', () => {
  it('goes above the wishes of its clients, whenever they come, and can be given up', () => {
    registry.addPeer('van', keyPair('van').publicKey)
    const van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    const mode = () => server.core.snapshot().peers[0]!.policy.mode
    expect(mode()).toBe('adaptive')
    server.core.setOverride({ mode: 'broadcast' })
    expect(mode()).toBe('broadcast')
    van.core.setPolicy(world.nowUs, policyOf({ mode: 'active-backup', updelayUs: 7 }))
    world.runFor(SECOND)
    expect(server.core.snapshot().peers[0]!.policy).toMatchObject({
      mode: 'broadcast',
      updelayUs: 7,
    })
    server.core.setOverride({})
    expect(mode()).toBe('active-backup')
  })

  it('does not make a client pay that has spent its budget', () => {
    registry.addPeer('van', keyPair('van').publicKey)
    const van = world.roadWarrior('van', 2)
    server.core.setOverride({ mode: 'broadcast' })
    world.runFor(SECOND)
    const carrying = () => server.core.snapshot().peers[0]!.paths.map(({ inPlan }) => inPlan)
    expect(carrying()).toEqual([true, true])
    van.core.setUplink(world.nowUs, 'wan0', { budgetDayBytes: 1e6 })
    van.core.handleEvent(world.nowUs, pathSample({ txBytes: 2e6 }))
    world.runFor(SECOND)
    expect(carrying()).toEqual([false, true])
  })
})

describe('a client of another mind', () => {
  const FROM: Endpoint = {
    port: 0,
    family: 4,
    remotePort: 1,
    remote: new Uint8Array(16).fill(9),
    scope: 0,
    local: new Uint8Array(16),
  }
  const control = (id: number, kind: number, body: Uint8Array): EventOf<'control'> => {
    const bytes = new Uint8Array(256)
    new DataView(bytes.buffer).setUint32(0, id, true)
    bytes[4] = kind
    bytes.set(body, 5)
    return { kind: 'control', peer: 0, path: 0, length: 5 + body.length, bytes }
  }
  let van: Station<Client>
  beforeEach(() => {
    registry.addPeer('van', keyPair('van').publicKey)
    van = world.roadWarrior('van', 1)
    world.runFor(SECOND)
  })

  it('may wish for delays that C cannot be told', () => {
    const policy = policyOf({ updelayUs: 2 ** 32 - 1, downdelayUs: 2 ** 32 - 1 })
    const event = control(99, CONTROL_KIND.policy.value, encodePolicy(policy))
    server.core.handleEvent(world.nowUs, event)
    const told = only(takeCommands(server.core), 'probing')
    expect(told).toMatchObject([{ fields: { silenceUs: 2 ** 32 - 1 } }])
  })

  it('may change its mind a thousand times a second, and is heard twenty times', () => {
    const paths = [{ ...DEFAULT_PATH_POLICY, path: 0 }]
    for (let i = 0; i < 1000; i++) {
      const mode = i % 2 === 0 ? 'balance-xor' : 'broadcast'
      const event = control(
        100 + i,
        CONTROL_KIND.policy.value,
        encodePolicy(policyOf({ mode, paths })),
      )
      server.core.handleEvent(world.nowUs + i * MS, event)
      server.core.handleTimeout(world.nowUs + i * MS)
    }
    expect(only(takeCommands(server.core), 'planPublish').length).toBeLessThanOrEqual(21)
    server.core.handleTimeout(world.nowUs + 2 * SECOND)
    expect(server.core.snapshot().peers[0]!.policy.mode).toBe('broadcast')
  })

  it('may send a policy that makes no sense, which changes nothing', () => {
    const before = server.core.snapshot().peers
    const event = control(99, CONTROL_KIND.policy.value, new Uint8Array(30).fill(200))
    server.core.handleEvent(world.nowUs, event)
    expect(server.core.snapshot().peers).toEqual(before)
  })

  it('may tell an MTU, within bounds', () => {
    const bodies = [[0, 5], [255, 4], [177, 7], [0], [0, 5, 0], [176, 7]].map((of) =>
      Uint8Array.from(of),
    )
    takeFacts(server.core)
    for (const [i, body] of bodies.entries()) {
      server.core.handleEvent(world.nowUs, control(100 + i, CONTROL_KIND.mtu.value, body))
    }
    const told = only(takeFacts(server.core), 'peer-mtu')
    expect(told.map(({ bytes }) => bytes)).toEqual([1280, 1968])
  })

  it('may speak of peers that there are not', () => {
    const alien = { ...control(1, CONTROL_KIND.close.value, Uint8Array.of(1)), peer: 7 }
    server.core.handleEvent(world.nowUs, alien)
    server.core.handleEvent(world.nowUs, { kind: 'pathSeen', peer: 7, path: 0, ...FROM })
    server.core.handleEvent(world.nowUs, { kind: 'epochConfirmed', peer: 7, localIndex: 1 })
    world.runFor(SECOND)
    expect([van.up(), server.up()]).toEqual([[0], [0]])
  })

  it('may send the server what only clients get', () => {
    const bytes = new Uint8Array(256)
    bytes[0] = MESSAGE.response.value
    server.core.handleEvent(world.nowUs, { kind: 'handshake', length: 125, bytes, ...FROM })
    expect(refusals(server)).toEqual({ type: 1 })
  })
})
