import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.js'
import { decodeNames, encodeNames, NO_NAMES } from '../../src/core/names.js'
import { CONTROL_KIND, LIMIT } from '../../src/wire.js'
import { Control } from '../peer/control.js'
import type { Datagram } from './carrier_fixture.js'
import { SECOND } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { registry, server, world } from './server_fixture.js'
import { SERVER_V4, type Station } from './world_fixture.js'

const octets = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'))
const called = (...names: string[]) => names.map((name, path) => ({ path, name }))
/** Labels of the first paths. */
const shown = (text: string, count: number) => decodeNames(octets(text)).slice(0, count)

describe('names on the wire', () => {
  it('are text with a space between each two', () => {
    expect(encodeNames(called('dsl0', 'wwan0'))).toEqual(octets('dsl0 wwan0'))
    expect(shown('dsl0 wwan0', 3)).toEqual(['dsl0', 'wwan0', 'path 2'])
  })

  it('leave out paths that there are not', () => {
    const paths = [
      { path: 3, name: 'lte' },
      { path: 1, name: 'dsl' },
    ]
    expect(encodeNames(paths)).toEqual(octets(' dsl  lte'))
    expect(shown(' dsl  lte', 4)).toEqual(['path 0', 'dsl', 'path 2', 'lte'])
    expect(encodeNames([])).toEqual(octets(''))
    expect(decodeNames(octets(''))).toEqual(NO_NAMES)
  })

  it('fit a control message, and are shown as they were told but for the last of too many long ones', () => {
    const long = Array.from({ length: 16 }, (_, i) => `enx0123456789a${i.toString(16)}`)
    const bytes = encodeNames(called(...long))
    expect(bytes).toHaveLength(LIMIT.controlBytes.value - 5)
    expect(decodeNames(bytes)).toEqual([...long.slice(0, -1), long.at(-1)!.slice(0, 11)])
    expect(decodeNames(encodeNames(called(...long.slice(1))))).toEqual([
      ...long.slice(1),
      'path 15',
    ])

    const name = fc.stringMatching(/^[\w.-]{1,15}$/)
    const names = fc.uniqueArray(name, { maxLength: 15 })
    fc.assert(
      fc.property(names, (told) => {
        expect(decodeNames(encodeNames(called(...told))).slice(0, told.length)).toEqual(told)
      }),
      { seed: 7 },
    )
  })

  it.each([
    ['control a terminal', '\x1b[2J lte', ['??2J', 'lte']],
    ['forge a line', 'a\n<0>b\x00 lte', ['a??0?b?', 'lte']],
    ['be long', 'a-name-of-more-than-fifteen lte', ['a-name-of-more-', 'lte']],
    ['be of other alphabets', 'd\xc3\xbcsl lte', ['d??sl', 'lte']],
    ['be the same', 'lte dsl lte', ['lte (path 0)', 'dsl', 'lte (path 2)']],
    ['become the same', 'd\xfc d\xfd', ['d? (path 0)', 'd? (path 1)']],
    ['pass for another path', 'path(path_1) path\xa01', ['path?path_1?', 'path?1']],
  ])('may not %s', (_, text, labels) => {
    expect(shown(text, labels.length)).toEqual(labels)
  })

  it('that cannot be told are told as they are shown', () => {
    expect(encodeNames(called('d\u00fcsl \u{1f4f6}'))).toEqual(octets('d?sl???'))
  })

  it('of more paths than there can be are ignored', () => {
    const told = Array.from({ length: 40 }, (_, i) => `u${i}`)
    expect(decodeNames(octets(told.join(' ')))).toEqual(told.slice(0, LIMIT.paths.value))
  })

  it('are read as the independent peer writes them', async () => {
    const said: Buffer[] = []
    const control: Control = new Control(1, async (path, body) => {
      said.push(body)
      control.handle(path, Buffer.of(...body.subarray(0, 4), CONTROL_KIND.ack.value))
    })
    await control.names(['dsl0', 'wwan0'])
    expect(said).toHaveLength(1)
    expect(said[0]![4]).toBe(CONTROL_KIND.names.value)
    expect(said[0]!.subarray(5)).toEqual(Buffer.from(encodeNames(called('dsl0', 'wwan0'))))
  })
})

