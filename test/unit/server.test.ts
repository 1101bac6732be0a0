import sodium from 'libsodium-wrappers'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint, EventOf } from '../../src/boundary.js'
import { CROSSING } from '../../src/boundary.js'
import type { Client } from '../../src/core/client.js'
import { Initiator } from '../../src/core/initiator.js'
import { inviteId } from '../../src/core/invite.js'
import { keyPairOf } from '../../src/core/keys.js'
import { DEFAULT_PATH_POLICY, encodePolicy } from '../../src/core/policy.js'
import { Server } from '../../src/core/server.js'
import { CONTROL_KIND, MESSAGE, TIMER } from '../../src/wire.js'
import { coreOptions, MS, only, policyOf, SECOND, takeCommands, takeFacts } from './core_fixture.js'
import { INSTANCE, keyPair, OFFER, seeded } from './handshake_fixture.js'
import { MemoryRegistry, SERVER_V4, type Station, World } from './world_fixture.js'

let world: World
let registry: MemoryRegistry
let server: Station<Server>

beforeAll(() => sodium.ready)
beforeEach(() => {
  world = new World()
  registry = new MemoryRegistry()
  server = world.server(registry)
})

function newInvite(name: string) {
  const secret = seeded(`secret of ${name}`)(32)
  const invitation = { id: inviteId(secret), secret }
  registry.addInvite(name, invitation)
  return invitation
}
const refusals = (station: Station) => station.core.snapshot().refusals
const names = () => server.core.snapshot().peers.map(({ name }) => name)

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
    const { id } = newInvite('van')
    const van = world.roadWarrior('van', 1, { invitation: { id, secret: new Uint8Array(32) } })
    world.runFor(10 * SECOND)
    expect(refusals(van)['forged']).toBeGreaterThan(0)
    expect(van.factsOf('session-up')).toEqual([])
    expect(registry.peers.size).toBe(0)
    expect(registry.invites.size).toBe(1)
    expect(server.factsOf('session-up')).toEqual([])
  })
})

