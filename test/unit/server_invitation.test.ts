import { describe, expect, it } from 'vitest'
import { MS, SECOND } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { names, refusals, registry, server, world } from './server_fixture.js'
import { SERVER_V4 } from './world_fixture.js'

describe('an invitation', () => {
  it('binds the first key that proves to hold its secret, and is over', () => {
    const van = world.roadWarrior('van', 2, { invitation: registry.newInvite('camper') })
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
    world.roadWarrior('van', 1, { invitation: registry.newInvite('camper') })
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
    const van = world.roadWarrior('van', 2, { invitation: registry.newInvite('camper') })
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
    const van = world.roadWarrior('van', 2, { invitation: registry.newInvite('camper') })
    world.runFor(20 * SECOND)
    expect(van.up()).toEqual([])
    isHeard = true
    world.runFor(10 * SECOND)
    expect(van.up()).toEqual([0, 1])
  })

  it('is worth nothing for a second key', () => {
    const invitation = registry.newInvite('camper')
    world.roadWarrior('van', 1, { invitation })
    world.runFor(SECOND)
    const thief = world.roadWarrior('thief', 1, { invitation })
    world.runFor(10 * SECOND)
    expect(thief.factsOf('session-up')).toEqual([])
    expect(Object.keys(refusals(server))).toEqual(['stranger'])
    expect(names()).toEqual(['camper'])
  })

  it('that two keys use at once goes to one of them', () => {
    const invitation = registry.newInvite('camper')
    const two = ['van', 'bus'].map((name) => world.roadWarrior(name, 1, { invitation }))
    world.runFor(60 * SECOND)
    expect(two.filter((station) => station.up().length > 0)).toHaveLength(1)
    expect(registry.peers.size).toBe(1)
    expect(names()).toEqual(['camper'])
  })

  it('that is used by another key between answer and proof ends the session with a word', () => {
    const invitation = registry.newInvite('camper')
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
    const invitation = registry.newInvite('camper')
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

  it('is over, too, when the machine that it is for comes with a key that is known', () => {
    registry.addPeer('camper', keyPair('van').publicKey)
    const others = registry.newInvite('boat')
    const van = world.roadWarrior('van', 1, { invitation: registry.newInvite('camper') })
    world.runFor(SECOND)
    expect(van.up()).toEqual([0])
    expect([...registry.invites.values()].map(({ name }) => name)).toEqual(['boat'])
    world.kill(van)
    world.roadWarrior('van', 1, { invitation: others })
    world.runFor(SECOND)
    expect(names()).toEqual(['camper'])
    expect(registry.findInvite(others.id)).toBeDefined()
  })

  it('for a name that is taken ends the session of its former key', () => {
    registry.addPeer('camper', keyPair('old').publicKey)
    const old = world.roadWarrior('old', 1)
    world.runFor(SECOND)
    world.roadWarrior('new', 1, { invitation: registry.newInvite('camper') })
    world.runFor(SECOND)
    expect(names()).toEqual(['camper'])
    expect(server.factsOf('session-down')).toMatchObject([
      { why: 'its name was given to another key' },
    ])
    expect(old.up()).toEqual([])
    expect(old.factsOf('session-down')).toMatchObject([{ why: expect.stringContaining('revoked') }])
  })
})
