import { describe, expect, it } from 'vitest'
import { CookieIssuer } from '../../src/core/cookie.js'
import { consumeInitiation, createResponse, NO_PSK } from '../../src/core/handshake.js'
import { Initiator } from '../../src/core/initiator.js'
import type { RandomBytes } from '../../src/core/keys.js'
import { Timestamps } from '../../src/core/timestamp.js'
import {
  ASSIGNMENT,
  CHACHA,
  INSTANCE,
  keyPair,
  OFFER,
  SOURCE,
  seeded,
} from './handshake_fixture.js'

const newInitiator = (random: RandomBytes = seeded('client')) =>
  new Initiator({
    staticKey: keyPair('client'),
    serverPublicKey: keyPair('server').publicKey,
    offer: OFFER,
    random,
    timestamps: new Timestamps(),
  })

const read = (message: Uint8Array) => {
  const consumed = consumeInitiation({ staticKey: keyPair('server'), message })
  if ('refused' in consumed) throw new Error(consumed.refused)
  return consumed
}
const respond = (message: Uint8Array, psk = NO_PSK, aead = CHACHA) =>
  createResponse(read(message).state, {
    psk,
    ephemeralSecret: seeded('server ephemeral')(32),
    localIndex: 9,
    payload: { ...ASSIGNMENT, aead, features: 0 },
  }).message

/** Randomness whose two-octet draws, which are the jitter, are all `octet`. */
const jitter = (octet: number): RandomBytes => {
  const random = seeded('client')
  return (count) => (count === 2 ? new Uint8Array(2).fill(octet) : random(count))
}

/** Waiting times between tries when nobody answers, microseconds. */
function waits(initiator: Initiator, tries: number): number[] {
  initiator.start(0)
  return Array.from({ length: tries }, (_, index) => {
    const nowUs = initiator.nextTimeout()!
    initiator.attempt(nowUs, { wallUs: nowUs, localIndex: index, instance: INSTANCE })
    return initiator.nextTimeout()! - nowUs
  })
}

describe('retransmission', () => {
  it('is due at once, then after 250 ms, doubling to 2 s', () => {
    const initiator = newInitiator(jitter(0))
    expect(initiator.nextTimeout()).toBeUndefined()
    expect(waits(initiator, 7)).toEqual([
      250_000, 500_000, 1_000_000, 2_000_000, 2_000_000, 2_000_000, 2_000_000,
    ])
  })

  it('is late by a quarter at most', () => {
    for (const wait of waits(newInitiator(jitter(0xff)), 7)) {
      const [base] = [250_000, 500_000, 1_000_000, 2_000_000].filter((us) => us <= wait).slice(-1)
      expect(wait / base!).toBeGreaterThan(1.2)
      expect(wait / base!).toBeLessThan(1.25)
    }
  })

  it('begins anew with start and ends with stop', () => {
    const initiator = newInitiator(jitter(0))
    waits(initiator, 5)
    expect(waits(initiator, 2)).toEqual([250_000, 500_000])
    initiator.stop()
    expect(initiator.nextTimeout()).toBeUndefined()
    expect(initiator.messageFor(0, 0)).toBeUndefined()
  })
})

