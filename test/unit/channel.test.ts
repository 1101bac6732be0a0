import sodium from 'libsodium-wrappers'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CROSSING } from '../../src/boundary.js'
import { ControlChannel } from '../../src/core/channel.js'
import type { Context } from '../../src/core/context.js'
import { CONTROL_KIND } from '../../src/wire.js'
import { MS, newContext, only, SECOND, takeCommands } from './core_fixture.js'

const PEER = 5
const BODY = Uint8Array.of(9, 8, 7)
const { ack, policy, close, mtu } = CONTROL_KIND

let context: Context
let channel: ControlChannel
beforeAll(() => sodium.ready)
beforeEach(() => {
  context = newContext()
  channel = new ControlChannel(context, PEER)
})

interface Sent {
  readonly path: number | undefined
  readonly id: number
  readonly kind: number
  readonly body: number[]
}

function sent(): Sent[] {
  return only(takeCommands(context), 'controlSend').map(({ fields, payload }) => {
    expect(fields.peer).toBe(PEER)
    const bytes = Buffer.from(payload!)
    const body = [...bytes.subarray(5)]
    return { path: fields.path, id: bytes.readUInt32LE(0), kind: bytes.readUInt8(4), body }
  })
}

function takePayloads(): Uint8Array[] {
  return only(takeCommands(context), 'controlSend').map(({ payload }) => payload!)
}

function message(id: number, kind: number, body: Uint8Array = new Uint8Array()): Uint8Array {
  const bytes = Buffer.alloc(5 + body.length)
  bytes.writeUInt32LE(id, 0)
  bytes.writeUInt8(kind, 4)
  bytes.set(body, 5)
  return new Uint8Array(bytes)
}

/** Calls it whenever it wants until it rests; the times at which it sent something. */
function timesOfSending(fromUs: number): number[] {
  const times = sent().map(() => fromUs)
  for (let nowUs = channel.nextTimeout(); Number.isFinite(nowUs); nowUs = channel.nextTimeout()) {
    channel.handleTimeout(nowUs)
    times.push(...sent().map(() => nowUs))
    expect(channel.nextTimeout()).toBeGreaterThan(nowUs)
  }
  return times
}

