import { describe, expect, it } from 'vitest'
import {
  chooseAead,
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  type InitiationPayload,
  NO_INVITE,
  NO_PSK,
  type ResponsePayload,
} from '../../src/core/handshake.js'
import { ascii, blake2b, concat } from '../../src/core/keys.js'
import { NoiseHandshake } from '../../src/core/noise.js'
import { MptunError } from '../../src/errors.js'
import { AES, ASSIGNMENT, CHACHA, flipped, keyPair, seeded } from './handshake_fixture.js'

const client = keyPair('client')
const server = keyPair('server')

const PAYLOAD: InitiationPayload = {
  timestamp: 1_700_000_000_000_000,
  instance: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  invite: NO_INVITE,
  aeads: CHACHA | AES,
  preferred: AES,
  features: 0x01020304,
  reserved: 0,
}
const ANSWER: ResponsePayload = {
  ...ASSIGNMENT,
  instance: Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1),
  aead: AES,
  features: 1,
}

const initiate = (payload = PAYLOAD, psk = NO_PSK) =>
  createInitiation({
    staticKey: client,
    serverPublicKey: server.publicKey,
    psk,
    ephemeralSecret: seeded('client ephemeral')(32),
    localIndex: 0x1234,
    payload,
  })
const read = (message: Uint8Array, staticKey = server) => consumeInitiation({ staticKey, message })
const consumed = (message: Uint8Array) => {
  const result = read(message)
  if ('refused' in result) throw new Error(result.refused)
  return result
}
const respond = (message: Uint8Array, payload = ANSWER, psk = NO_PSK) =>
  createResponse(consumed(message).state, {
    psk,
    ephemeralSecret: seeded('server ephemeral')(32),
    localIndex: 0xabcd,
    payload,
  })

describe('a handshake', () => {
  it('tells each side what the other said, and gives both the same two keys', () => {
    const { message, state } = initiate()
    const initiation = consumed(message)
    expect(initiation.peerPublicKey).toEqual(client.publicKey)
    expect(initiation.remoteIndex).toBe(0x1234)
    expect(initiation.payload).toEqual(PAYLOAD)

    const response = respond(message)
    const established = consumeResponse(state, response.message)
    if ('refused' in established) throw new Error(established.refused)
    expect(established.remoteIndex).toBe(0xabcd)
    expect(established.payload).toEqual(ANSWER)
    expect(established.keys.sendKey).toEqual(response.keys.receiveKey)
    expect(established.keys.receiveKey).toEqual(response.keys.sendKey)
    expect(established.keys.sendKey).not.toEqual(established.keys.receiveKey)
    expect(established.keys.sendKey).toHaveLength(32)
  })

  it('has the lengths of the contract and no answer larger than its question', () => {
    const { message } = initiate()
    expect(message).toHaveLength(171)
    expect(respond(message).message).toHaveLength(125)
  })

  it('has the mac1 of the WireGuard paper with BLAKE2b, keyed with the public key of the receiver', () => {
    const { message } = initiate()
    const label = ascii('mptun mac1')
    const mac = (covered: Uint8Array, publicKey: Uint8Array) =>
      blake2b(16, covered, blake2b(32, concat(label, publicKey)))
    expect(message.slice(139, 155)).toEqual(mac(message.subarray(0, 139), server.publicKey))
    expect(message.slice(155)).toEqual(new Uint8Array(16))
    const response = respond(message).message
    expect(response.slice(109)).toEqual(mac(response.subarray(0, 109), client.publicKey))
  })

  it('needs the same psk on both sides', () => {
    const [secret, another] = [seeded('invitation')(32), seeded('another')(32)]
    const { message, state } = initiate(PAYLOAD, secret)
    const forged = { refused: 'forged' }
    expect(consumeResponse(state, respond(message, ANSWER, another).message)).toEqual(forged)
    expect(consumeResponse(state, respond(message, ANSWER, secret).message)).toHaveProperty('keys')
    const uninvited = initiate()
    const { message: response } = respond(uninvited.message, ANSWER, secret)
    expect(consumeResponse(uninvited.state, response)).toEqual(forged)
  })

  it('goes on with an invited client that the server has enrolled before, without psk', () => {
    const { message, state } = initiate(PAYLOAD, seeded('invitation')(32))
    const response = respond(message)
    const established = consumeResponse(state, response.message)
    expect(established).toMatchObject({ keys: { sendKey: response.keys.receiveKey } })
  })

  it('gives other keys for other ephemeral secrets', () => {
    const first = respond(initiate().message)
    const second = createResponse(consumed(initiate().message).state, {
      psk: NO_PSK,
      ephemeralSecret: seeded('another')(32),
      localIndex: 1,
      payload: ANSWER,
    })
    expect(first.keys.sendKey).not.toEqual(second.keys.sendKey)
  })
})

