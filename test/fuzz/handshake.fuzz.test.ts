/**
 * Hostile octets against everything that reads handshake messages: never an exception, never an acceptance.
 * The corpus is one genuine message of each type between two fixed sides; the seed is fixed too.
 * After a change of the wire, WRITE_CORPUS=1 writes it anew.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CookieIssuer } from '../../src/core/cookie.js'
import { NO_PSK } from '../../src/core/handshake.js'
import { Initiator } from '../../src/core/initiator.js'
import { ascii, blake2b, concat } from '../../src/core/keys.js'
import { Responder } from '../../src/core/responder.js'
import { Timestamps } from '../../src/core/timestamp.js'
import { MESSAGE, WIRE } from '../../src/wire.js'
import { ASSIGNMENT, INSTANCE, keyPair, OFFER, SOURCE, seeded } from '../unit/handshake_fixture.js'

const CORPUS = new URL('./corpus/handshake/', import.meta.url)
const PATH = 0
const MAC2_AT = 155

const corpus = Object.fromEntries(
  readdirSync(CORPUS).map((name) => [name, new Uint8Array(readFileSync(new URL(name, CORPUS)))]),
)
const genuine = (name: 'initiation' | 'response' | 'cookie') => corpus[`${name}.bin`]!

/** The side that wrote initiation.bin and waits for response.bin. */
function newInitiator(): Initiator {
  const initiator = new Initiator({
    staticKey: keyPair('fuzz client'),
    serverPublicKey: keyPair('fuzz server').publicKey,
    offer: OFFER,
    random: seeded('fuzz initiator'),
    timestamps: new Timestamps(),
  })
  initiator.attempt(0, { wallUs: 1, localIndex: 0x1234, instance: INSTANCE })
  return initiator
}

/** The side that wrote response.bin. */
function newResponder(): Responder {
  return new Responder({
    staticKey: keyPair('fuzz server'),
    offer: OFFER,
    random: seeded('fuzz responder'),
  })
}

describe('the corpus', () => {
  it('is what these two sides say', () => {
    const initiator = newInitiator()
    const initiation = initiator.messageFor(0, PATH)!
    const responder = newResponder()
    const received = responder.handle(0, SOURCE, initiation)
    if (received.kind !== 'initiation') throw new Error(received.kind)
    const options = { psk: NO_PSK, localIndex: 0x5678, assignment: ASSIGNMENT }
    const answer = responder.answer(0, received.initiation, options)
    if ('refused' in answer) throw new Error(answer.refused)
    const { publicKey } = keyPair('fuzz server')
    const issuer = new CookieIssuer({ publicKey, random: seeded('fuzz issuer') })
    const cookie = issuer.reply(0, SOURCE, initiation)
    const said = {
      'initiation.bin': initiation,
      'response.bin': answer.message,
      'cookie.bin': cookie,
    }
    if (process.env['WRITE_CORPUS'] !== undefined) {
      for (const [name, message] of Object.entries(said))
        writeFileSync(new URL(name, CORPUS), message)
    }

    expect(corpus).toEqual(said)
    expect(initiator.handleCookie(0, PATH, genuine('cookie'))).toBeUndefined()
    expect(initiator.handleResponse(genuine('response'))).toHaveProperty('keys')
  })
})

/** One change of a message; positions and lengths are taken modulo what there is. */
const edit = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('add' as const), octets: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({
    kind: fc.constant('write' as const),
    at: fc.nat(),
    octets: fc.uint8Array({ maxLength: 48 }),
  }),
  fc.record({
    kind: fc.constant('splice' as const),
    at: fc.nat(),
    from: fc.constantFrom(...Object.values(corpus)),
  }),
)
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

function edited(message: Uint8Array, change: Edit): Uint8Array {
  const at = 'at' in change ? change.at % Math.max(1, message.length) : 0
  switch (change.kind) {
    case 'flip': {
      const copy = message.slice()
      if (copy.length > 0) copy[at]! ^= 1 << change.bit
      return copy
    }
    case 'cut':
      return message.slice(0, at)
    case 'add':
      return concat(message, change.octets)
    case 'write': {
      const copy = message.slice()
      copy.set(change.octets.subarray(0, copy.length - at), at)
      return copy
    }
    case 'splice':
      return concat(message.subarray(0, at), change.from.subarray(at))
  }
}

/** With the mac1 that one who knows both public keys would make, so that what lies behind it is reached. */
function withMac1(message: Uint8Array): Uint8Array {
  const [at, receiver] = message[0] === MESSAGE.response.value ? [109, 'client'] : [139, 'server']
  if (message.length < at + 16) return message
  const key = blake2b(32, concat(ascii(WIRE.mac1Label), keyPair(`fuzz ${receiver}`).publicKey))
  const copy = message.slice()
  copy.set(blake2b(16, copy.subarray(0, at), key), at)
  return copy
}

const hostile = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...Object.values(corpus)),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
      )
      .map(([message, edits, again]) => {
        const changed = edits.reduce(edited, message)
        return again ? withMac1(changed) : changed
      }),
  },
)

const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
const isGenuine = (message: Uint8Array) =>
  Object.values(corpus).some((each) => isSame(each, message))

/** Up to mac2, which counts under load only. */
const isInitiation = (message: Uint8Array) =>
  message.length === genuine('initiation').length &&
  isSame(message.subarray(0, MAC2_AT), genuine('initiation').subarray(0, MAC2_AT))

const RUNS = { seed: 1_729, numRuns: 4000 }

describe('hostile octets', () => {
  it('do not move a responder, but for mac2, which counts under load only', () => {
    const responder = newResponder()
    let nowUs = 0
    fc.assert(
      fc.property(hostile, (message) => {
        nowUs += 100_000
        const received = responder.handle(nowUs, SOURCE, message)
        expect(received.kind).toBe(isInitiation(message) ? 'initiation' : 'refused')
      }),
      RUNS,
    )
  })

  it('do not move a responder under load beyond a smaller answer', () => {
    const responder = newResponder()
    for (let count = 0; count <= 40; count += 1) {
      responder.handle(0, SOURCE, genuine('initiation'))
    }
    fc.assert(
      fc.property(hostile, (message) => {
        const received = responder.handle(1, SOURCE, message)
        expect(['refused', 'cookie']).toContain(received.kind)
        if (received.kind === 'cookie') {
          expect(received.message.length).toBeLessThan(message.length)
        }
      }),
      RUNS,
    )
  })

  it('do not move an initiator', () => {
    const initiator = newInitiator()
    fc.assert(
      fc.property(hostile, (message) => {
        if (isGenuine(message)) return
        expect(initiator.handleResponse(message)).toHaveProperty('refused')
        expect(initiator.handleCookie(0, PATH, message)).toHaveProperty('refused')
      }),
      RUNS,
    )
    expect(initiator.messageFor(0, PATH)).toEqual(genuine('initiation'))
    expect(initiator.handleResponse(genuine('response'))).toHaveProperty('keys')
  })
})