describe('a server', () => {
  let van: Station<Client>
  /** Names that were sent, before any is lost. */
  let told: number
  let isLost: () => boolean
  beforeEach(() => {
    registry.addPeer('van', keyPair('van').publicKey)
    told = 0
    isLost = () => false
    world.pass = (datagram) => {
      if (!isNames(datagram)) return true
      told++
      return !isLost()
    }
    van = world.roadWarrior('van', 2)
  })

  const isNames = (datagram: Datagram) =>
    !(datagram instanceof Uint8Array) &&
    datagram.type === 'control' &&
    datagram.body[4] === CONTROL_KIND.names.value
  const labels = () =>
    server.core
      .snapshot()
      .peers[0]!.paths.toSorted((a, b) => a.path - b.path)
      .map(({ label }) => label)

  it('calls the paths of a client by their uplinks, in its log from the start', () => {
    world.runFor(SECOND)
    expect(labels()).toEqual(['wan0', 'wan1'])
    const logged = server.factsOf('path-state').map(({ label, to }) => `${label} ${to}`)
    expect(logged).toEqual(['wan0 probing', 'wan0 up', 'wan1 probing', 'wan1 up'])
    expect(told).toBe(1)
  })

  it('is told again when they have changed, and not when something else has', () => {
    world.runFor(SECOND)
    van.core.setUplink(world.nowUs, 'wan0', { weight: 9, intent: 'standby' })
    world.runFor(200 * SECOND)
    expect(told).toBe(1)
    van.core.setUplink(world.nowUs, 'lte', {})
    world.plug(van, 'lte', '10.9.9.9')
    world.runFor(SECOND)
    expect(labels()).toEqual(['wan0', 'wan1', 'lte'])
    van.core.removeUplink(world.nowUs, 'wan1')
    world.runFor(5 * SECOND)
    van.core.setUplink(world.nowUs, 'cable', {})
    world.plug(van, 'cable', '10.9.9.8')
    world.runFor(SECOND)
    expect(labels()).toEqual(['wan0', 'cable', 'lte'])
    expect(told).toBe(4)
  })

  it('knows two paths of one name apart, for as long as there are two', () => {
    world.runFor(SECOND)
    van.core.removeUplink(world.nowUs, 'wan1')
    van.core.setUplink(world.nowUs, 'wan1', {})
    world.plug(van, 'wan1', '10.9.9.9')
    world.runFor(SECOND)
    expect(labels()).toEqual(['wan0', 'wan1 (path 1)', 'wan1 (path 2)'])
    world.runFor(5 * SECOND)
    expect(labels()).toEqual(['wan0', 'wan1'])
  })

  it('is told until it has heard', () => {
    isLost = () => told < 6
    world.runFor(SECOND)
    expect(labels()).toEqual(['path 0', 'path 1'])
    world.runFor(SECOND)
    expect(labels()).toEqual(['wan0', 'wan1'])
    expect(told).toBe(6)
    world.runFor(60 * SECOND)
    expect(told).toBe(6)
  })

  it('is told what changed while there was no path', () => {
    world.runFor(SECOND)
    world.cut.add(SERVER_V4)
    world.runFor(SECOND)
    van.core.setUplink(world.nowUs, 'lte', {})
    world.plug(van, 'lte', '10.9.9.9')
    world.runFor(20 * SECOND)
    world.cut.clear()
    world.runFor(10 * SECOND)
    expect(labels()).toEqual(['wan0', 'wan1', 'lte'])
  })

  it('that has started again is told anew', () => {
    world.runFor(SECOND)
    world.kill(server)
    const another = world.server(registry)
    van.carrier.sendData(world.nowUs, 0)
    world.runFor(20 * SECOND)
    const paths = another.core.snapshot().peers[0]!.paths.map(({ label }) => label)
    expect(paths.toSorted()).toEqual(['wan0', 'wan1'])
  })

  it('calls them by number where the client tells none, whatever the one before told', () => {
    world.runFor(SECOND)
    world.kill(van)
    isLost = () => true
    van = world.roadWarrior('van', 2)
    world.runFor(SECOND)
    expect(server.factsOf('session-up')).toHaveLength(2)
    expect(labels()).toEqual(['path 0', 'path 1'])
  })

  it('that knows no names is told once', () => {
    world.alter = (datagram) => {
      if (datagram instanceof Uint8Array || !isNames(datagram)) return datagram
      return { ...datagram, body: datagram.body.with(4, 200) }
    }
    world.runFor(10 * SECOND)
    expect(labels()).toEqual(['path 0', 'path 1'])
    expect(told).toBe(1)
    expect([van.up(), server.up()]).toEqual([
      [0, 1],
      [0, 1],
    ])
  })
})
