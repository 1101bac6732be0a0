import { beforeEach, describe, expect, it } from 'vitest'
import { NO_PSK } from '../../src/core/handshake.js'
import { Initiator } from '../../src/core/initiator.js'
import { type Initiation, Responder } from '../../src/core/responder.js'
import { Timestamps } from '../../src/core/timestamp.js'
import {
  AES,
  ASSIGNMENT,
  CHACHA,
  INSTANCE,
  keyPair,
  OFFER,
  SOURCE,
  seeded,
} from './handshake_fixture.js'

const SECOND = 1_000_000

let responder: Responder
beforeEach(() => {
  responder = new Responder({
    staticKey: keyPair('server'),
    offer: OFFER,
    random: seeded('responder'),
  })
})

const newInitiator = (name = 'client', offer = OFFER) =>
  new Initiator({
    staticKey: keyPair(name),
    serverPublicKey: keyPair('server').publicKey,
    offer,
    random: seeded(name),
    timestamps: new Timestamps(),
  })
const initiate = (initiator: Initiator, wallUs = 1, nowUs = 0, path = 0) => {
  initiator.attempt(nowUs, { wallUs, localIndex: 7, instance: INSTANCE })
  return initiator.messageFor(nowUs, path)!
}
const handled = (message: Uint8Array, nowUs = 0): Initiation => {
  const received = responder.handle(nowUs, SOURCE, message)
  if (received.kind !== 'initiation') throw new Error(JSON.stringify(received))
  return received.initiation
}
const answer = (initiation: Initiation, nowUs = 0, localIndex = 9) => {
  const options = { psk: NO_PSK, localIndex, assignment: ASSIGNMENT }
  const result = responder.answer(nowUs, initiation, options)
  if ('refused' in result) throw new Error(result.refused)
  return result
}

describe('a responder', () => {
  it('makes a session with an initiator, with the AEAD that both prefer', () => {
    const initiator = newInitiator()
    const initiation = handled(initiate(initiator))
    expect(initiation.aead).toBe(AES)
    expect(initiation.remoteIndex).toBe(7)
    const { message, keys } = answer(initiation)
    const established = initiator.handleResponse(message)
    if ('refused' in established) throw new Error(established.refused)
    expect(established.localIndex).toBe(7)
    expect(established.remoteIndex).toBe(9)
    expect(established.payload.aead).toBe(AES)
    expect(established.payload.ipv4).toEqual(ASSIGNMENT.ipv4)
    expect(established.keys.sendKey).toEqual(keys.receiveKey)
    expect(initiator.nextTimeout()).toBeUndefined()
  })

  it('refuses a client with which it has no AEAD in common', () => {
    const stranger = newInitiator('client', { aeads: 0x80, preferred: 0, features: 0 })
    expect(responder.handle(0, SOURCE, initiate(stranger))).toMatchObject({
      kind: 'refused',
      refused: 'aead',
    })
    const slow = newInitiator('slow', { aeads: CHACHA, preferred: 0, features: 0 })
    expect(handled(initiate(slow)).aead).toBe(CHACHA)
  })

  it('names what is wrong with a message that does not concern it', () => {
    const message = initiate(newInitiator())
    message[20]! ^= 1
    expect(responder.handle(0, SOURCE, message)).toEqual({ kind: 'refused', refused: 'mac1' })
  })
})