describe('an initiation', () => {
  it('is the same on every path and another one in every try', () => {
    const initiator = newInitiator()
    initiator.attempt(0, { wallUs: 1, localIndex: 1, instance: INSTANCE })
    const first = initiator.messageFor(0, 0)
    expect(initiator.messageFor(0, 1)).toEqual(first)
    initiator.attempt(1, { wallUs: 2, localIndex: 2, instance: INSTANCE })
    expect(initiator.messageFor(1, 0)!.slice(2, 34)).not.toEqual(first!.slice(2, 34))
  })

  it('has a timestamp that grows while the clock stands still or runs back', () => {
    const initiator = newInitiator()
    const timestamps = [5001, 6000, 6000, 5999, 1_700_000_000_000_000, 3].map((wallUs) => {
      initiator.attempt(0, { wallUs, localIndex: 1, instance: INSTANCE })
      return read(initiator.messageFor(0, 0)!).payload.timestamp
    })
    expect(timestamps).toEqual([
      5001, 6000, 6001, 6002, 1_700_000_000_000_000, 1_700_000_000_000_001,
    ])
  })

  it('says which session it belongs to', () => {
    const initiator = newInitiator()
    initiator.attempt(0, { wallUs: 1, localIndex: 1, instance: INSTANCE })
    expect(read(initiator.messageFor(0, 0)!).payload.instance).toEqual(INSTANCE)
  })

  it('names the invitation whose secret is the psk', () => {
    const invitation = { id: seeded('id')(16), secret: seeded('secret')(32) }
    const initiator = newInitiator()
    initiator.attempt(0, { wallUs: 1, localIndex: 1, invitation, instance: INSTANCE })
    const message = initiator.messageFor(0, 0)!
    expect(read(message).payload.invite).toEqual(invitation.id)
    const another = seeded('another')(32)
    expect(initiator.handleResponse(respond(message, another))).toEqual({ refused: 'forged' })
    expect(initiator.handleResponse(respond(message, invitation.secret))).toHaveProperty('keys')
  })
})

describe('an answer', () => {
  it('wins once; its copies over other uplinks come to nothing', () => {
    const initiator = newInitiator()
    initiator.start(0)
    initiator.attempt(0, { wallUs: 1, localIndex: 1, instance: INSTANCE })
    const response = respond(initiator.messageFor(0, 0)!)
    expect(initiator.handleResponse(response)).toMatchObject({ localIndex: 1, remoteIndex: 9 })
    expect(initiator.handleResponse(response)).toEqual({ refused: 'index' })
    expect(initiator.nextTimeout()).toBeUndefined()
  })

  it('to an earlier try is refused', () => {
    const initiator = newInitiator()
    initiator.attempt(0, { wallUs: 1, localIndex: 1, instance: INSTANCE })
    const late = respond(initiator.messageFor(0, 0)!)
    initiator.attempt(0, { wallUs: 2, localIndex: 2, instance: INSTANCE })
    expect(initiator.handleResponse(late)).toEqual({ refused: 'index' })
    expect(initiator.handleResponse(respond(initiator.messageFor(0, 0)!))).toHaveProperty('keys')
  })

  it('that contradicts the protocol ends the try, and the next one is due in its time', () => {
    const initiator = newInitiator(jitter(0))
    initiator.start(0)
    initiator.attempt(0, { wallUs: 1, localIndex: 1, instance: INSTANCE })
    const response = respond(initiator.messageFor(0, 0)!, NO_PSK, 0x40)
    expect(initiator.handleResponse(response)).toEqual({ refused: 'payload' })
    expect(initiator.handleResponse(response)).toEqual({ refused: 'index' })
    expect(initiator.nextTimeout()).toBe(250_000)
  })
})

describe('a cookie', () => {
  it('goes with the next try on its path', () => {
    const initiator = newInitiator()
    const issuer = new CookieIssuer({
      publicKey: keyPair('server').publicKey,
      random: seeded('issuer'),
    })
    initiator.attempt(0, { wallUs: 1, localIndex: 1, instance: INSTANCE })
    const reply = issuer.reply(0, SOURCE, initiator.messageFor(0, 4)!)
    expect(initiator.handleCookie(0, 4, reply)).toBeUndefined()
    initiator.attempt(1, { wallUs: 2, localIndex: 2, instance: INSTANCE })
    expect(issuer.isProved(1, SOURCE, initiator.messageFor(1, 4)!)).toBe(true)
    expect(issuer.isProved(1, SOURCE, initiator.messageFor(1, 5)!)).toBe(false)
    expect(initiator.handleCookie(1, 4, reply)).toEqual({ refused: 'cookie' })
    initiator.stop()
    expect(initiator.handleCookie(1, 4, reply)).toEqual({ refused: 'index' })
  })
})