describe('an invitation', () => {
  it('binds the first key that proves to hold its secret, and is over', () => {
    const van = world.roadWarrior('van', 2, { invitation: newInvite('camper') })
    world.runFor(SECOND)
    expect(van.up()).toEqual([0, 1])
    expect(names()).toEqual(['camper'])
    expect(registry.findPeer(keyPair('van').publicKey)?.name).toBe('camper')
    expect(registry.invites.size).toBe(0)
    expect(server.factsOf('peer-enrolled')).toEqual([{ kind: 'peer-enrolled', peer: 'camper' }])
    expect(van.factsOf('peer-enrolled')).toHaveLength(1)
    world.runFor(300 * SECOND)
    expect(van.factsOf('session-rekeyed')).toHaveLength(2)
    expect(van.factsOf('peer-enrolled')).toHaveLength(1)
  })

  it('gives inner addresses after the proof, not before', () => {
    let isHeard = false
    world.pass = (datagram) => datagram instanceof Uint8Array || isHeard
    world.roadWarrior('van', 1, { invitation: newInvite('camper') })
    world.runFor(SECOND)
    const carried = () => [...server.carrier.peers.values()]
    expect(carried()).toMatchObject([{ everything: false, ipv4: '', ipv6: '' }])
    expect(registry.invites.size).toBe(1)
    expect(server.factsOf('session-up')).toEqual([])
    isHeard = true
    world.runFor(SECOND)
    const { ipv4, ipv6 } = registry.findPeer(keyPair('van').publicKey)!
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
    expect(carried()).toMatchObject([{ ipv4: hex(ipv4), ipv6: hex(ipv6) }])
  })

  it('has its addresses before its client sends a packet, however busy the server is', () => {
    const isWelcome: boolean[] = []
    world.pass = (datagram, from) => {
      if (datagram instanceof Uint8Array && from === SERVER_V4) world.busy.add(server)
      if (!(datagram instanceof Uint8Array) && datagram.type === 'data') {
        isWelcome.push([...server.carrier.peers.values()].every(({ ipv4 }) => ipv4 !== ''))
      }
      return true
    }
    const van = world.roadWarrior('van', 2, { invitation: newInvite('camper') })
    for (let ms = 0; ms < 2000; ms++) {
      if (ms === 1000) world.busy.delete(server)
      world.runFor(MS)
      van.carrier.sendData(world.nowUs, 0)
    }
    expect(isWelcome).not.toContain(false)
    expect(isWelcome.length).toBeGreaterThan(500)
  })

  it('is taken up in the end, although the word of it is lost again and again', () => {
    let isHeard = false
    world.pass = (datagram, from) =>
      datagram instanceof Uint8Array || datagram.type !== 'control' || from !== SERVER_V4 || isHeard
    const van = world.roadWarrior('van', 2, { invitation: newInvite('camper') })
    world.runFor(20 * SECOND)
    expect(van.up()).toEqual([])
    isHeard = true
    world.runFor(10 * SECOND)
    expect(van.up()).toEqual([0, 1])
  })

  it('is worth nothing for a second key', () => {
    const invitation = newInvite('camper')
    world.roadWarrior('van', 1, { invitation })
    world.runFor(SECOND)
    const thief = world.roadWarrior('thief', 1, { invitation })
    world.runFor(10 * SECOND)
    expect(thief.factsOf('session-up')).toEqual([])
    expect(Object.keys(refusals(server))).toEqual(['stranger'])
    expect(names()).toEqual(['camper'])
  })

  it('that two keys use at once goes to one of them', () => {
    const invitation = newInvite('camper')
    const two = ['van', 'bus'].map((name) => world.roadWarrior(name, 1, { invitation }))
    world.runFor(60 * SECOND)
    expect(two.filter((station) => station.up().length > 0)).toHaveLength(1)
    expect(registry.peers.size).toBe(1)
    expect(names()).toEqual(['camper'])
  })

  it('that is used by another key between answer and proof ends the session with a word', () => {
    const invitation = newInvite('camper')
    let isHeard = false
    world.pass = (datagram) => datagram instanceof Uint8Array || isHeard
    const van = world.roadWarrior('van', 1, { invitation })
    world.runFor(200 * MS)
    registry.enrol(invitation.id, keyPair('bus').publicKey)
    isHeard = true
    world.runFor(SECOND)
    expect(van.factsOf('session-down').map(({ why }) => why)).toEqual([
      'the server has revoked this key: ask for a new invitation',
    ])
    expect(van.factsOf('peer-enrolled')).toEqual([])
    expect(names()).toEqual([])
  })

  it('may be used again by a client that was cut off before it heard of its success', () => {
    const invitation = newInvite('camper')
    world.pass = (datagram, from) => datagram instanceof Uint8Array || from !== SERVER_V4
    let van = world.roadWarrior('van', 1, { invitation })
    world.runFor(SECOND)
    expect(registry.invites.size).toBe(0)
    expect(van.factsOf('peer-enrolled')).toEqual([])
    world.kill(van)
    world.pass = () => true
    van = world.roadWarrior('van', 1, { invitation })
    world.runFor(3 * SECOND)
    expect(van.up()).toEqual([0])
    expect(van.factsOf('peer-enrolled')).toHaveLength(1)
  })

  it('for a name that is taken ends the session of its former key', () => {
    registry.addPeer('camper', keyPair('old').publicKey)
    const old = world.roadWarrior('old', 1)
    world.runFor(SECOND)
    world.roadWarrior('new', 1, { invitation: newInvite('camper') })
    world.runFor(SECOND)
    expect(names()).toEqual(['camper'])
    expect(server.factsOf('session-down')).toMatchObject([
      { why: 'its name was given to another key' },
    ])
    expect(old.up()).toEqual([])
    expect(old.factsOf('session-down')).toMatchObject([{ why: expect.stringContaining('revoked') }])
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
    newInvite('camper')
    world.pass = (datagram) => datagram instanceof Uint8Array
    const van = world.roadWarrior('van', 1, { invitation: newInvite('van') })
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

describe('places for peers', () => {
  let core: Server
  const from = (port: number): Endpoint => ({
    port: 0,
    family: 4,
    remotePort: port,
    remote: new Uint8Array(16).fill(10),
    scope: 0,
    local: new Uint8Array(16),
  })

  /** One initiation of this key, as C would pass it on. */
  function knock(nowUs: number, key: string, invitation?: { id: Uint8Array; secret: Uint8Array }) {
    const initiator = new Initiator({
      staticKey: keyPairOf(seeded(key)(32)),
      serverPublicKey: keyPair('server').publicKey,
      offer: OFFER,
      random: seeded(`${key} at ${nowUs}`),
    })
    initiator.attempt(nowUs, {
      wallUs: nowUs + 1,
      localIndex: 1,
      instance: INSTANCE,
      ...(invitation === undefined ? {} : { invitation }),
    })
    const message = initiator.messageFor(nowUs, 0)!
    const bytes = new Uint8Array(256)
    bytes.set(message)
    core.handleEvent(nowUs, { kind: 'handshake', length: message.length, bytes, ...from(1) })
    core.handleTimeout(nowUs)
    return takeCommands(core)
  }

  beforeEach(() => {
    core = new Server({ ...coreOptions('server'), registry })
  })

  it('are not filled by the holder of one invitation', () => {
    const invitation = newInvite('camper')
    for (let i = 0; i < 50; i++) knock(i * SECOND, `key ${i}`, invitation)
    expect(core.snapshot().peers).toHaveLength(1)
    // Nothing is left of the others: each of them is heard again.
    expect(only(knock(60 * SECOND, 'key 3', invitation), 'datagramSend')).toHaveLength(1)
  })

  it('are not used again while events of their former peer may be under way', () => {
    const slots = ['a', 'b'].map((name, i) => {
      registry.addPeer(name, keyPairOf(seeded(name)(32)).publicKey)
      const [added] = only(knock(i * SECOND, name), 'peerAdd')
      core.revoke(name)
      takeCommands(core)
      return added!.fields.peer
    })
    expect(slots).toEqual([0, 1])
  })

  it('are refused like strangers when there are none left, and free again after a while', () => {
    for (let i = 0; i <= CROSSING.peers.value; i++) {
      registry.addPeer(`p${i}`, keyPairOf(seeded(`p${i}`)(32)).publicKey)
    }
    let nowUs = 0
    for (let i = 0; i < CROSSING.peers.value; i++) {
      nowUs += 50 * MS
      knock(nowUs, `p${i}`)
    }
    expect(core.snapshot().peers).toHaveLength(CROSSING.peers.value)
    const last = `p${CROSSING.peers.value}`
    nowUs += SECOND
    expect(only(knock(nowUs, last), 'datagramSend')).toEqual([])
    expect(core.snapshot().refusals).toEqual({ stranger: 1 })
    nowUs += TIMER.rejectAfterUs.value
    core.handleTimeout(nowUs)
    takeCommands(core)
    expect(only(knock(nowUs + SECOND, last), 'datagramSend')).toHaveLength(1)
    expect(only(takeFacts(core), 'session-down')).toEqual([])
  })
})
