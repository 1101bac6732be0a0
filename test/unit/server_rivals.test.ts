/** Machines that have one key, as after a disk was copied, beside what only looks like them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { MS, SECOND } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { registry, server, world } from './server_fixture.js'

const told = () => server.factsOf('key-shared')

beforeEach(() => registry.addPeer('van', keyPair('van').publicKey))

describe('two machines with one key', () => {
  it('are told within a minute, once a minute', () => {
    world.roadWarrior('van', 2)
    world.runFor(10 * SECOND)
    world.roadWarrior('van', 2)
    world.runFor(60 * SECOND)
    expect(told()).toMatchObject([{ peer: 'van' }])
    world.runFor(120 * SECOND)
    expect(told().length).toBeGreaterThan(1)
    expect(told().length).toBeLessThan(4)
  })
})

describe('one machine', () => {
  it('that restarts again and again is none of them', () => {
    for (let starts = 0; starts < 20; starts++) {
      const van = world.roadWarrior('van', 2)
      world.runFor(3 * SECOND)
      world.kill(van)
    }
    expect(told()).toEqual([])
  })

  it('that loses its uplinks and roams is none of them', () => {
    const van = world.roadWarrior('van', 1)
    for (let places = 0; places < 20; places++) {
      world.runFor(20 * SECOND)
      world.plug(van, 'wan0', `10.200.${places % 2}.1`)
      world.runFor(300 * MS)
    }
    expect(server.up()).toEqual([0])
    expect(told()).toEqual([])
  })
})