describe('an initiation', () => {
  it('is refused with the name of the first fault', () => {
    const { message } = initiate()
    const cases: [string, Uint8Array][] = [
      ['type', new Uint8Array(0)],
      ['type', flipped(message, 0, 1)],
      ['length', message.subarray(0, 170)],
      ['length', concat(message, Uint8Array.of(0))],
      ['version', flipped(message, 1)],
      ['mac1', flipped(message, 2)],
      ['mac1', flipped(message, 139)],
    ]
    for (const [reason, bytes] of cases) expect(read(bytes)).toEqual({ refused: reason })
    expect(read(message, keyPair('somebody'))).toEqual({ refused: 'mac1' })
  })

  it('is refused whichever octet behind its version is turned over, even by one who can make mac1', () => {
    const { message } = initiate()
    const key = blake2b(32, concat(ascii('mptun mac1'), server.publicKey))
    for (let octet = 2; octet < 139; octet += 1) {
      const forged = flipped(message, octet, octet % 8)
      // X25519 ignores the highest bit of the ephemeral key, Noise's hash does not.
      forged.set(blake2b(16, forged.subarray(0, 139), key), 139)
      expect(read(forged), `octet ${octet}`).toEqual({ refused: 'forged' })
    }
  })

  it('is accepted whatever mac2 says, which is the business of cookies', () => {
    expect(read(flipped(initiate().message, 170))).toHaveProperty('state')
  })

  it('is accepted whatever is in what a later version may give a meaning', () => {
    const payload = {
      ...PAYLOAD,
      aeads: 0xff,
      preferred: 0xff,
      features: 2 ** 32 - 1,
      reserved: 255,
    }
    expect(consumed(initiate(payload).message).payload).toMatchObject({ features: 2 ** 32 - 1 })
  })

  it('is refused when its timestamp is beyond every clock', () => {
    const noise = new NoiseHandshake({
      pattern: 'IKpsk2',
      prologue: ascii('mptun 2'),
      staticKey: client,
      remoteStatic: server.publicKey,
    })
    const payload = new Uint8Array(41).fill(0xff)
    const sealed = noise.writeMessage(payload, seeded('client ephemeral')(32))!
    const covered = concat(Uint8Array.of(1, 2), sealed)
    const mac1 = blake2b(16, covered, blake2b(32, concat(ascii('mptun mac1'), server.publicKey)))
    expect(read(concat(covered, mac1, new Uint8Array(16)))).toEqual({ refused: 'payload' })
  })

  it('is not written to a server whose public key no key pair has', () => {
    const write = () =>
      createInitiation({
        staticKey: client,
        serverPublicKey: new Uint8Array(32),
        psk: NO_PSK,
        ephemeralSecret: seeded('client ephemeral')(32),
        localIndex: 1,
        payload: PAYLOAD,
      })
    expect(write).toThrow(MptunError)
    expect(write).toThrow(/low order/)
  })
})

describe('a response', () => {
  it('is refused with the name of the first fault, and the genuine one is still taken after', () => {
    const { message, state } = initiate()
    const response = respond(message).message
    const key = blake2b(32, concat(ascii('mptun mac1'), client.publicKey))
    const sealedAgain = (bytes: Uint8Array) => {
      bytes.set(blake2b(16, bytes.subarray(0, 109), key), 109)
      return bytes
    }
    const cases: [string, Uint8Array][] = [
      ['type', message],
      ['length', response.subarray(0, 124)],
      ['version', flipped(response, 1)],
      ['mac1', flipped(response, 40)],
      ['index', sealedAgain(flipped(response, 2))],
    ]
    for (const [reason, bytes] of cases) {
      expect(consumeResponse(state, bytes)).toEqual({ refused: reason })
    }
    for (let octet = 4; octet < 109; octet += 1) {
      const forged = sealedAgain(flipped(response, octet, octet % 8))
      expect(consumeResponse(state, forged), `octet ${octet}`).toEqual({ refused: 'forged' })
    }
    expect(consumeResponse(state, response)).toHaveProperty('keys')
  })

  it.each([
    ['two AEADs', { ...ANSWER, aead: AES | CHACHA }],
    ['no AEAD', { ...ANSWER, aead: 0 }],
    ['an AEAD that was not offered', { ...ANSWER, aead: 4 }],
    ['an IPv4 prefix of 33', { ...ANSWER, ipv4Prefix: 33 }],
    ['an IPv6 prefix of 129', { ...ANSWER, ipv6Prefix: 129 }],
  ])('is refused with %s', (_, payload) => {
    const { message, state } = initiate()
    expect(consumeResponse(state, respond(message, payload).message)).toEqual({
      refused: 'payload',
    })
  })
})

describe('the choice of the AEAD', () => {
  const both = CHACHA | AES
  it.each([
    ['AES where both prefer it', both, AES, both, AES, AES],
    ['ChaCha20 where one side does not', both, AES, both, 0, CHACHA],
    ['ChaCha20 where the other side does not', both, 0, both, AES, CHACHA],
    ['ChaCha20 where it is all that is common', both, AES, CHACHA, 0, CHACHA],
    ['AES where it is all that is common', both, 0, AES, 0, AES],
    ['no preference for what is not accepted', CHACHA, both, both, both, CHACHA],
    ['nothing where nothing is common', CHACHA, CHACHA, AES, AES, undefined],
    ['nothing of what is unknown', 0xfc | CHACHA, 0xfc, 0xfc, 0xfc, undefined],
  ])('is %s', (_, aeads, preferred, theirAeads, theirPreferred, chosen) => {
    const ours = { aeads, preferred }
    const theirs = { aeads: theirAeads, preferred: theirPreferred }
    expect(chooseAead(ours, theirs)).toBe(chosen)
    expect(chooseAead(theirs, ours)).toBe(chosen)
  })
})
