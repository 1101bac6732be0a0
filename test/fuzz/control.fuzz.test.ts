/** Control messages and handshakes from whoever sends them: never an exception, no state for strangers, no large answer. */
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint, EventOf } from '../../src/boundary.js'
import { ControlChannel } from '../../src/core/channel.js'
import type { Client } from '../../src/core/client.js'
import { Server } from '../../src/core/server.js'
import type { Tunnel } from '../../src/core/tunnel.js'
import { CONTROL_KIND, LIMIT } from '../../src/wire.js'
import {
  coreOptions,
  newContext,
  only,
  SECOND,
  takeCommands,
  takeFacts,
} from '../unit/core_fixture.js'
import { keyPair } from '../unit/handshake_fixture.js'
import { MemoryRegistry, type Station, World } from '../unit/world_fixture.js'
import { hostileOctets, readCorpus } from './octets_fixture.js'

const corpus = readCorpus('control-message')
const handshakes = readCorpus('handshake')
/** Messages of any kind, and policies and names that are right as messages and wrong within. */
const anyMessage = fc.oneof(
  hostileOctets(corpus),
  ...(['policy', 'names'] as const).map((kind) =>
    hostileOctets(readCorpus(kind)).map((body) =>
      Uint8Array.of(0, 0, 0, 0, CONTROL_KIND[kind].value, ...body),
    ),
  ),
)
const SEED = 1_729
/** What a path may be called on a terminal. */
const LABEL = /^(path \d+|[\w.?-]{1,15}( \(path \d+\))?)$/

describe('the control channel', () => {
  it('acknowledges what is well-formed with less than it got, and takes each number of a kind once', () => {
    fc.assert(
      fc.property(fc.array(hostileOctets(corpus), { maxLength: 20, size: 'max' }), (messages) => {
        const context = newContext()
        const channel = new ControlChannel(context, 0)
        channel.send(0, 'policy', new Uint8Array(3))
        takeCommands(context)
        const taken = new Map<string, number[]>()
        for (const bytes of [...corpus.values(), ...messages]) {
          const message = channel.handle(bytes, 3)
          const answers = only(takeCommands(context), 'controlSend')
          const isAck = bytes[4] === CONTROL_KIND.ack.value
          expect(answers).toHaveLength(bytes.length >= 5 && !isAck ? 1 : 0)
          for (const { payload, fields } of answers) {
            expect([...payload!]).toEqual([...bytes.subarray(0, 4), CONTROL_KIND.ack.value])
            expect(fields).toEqual({ peer: 0, path: 3 })
          }
          if (message === undefined) continue
          expect(message.body).toEqual(Uint8Array.from(bytes.subarray(5)))
          if (message.kind === 'ack') continue
          const id = new DataView(bytes.slice(0, 4).buffer).getUint32(0, true)
          taken.set(message.kind, [...(taken.get(message.kind) ?? []), id])
        }
        for (const ids of taken.values()) {
          expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
        }
      }),
      { seed: SEED, numRuns: 500 },
    )
  })
})

describe('a peer of another mind', () => {
  let world: World
  let server: Station<Server>
  let client: Station<Client>
  beforeEach(() => {
    world = new World()
    const registry = new MemoryRegistry()
    registry.addPeer('van', keyPair('van').publicKey)
    server = world.server(registry)
    client = world.roadWarrior('van', 2)
    world.runFor(SECOND)
  })

  const control = (path: number, body: Uint8Array): EventOf<'control'> => {
    const bytes = new Uint8Array(LIMIT.controlBytes.value)
    const length = Math.min(body.length, bytes.length)
    bytes.set(body.subarray(0, length))
    return { kind: 'control', peer: 0, path, length, bytes }
  }

  /** After each message commands fit their records, and time goes on. */
  function say(core: Tunnel, nowUs: number, path: number, body: Uint8Array): void {
    core.handleEvent(nowUs, control(path, body))
    core.handleTimeout(nowUs)
    takeCommands(core)
    takeFacts(core)
    expect(core.nextTimeout()).toBeGreaterThan(nowUs)
    expect(core.snapshot().peers.length).toBeLessThanOrEqual(1)
  }

  it.each(['client', 'server'] as const)('does no harm to a %s', (role) => {
    const { core } = role === 'client' ? client : server
    const policies = new Set<string>()
    const labels = new Set<string>()
    let { nowUs } = world
    let id = 100
    // Counted on, because a number that was taken hides all that are not greater.
    const count = (body: Uint8Array) => {
      const counted = Uint8Array.from(body)
      id += 1
      if (body.length >= 4) new DataView(counted.buffer).setUint32(0, id, true)
      return counted
    }
    fc.assert(
      fc.property(anyMessage, fc.nat({ max: 255 }), (body, path) => {
        if (body[4] === CONTROL_KIND.close.value) return
        nowUs += 10_000
        say(core, nowUs, path, count(body))
        const { policy, paths } = core.snapshot().peers[0]!
        policies.add(JSON.stringify(policy))
        for (const { label } of paths) labels.add(label)
      }),
      { seed: SEED, numRuns: 2000 },
    )
    expect(core.snapshot().peers[0]!.aead).toBeDefined()
    expect(policies.size > 10).toBe(role === 'server')
    expect(labels.size > 10).toBe(role === 'server')
    for (const label of labels) expect(label).toMatch(LABEL)
    for (const body of corpus.values()) say(core, nowUs, 0, count(body))
    expect(core.snapshot().peers[0]?.aead).toBeUndefined()
  })
})

describe('a stranger', () => {
  const endpoint: fc.Arbitrary<Endpoint> = fc.record({
    port: fc.constant(0),
    family: fc.constantFrom(4, 6),
    remotePort: fc.nat({ max: 65_535 }),
    remote: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    scope: fc.constant(0),
    local: fc.constant(new Uint8Array(16)),
  })

  it('leaves no peer, no timer and no answer larger than its question, slow or fast', () => {
    for (const stepUs of [100_000, 1_000]) {
      const core = new Server({
        ...coreOptions('server'),
        staticKey: keyPair('fuzz server'),
        registry: new MemoryRegistry(),
      })
      let nowUs = 0
      const knock = (message: Uint8Array, from: Endpoint) => {
        nowUs += stepUs
        const bytes = new Uint8Array(256)
        const length = Math.min(message.length, bytes.length)
        bytes.set(message.subarray(0, length))
        core.handleEvent(nowUs, { kind: 'handshake', length, bytes, ...from })
        core.handleTimeout(nowUs)
        for (const command of takeCommands(core)) {
          expect(command.kind).toBe('datagramSend')
          expect(command.payload!.length).toBeLessThanOrEqual(length)
          expect(command.fields).toMatchObject({ remotePort: from.remotePort })
        }
        takeFacts(core)
        expect(core.snapshot().peers).toEqual([])
        expect(core.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
      }
      const [somewhere] = fc.sample(endpoint, { seed: SEED, numRuns: 1 })
      for (const message of handshakes.values()) knock(message, somewhere!)
      fc.assert(fc.property(hostileOctets(handshakes), endpoint, knock), {
        seed: SEED,
        numRuns: 1500,
      })
    }
  })
})