describe('a copy of the accepted initiation', () => {
  it('gets the same answer within five seconds', () => {
    const message = initiate(newInitiator())
    const first = answer(handled(message)).message
    const other = { address: Uint8Array.of(198, 51, 100, 7), port: 1 }
    expect(responder.handle(5 * SECOND - 1, other, message)).toEqual({
      kind: 'repeated',
      message: first,
    })
  })

  it('gets it also with another mac2, which belongs to its own way', () => {
    const message = initiate(newInitiator())
    const first = answer(handled(message)).message
    message.fill(0xaa, 155)
    expect(responder.handle(1, SOURCE, message)).toEqual({ kind: 'repeated', message: first })
  })

  it('is a replay after that', () => {
    const message = initiate(newInitiator())
    answer(handled(message))
    expect(responder.handle(5 * SECOND, SOURCE, message)).toEqual({
      kind: 'refused',
      peerPublicKey: keyPair('client').publicKey,
      refused: 'replay',
    })
  })

  it('is a replay as soon as a newer one was accepted', () => {
    const initiator = newInitiator()
    const old = initiate(initiator)
    answer(handled(old))
    answer(handled(initiate(initiator)))
    expect(responder.handle(1, SOURCE, old)).toMatchObject({ kind: 'refused', refused: 'replay' })
  })

  it('is one initiation more while the first has no answer, and only one of them is answered', () => {
    const message = initiate(newInitiator())
    const [first, second] = [handled(message), handled(message)]
    answer(first)
    const options = { psk: NO_PSK, localIndex: 10, assignment: ASSIGNMENT }
    expect(responder.answer(0, second, options)).toEqual({ refused: 'replay' })
  })

  it('does not count as load', () => {
    const message = initiate(newInitiator())
    answer(handled(message))
    for (let copy = 0; copy < 100; copy += 1) responder.handle(1, SOURCE, message)
    expect(responder.handle(1, SOURCE, initiate(newInitiator(), 2)).kind).toBe('initiation')
  })
})

describe('timestamps', () => {
  it('must grow for one key, whatever the key of another does', () => {
    const message = initiate(newInitiator(), 1000)
    answer(handled(message))
    for (const wallUs of [1, 999, 1000]) {
      const restarted = initiate(newInitiator(), wallUs)
      const received = responder.handle(1, SOURCE, restarted)
      // The third is the same octets again, because the randomness of this test is.
      expect(received.kind).toBe(wallUs === 1000 ? 'repeated' : 'refused')
    }
    handled(initiate(newInitiator('other'), 1))
    handled(initiate(newInitiator(), 1001))
  })

  it('are remembered of nobody who was not answered', () => {
    responder.dismiss(handled(initiate(newInitiator(), 2000)))
    handled(initiate(newInitiator(), 1000))
  })

  it('are forgotten with the key', () => {
    const initiation = handled(initiate(newInitiator(), 2000))
    answer(initiation)
    responder.forget(initiation.peerPublicKey)
    responder.forget(initiation.peerPublicKey)
    handled(initiate(newInitiator(), 2000))
  })
})

describe('under load', () => {
  const flood = (nowUs: number) => {
    for (let client = 0; client <= 40; client += 1) {
      responder.handle(nowUs, SOURCE, initiate(newInitiator(`flood ${client} ${nowUs}`)))
    }
  }

  it('answers with cookies, and takes those who come back with them', () => {
    flood(0)
    const initiator = newInitiator()
    const reply = responder.handle(1, SOURCE, initiate(initiator))
    if (reply.kind !== 'cookie') throw new Error(reply.kind)
    expect(initiator.handleCookie(1, 0, reply.message)).toBeUndefined()

    const proved = initiate(initiator, 2, 2)
    expect(responder.handle(2, { ...SOURCE, port: 1 }, proved).kind).toBe('cookie')
    const { message } = answer(handled(proved, 2))
    expect(initiator.handleResponse(message)).toHaveProperty('keys')
  })

  it('takes five a second from one address', () => {
    flood(0)
    const initiator = newInitiator()
    const reply = responder.handle(1, SOURCE, initiate(initiator))
    if (reply.kind !== 'cookie') throw new Error(reply.kind)
    initiator.handleCookie(1, 0, reply.message)
    const kinds = [2, 3, 4, 5, 6, 7].map((nowUs) => {
      const received = responder.handle(nowUs, SOURCE, initiate(initiator, nowUs, nowUs))
      return received.kind === 'refused' ? received.refused : received.kind
    })
    expect(kinds).toEqual([...Array(5).fill('initiation'), 'rate'])
  })

  it('is over when the flood is', () => {
    flood(0)
    handled(initiate(newInitiator()), 3 * SECOND)
  })
})
