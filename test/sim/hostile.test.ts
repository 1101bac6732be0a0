/** Ten thousand datagrams of somebody who means harm: no state, no answer that is larger, counters that say which. */
import { describe, expect, it } from 'vitest'
import { COUNTER, type EngineCommand } from '../../src/boundary.js'
import { MESSAGE } from '../../src/wire.js'
import { openPair } from './pair_fixture.js'
import { SECOND, seededRandom } from './tunnel.js'

const STRANGER = { address: '203.0.113.66', udpPort: 6666 }
const LINK = { delayUs: 10_000 }

/** A pair in use, with every datagram of the client's first seconds caught on its way. */
async function open() {
  const two = await openPair({ uplinks: [{ link: LINK }, { link: LINK }] })
  const flow = two.flow({ packetsPerSecond: 200, payloadBytes: 200 })
  two.runFor(115 * SECOND)
  for (const link of two.links) link.capture('forward', 4000)
  two.runFor(15 * SECOND) // past a rekey, so that handshakes are among what is caught
  const caught = two.links.flatMap((link) => link.captured('forward')).map(({ bytes }) => bytes)
  two.runFor(SECOND) // so that all of it has arrived: what is caught is only good for replays
  const answers: { to: Uint8Array; bytes: number }[] = []
  const { node } = two.server
  const command = node.command.bind(node)
  node.command = (each: EngineCommand) => {
    if (each.kind === 'datagramSend') {
      answers.push({ to: each.fields.remote!, bytes: each.payload!.length })
    }
    return command(each)
  }
  const inject = (bytes: Uint8Array) => {
    const before = answers.length
    node.inject(0, STRANGER, bytes)
    two.runFor(0)
    return answers.slice(before)
  }
  const drops = () =>
    Object.fromEntries(
      Object.entries(COUNTER)
        .filter(([name]) => name.startsWith('drop'))
        .map(([name, { value }]) => [name, node.counter(value)]),
    )
  return { two, flow, caught, inject, drops }
}

describe('a hostile sender', () => {
  it('gets nothing for garbage, and the counters say which', async () => {
    const { two, inject, drops } = await open()
    const random = seededRandom('garbage')
    const before = drops()
    for (let i = 0; i < 4000; i++) {
      const [low = 0, high = 0] = random(2)
      const bytes = random((low | (high << 8)) % 1500)
      if (i % 2 === 0 && bytes.length > 0) bytes[0] = 1 + (i % 8) // a known type more often than chance gives
      for (const answer of inject(bytes)) expect(answer.bytes).toBeLessThanOrEqual(bytes.length)
    }
    const after = drops()
    const counted = Object.keys(after).filter((name) => after[name]! > before[name]!)
    expect(counted).toEqual(
      expect.arrayContaining(['dropShort', 'dropLong', 'dropType', 'dropIndex']),
    )
    expect(two.server.core.snapshot().peers).toHaveLength(1)
  })

  it('gets nothing for replays, and moves no path', async () => {
    const { two, caught, inject, drops } = await open()
    const before = drops()
    for (const bytes of caught.slice(0, 3000)) expect(inject(bytes)).toEqual([])
    const after = drops()
    const refused = (name: string) => after[name]! - before[name]!
    expect(refused('dropReplay') + refused('dropIndex')).toBeGreaterThan(2900)
    expect(two.server.factsOf('path-moved')).toEqual([])
    expect(two.up()).toEqual({ client: [0, 1], server: [0, 1] })
  })

  it('gets nothing for flipped bits and cut ends, of handshakes too', async () => {
    const { two, caught, inject, drops } = await open()
    const random = seededRandom('flips')
    const handshakes = caught.filter(([type]) => type === MESSAGE.initiation.value)
    expect(handshakes.length).toBeGreaterThan(0)
    const templates = [...handshakes, ...handshakes, ...caught.slice(-200)]
    const before = drops()
    const refusals = () =>
      Object.values(two.server.core.snapshot().refusals).reduce((a, b) => a + b, 0)
    const refusedBefore = refusals()
    for (let i = 0; i < 3000; i++) {
      const bytes = templates[i % templates.length]!.slice()
      const [low = 0, high = 0, cut = 0] = random(3)
      const bit = (low | (high << 8)) % (bytes.length * 8)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      const sent = cut % 4 === 0 ? bytes.slice(0, bit >> 3) : bytes
      for (const answer of inject(sent)) expect(answer.bytes).toBeLessThanOrEqual(sent.length)
    }
    const after = drops()
    const counted = Object.keys(after).reduce((sum, name) => sum + after[name]! - before[name]!, 0)
    expect(counted + refusals() - refusedBefore).toBeGreaterThanOrEqual(2900)
    expect(after['dropAuth']).toBeGreaterThan(before['dropAuth']!)
    expect(two.server.core.snapshot().peers).toHaveLength(1)
  })

  it('does not disturb the tunnel meanwhile', async () => {
    const { two, flow, caught, inject } = await open()
    const before = flow.stats()
    const random = seededRandom('noise')
    for (let i = 0; i < 2000; i++) {
      inject(i % 2 === 0 ? caught[i % caught.length]! : random(100))
      two.runFor(500)
    }
    two.runFor(SECOND)
    flow.stop()
    two.runFor(SECOND)
    const after = flow.stats()
    expect(after.lost).toBe(0)
    expect(after.sent).toBeGreaterThan(before.sent + 300)
    expect(after.duplicated + after.damaged + after.reordered).toBe(0)
  })

  it('gets no more than a cookie for floods of well-made handshakes of strangers', async () => {
    const { two, inject } = await open()
    const { Initiator } = await import('../../src/core/initiator.js')
    const { keyPairOf } = await import('../../src/core/keys.js')
    const { Timestamps } = await import('../../src/core/timestamp.js')
    const random = seededRandom('stranger')
    let answered = 0
    for (let i = 0; i < 500; i++) {
      const initiator = new Initiator({
        staticKey: keyPairOf(random(32)),
        serverPublicKey: two.serverKey.publicKey,
        offer: { aeads: 1, preferred: 0, features: 0 },
        random,
        timestamps: new Timestamps(),
      })
      initiator.attempt(two.nowUs, { wallUs: 1, localIndex: 1, instance: random(8) })
      const message = initiator.messageFor(two.nowUs, 0)!
      for (const answer of inject(message)) {
        answered++
        expect(answer.bytes).toBeLessThan(message.length)
      }
    }
    expect(answered).toBeGreaterThan(300) // cookies, once it is under load
    const { peers, refusals } = two.server.core.snapshot()
    expect(peers).toHaveLength(1)
    expect(refusals['stranger']).toBeLessThan(100)
  })
})