describe('a message that is sent', () => {
  it('goes out at once, on whichever path C likes best', () => {
    channel.send(0, 'policy', BODY)
    expect(sent()).toEqual([
      { path: CROSSING.noPath.value, id: 1, kind: policy.value, body: [...BODY] },
    ])
  })

  it('is repeated each 250 ms, eight times in all, and then rests', () => {
    channel.send(SECOND, 'policy', BODY)
    const expected = Array.from({ length: 8 }, (_, i) => SECOND + i * 250 * MS)
    expect(timesOfSending(SECOND)).toEqual(expected)
  })

  it('is tried anew after it was given up when there is another way', () => {
    channel.send(0, 'policy', BODY)
    timesOfSending(0)
    channel.retry(60 * SECOND)
    expect(sent()).toMatchObject([{ id: 1, body: [...BODY] }])
    expect(timesOfSending(60 * SECOND)).toHaveLength(7)
  })

  it('that still waits goes on in its time, and as often as if it had just been sent', () => {
    channel.send(0, 'policy', BODY)
    sent()
    for (let i = 1; i < 7; i++) channel.handleTimeout(i * 250 * MS)
    expect(sent()).toHaveLength(6)
    channel.retry(1510 * MS)
    expect(sent()).toEqual([])
    expect(timesOfSending(0)).toEqual(Array.from({ length: 8 }, (_, i) => (7 + i) * 250 * MS))
  })

  it('is not repeated once it is acknowledged, which is told once', () => {
    channel.send(0, 'policy', BODY)
    sent()
    expect(channel.handle(message(2, ack.value), 0)).toBeUndefined()
    expect(channel.nextTimeout()).toBe(250 * MS)
    expect(channel.handle(message(1, ack.value), 0)).toEqual({
      kind: 'ack',
      body: new Uint8Array(),
    })
    expect(channel.handle(message(1, ack.value), 0)).toBeUndefined()
    channel.retry(SECOND)
    expect(timesOfSending(SECOND)).toEqual([])
  })

  it('takes the place of one of its kind that waits, but of no other', () => {
    channel.send(0, 'policy', Uint8Array.of(1))
    channel.send(100 * MS, 'policy', Uint8Array.of(2))
    channel.send(100 * MS, 'close', Uint8Array.of(3))
    sent()
    channel.handleTimeout(350 * MS)
    expect(sent()).toMatchObject([
      { id: 2, kind: policy.value, body: [2] },
      { id: 3, kind: close.value, body: [3] },
    ])
    channel.handle(message(1, ack.value), 0)
    expect(channel.nextTimeout()).toBe(600 * MS)
  })

  it('can be last words: once on each path, never repeated', () => {
    channel.sendOnce('close', BODY, [0, 3, 15])
    const said = { id: 1, kind: close.value, body: [...BODY] }
    expect(sent()).toEqual([0, 3, 15].map((path) => ({ path, ...said })))
    expect(channel.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a message that comes', () => {
  it('is taken and acknowledged on its own path', () => {
    expect(channel.handle(message(1, policy.value, BODY), 4)).toEqual({
      kind: 'policy',
      body: BODY,
    })
    expect(sent()).toEqual([{ path: 4, id: 1, kind: ack.value, body: [] }])
  })

  it('may be the first of a side that counts from 0, also in a session that begins anew', () => {
    for (let session = 0; session < 2; session++) {
      expect(channel.handle(message(0, policy.value), 0)).toBeDefined()
      expect(channel.handle(message(0, policy.value), 0)).toBeUndefined()
      channel.restart()
    }
  })

  it('is taken once, and acknowledged as often as it comes', () => {
    channel.handle(message(1, policy.value, BODY), 0)
    expect(channel.handle(message(1, policy.value, BODY), 1)).toBeUndefined()
    expect(sent()).toHaveLength(2)
  })

  it('is not taken behind a newer one of its kind', () => {
    expect(channel.handle(message(2, policy.value), 0)).toBeDefined()
    expect(channel.handle(message(1, policy.value), 0)).toBeUndefined()
    expect(channel.handle(message(3, close.value), 0)).toBeDefined()
    expect(sent()).toHaveLength(3)
  })

  it('is taken behind one of another kind that was sent after it', () => {
    channel.send(0, 'mtu', Uint8Array.of(0, 5))
    channel.send(0, 'policy', BODY)
    const [lost, policyBytes] = takePayloads()
    const other = new ControlChannel(context, PEER)
    expect(other.handle(policyBytes!, 0)).toMatchObject({ kind: 'policy' })
    channel.handleTimeout(250 * MS)
    const [repeated] = takePayloads().filter((bytes) => bytes[4] === mtu.value)
    expect(repeated).toEqual(lost)
    expect(other.handle(repeated!, 0)).toMatchObject({ kind: 'mtu' })
    expect(other.handle(repeated!, 0)).toBeUndefined()
  })

  it('is acknowledged and no more when its kind is unknown, and hides nothing that follows', () => {
    expect(channel.handle(message(7, 200, BODY), 0)).toBeUndefined()
    expect(sent()).toMatchObject([{ id: 7, kind: ack.value }])
    expect(channel.handle(message(2, policy.value), 0)).toBeDefined()
  })

  it.each([0, 1, 4])('is nothing with %d octets', (length) => {
    expect(channel.handle(new Uint8Array(length), 0)).toBeUndefined()
    expect(sent()).toEqual([])
  })

  it('is never answered when it is an ack: two sides cannot make each other talk for ever', () => {
    channel.send(0, 'policy', BODY)
    sent()
    channel.handle(message(1, ack.value, BODY), 0)
    channel.handle(message(99, ack.value), 0)
    expect(sent()).toEqual([])
  })

  it('costs the rest of its session only when its number is huge', () => {
    expect(channel.handle(message(0xffffffff, policy.value), 0)).toBeDefined()
    expect(channel.handle(message(1, policy.value), 0)).toBeUndefined()
    channel.restart()
    expect(channel.handle(message(1, policy.value), 0)).toBeDefined()
  })
})

describe('a session that begins anew', () => {
  it('has nothing to repeat of the one before, and does not use its numbers again', () => {
    channel.send(0, 'policy', BODY)
    channel.restart()
    sent()
    expect(channel.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    channel.retry(1)
    expect(sent()).toEqual([])
    channel.send(2, 'policy', BODY)
    expect(channel.handle(message(1, ack.value), 0)).toBeUndefined()
    expect(sent()).toMatchObject([{ id: 2 }])
  })
})
