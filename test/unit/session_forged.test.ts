/** Handshakes that somebody alters on one uplink, who can make mac1: those of the other uplinks are none of its business. */
import { beforeEach, describe, expect, it } from 'vitest'
import { ascii, blake2b, concat } from '../../src/core/keys.js'
import type { Server } from '../../src/core/server.js'
import { MESSAGE, WIRE } from '../../src/wire.js'
import { MS } from './core_fixture.js'
import { flipped, keyPair } from './handshake_fixture.js'
import { MemoryRegistry, type Station, World } from './world_fixture.js'

let world: World
let server: Station<Server>

beforeEach(() => {
  world = new World()
  const registry = new MemoryRegistry()
  registry.addPeer('van', keyPair('van').publicKey)
  server = world.server(registry)
})

/** A client whose first uplink, which is also the quicker one, turns a bit over in each message of this type. */
function openWithForger(type: number, octet: number): Station {
  const van = world.roadWarrior('van', 2)
  let bad: string | undefined
  const [mac1At, receiver] = type === MESSAGE.response.value ? [109, 'van'] : [139, 'server']
  const key = blake2b(32, concat(ascii(WIRE.mac1Label), keyPair(receiver).publicKey))
  world.alter = (datagram, from, to) => {
    bad ??= from
    if (!(datagram instanceof Uint8Array) || datagram[0] !== type) return datagram
    if (from !== bad && to !== bad) return datagram
    const forged = flipped(datagram, octet)
    forged.set(blake2b(16, forged.subarray(0, mac1At), key), mac1At)
    return forged
  }
  return van
}

describe.each([
  ['version', 1, 'version'],
  ['third octet', 2, 'forged'],
  ['fourth octet', 3, 'forged'],
  ['sealed part', 100, 'forged'],
])('an initiation whose %s was altered', (_, octet, why) => {
  it('is refused by its name, and its copy on the other uplink makes the session', () => {
    const van = openWithForger(MESSAGE.initiation.value, octet)
    world.runFor(200 * MS)
    expect(server.core.snapshot().refusals).toEqual({ [why]: 1 })
    expect(server.factsOf('handshake-refused')).toMatchObject([{ why }])
    expect(van.up()).toEqual([0, 1])
    expect(server.up()).toEqual([0, 1])
  })
})

describe.each([
  ['version', 1, { version: 1 }],
  // Told from copies of an answer that came before by nothing: not counted.
  ['receiver', 2, {}],
  ['fifth octet', 4, { forged: 1 }],
  ['sealed part', 100, { forged: 1 }],
])('a response whose %s was altered', (_, octet, refusals) => {
  it('is refused by its name, and its copy on the other uplink makes the session', () => {
    const van = openWithForger(MESSAGE.response.value, octet)
    world.runFor(200 * MS)
    expect(van.core.snapshot().refusals).toEqual(refusals)
    expect(van.up()).toEqual([0, 1])
    expect(server.up()).toEqual([0, 1])
    expect(server.core.snapshot().refusals).toEqual({})
  })
})
