import { beforeEach, describe, expect, it } from 'vitest'
import { CookieIssuer, CookieJar } from '../../src/core/cookie.js'
import { createInitiation, NO_INVITE, NO_PSK } from '../../src/core/handshake.js'
import { concat, type KeyPair } from '../../src/core/keys.js'
import { TIMER } from '../../src/wire.js'
import { CHACHA, flipped, keyPair, SOURCE, seeded } from './handshake_fixture.js'

const LIFETIME_US = TIMER.cookieLifetimeUs.value
const PATH = 3

let server: KeyPair
let issuer: CookieIssuer
let jar: CookieJar
beforeEach(() => {
  server = keyPair('server')
  issuer = new CookieIssuer({ publicKey: server.publicKey, random: seeded('issuer') })
  jar = new CookieJar(server.publicKey)
})

const initiation = (seed = 'ephemeral') =>
  createInitiation({
    staticKey: keyPair('client'),
    serverPublicKey: server.publicKey,
    psk: NO_PSK,
    ephemeralSecret: seeded(seed)(32),
    localIndex: 0x1234,
    payload: {
      timestamp: 1,
      instance: new Uint8Array(8),
      invite: NO_INVITE,
      aeads: CHACHA,
      preferred: 0,
      features: 0,
      reserved: 0,
    },
  }).message

describe('a cookie', () => {
  it('proves the source address of later initiations', () => {
    const first = initiation('first')
    expect(issuer.isProved(0, SOURCE, jar.prove(0, PATH, first))).toBe(false)
    const reply = issuer.reply(0, SOURCE, first)
    expect(jar.take(0, PATH, reply, first)).toBeUndefined()

    const second = jar.prove(0, PATH, initiation('second'))
    expect(issuer.isProved(0, SOURCE, second)).toBe(true)
    expect(second.slice(0, 155)).toEqual(initiation('second').slice(0, 155))
  })

  it('proves no other address, no other port and no other message', () => {
    const message = initiation()
    jar.take(0, PATH, issuer.reply(0, SOURCE, message), message)
    const proved = jar.prove(0, PATH, message)
    expect(issuer.isProved(0, SOURCE, proved)).toBe(true)
    const address = Uint8Array.of(192, 0, 2, 2)
    expect(issuer.isProved(0, { ...SOURCE, address }, proved)).toBe(false)
    expect(issuer.isProved(0, { ...SOURCE, port: SOURCE.port + 256 }, proved)).toBe(false)
    expect(issuer.isProved(0, { ...SOURCE, port: SOURCE.port + 1 }, proved)).toBe(false)
    for (let octet = 0; octet < 171; octet += 1) {
      expect(issuer.isProved(0, SOURCE, flipped(proved, octet)), `octet ${octet}`).toBe(false)
    }
  })

  it('belongs to the path that it came on', () => {
    const message = initiation()
    jar.take(0, PATH, issuer.reply(0, SOURCE, message), message)
    expect(jar.prove(0, PATH + 1, message)).toEqual(message)
  })

  it('is used by the client for its lifetime and no longer', () => {
    const message = initiation()
    jar.take(1000, PATH, issuer.reply(1000, SOURCE, message), message)
    expect(jar.prove(1000 + LIFETIME_US - 1, PATH, message)).not.toEqual(message)
    expect(jar.prove(1000 + LIFETIME_US, PATH, message)).toEqual(message)
  })

  it('is good at the server for its lifetime at least and for two at most', () => {
    const message = initiation()
    const bornUs = LIFETIME_US - 1
    issuer.reply(0, SOURCE, message)
    jar.take(0, PATH, issuer.reply(bornUs, SOURCE, message), message)
    const proved = jar.prove(0, PATH, message)
    expect(issuer.isProved(bornUs + LIFETIME_US, SOURCE, proved)).toBe(true)
    expect(issuer.isProved(bornUs + 2 * LIFETIME_US, SOURCE, proved)).toBe(false)
  })

  it('is worthless after a pause in which nobody turned the secrets', () => {
    const message = initiation()
    jar.take(0, PATH, issuer.reply(0, SOURCE, message), message)
    const proved = jar.prove(0, PATH, message)
    expect(issuer.isProved(2 * LIFETIME_US, SOURCE, proved)).toBe(false)
  })
})

describe('a cookie reply', () => {
  it('is smaller than the initiation', () => {
    const message = initiation()
    expect(issuer.reply(0, SOURCE, message)).toHaveLength(58)
    expect(message).toHaveLength(171)
  })

  it('is refused with the name of its fault', () => {
    const message = initiation()
    const reply = issuer.reply(0, SOURCE, message)
    const cases: [string, Uint8Array][] = [
      ['type', new Uint8Array(0)],
      ['type', flipped(reply, 0)],
      ['length', reply.subarray(0, 57)],
      ['length', concat(reply, Uint8Array.of(0))],
      ['version', flipped(reply, 1)],
      ['cookie', flipped(reply, 2)],
      ['cookie', flipped(reply, 57)],
    ]
    for (const [reason, bytes] of cases) {
      expect(jar.take(0, PATH, bytes, message)).toEqual({ refused: reason })
    }
    // The reply to another try, which is bound to the mac1 of that one.
    expect(jar.take(0, PATH, reply, initiation('another'))).toEqual({ refused: 'cookie' })
    expect(jar.prove(0, PATH, message)).toEqual(message)
  })
})

describe('load', () => {
  const count = (times: number, nowUs: number) => {
    for (let time = 0; time < times; time += 1) issuer.countInitiation(nowUs)
  }

  it('begins above 40 initiations in a second and ends after a quiet second', () => {
    count(40, 100)
    expect(issuer.isUnderLoad(200)).toBe(false)
    count(1, 300)
    expect(issuer.isUnderLoad(400)).toBe(true)
    expect(issuer.isUnderLoad(1_500_000)).toBe(true)
    expect(issuer.isUnderLoad(2_600_000)).toBe(false)
  })

  it('is not seen in a steady stream of rekeys', () => {
    for (let second = 0; second < 60; second += 1) {
      count(40, second * 1_000_000)
      expect(issuer.isUnderLoad(second * 1_000_000 + 999_999)).toBe(false)
    }
  })

  it('ends when the server was left alone for long', () => {
    count(1000, 0)
    expect(issuer.isUnderLoad(3_600_000_000)).toBe(false)
  })

  it('admits five handshakes a second from one address, and one IPv6 /64 is one address', () => {
    const six = (last: number) => ({
      address: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, last),
      port: last,
    })
    const admitted = [1, 2, 3, 4, 5, 6, 7].map((last) => issuer.admits(0, six(last)))
    expect(admitted).toEqual([true, true, true, true, true, false, false])
    expect(issuer.admits(0, SOURCE)).toBe(true)
    expect(issuer.admits(1_000_000, six(8))).toBe(true)
  })
})
