/**
 * The product's handshake against the peer that was written from PROTOCOL.md alone, both ways, and the vectors that the peer
 * made: octets for whoever writes another one. WRITE_VECTORS=1 lets the peer write them anew.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { CookieIssuer } from '../../src/core/cookie.js'
import {
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  NO_INVITE,
  NO_PSK,
} from '../../src/core/handshake.js'
import { inviteId } from '../../src/core/invite.js'
import { keyPairOf } from '../../src/core/keys.js'
import * as peer from '../peer/handshake.js'
import { keyPair, seeded } from './handshake_fixture.js'

const HANDSHAKES = new URL('../vectors/handshake.json', import.meta.url)

interface HandshakeVector {
  name: string
  clientSecret: string
  serverSecret: string
  clientEphemeral: string
  serverEphemeral: string
  psk: string
  clientIndex: number
  serverIndex: number
  timestamp: number
  clientInstance: string
  invite: string
  aeads: number
  preferred: number
  clientFeatures: number
  serverInstance: string
  aead: number
  serverFeatures: number
  ipv4: string
  ipv4Prefix: number
  ipv6: string
  ipv6Prefix: number
  serverIpv4: string
  serverIpv6: string
  initiation: string
  response: string
  clientToServer: string
  serverToClient: string
}
type Inputs = Omit<HandshakeVector, 'initiation' | 'response' | 'clientToServer' | 'serverToClient'>

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
const octets = (text: string) => Buffer.from(text, 'hex')
/** A plain array view of the same octets: what the product is given. */
const plain = (text: string) => new Uint8Array(octets(text))

const INPUTS = (): Inputs[] => {
  const random = seeded('handshake vectors')
  const draw = (count: number) => hex(random(count))
  const known: Inputs = {
    name: 'a client that the server knows',
    clientSecret: draw(32),
    serverSecret: draw(32),
    clientEphemeral: draw(32),
    serverEphemeral: draw(32),
    psk: hex(NO_PSK),
    clientIndex: 0x1234,
    serverIndex: 0xfedc,
    timestamp: 1_767_225_600_123_456,
    clientInstance: draw(8),
    invite: hex(NO_INVITE),
    aeads: 3,
    preferred: 2,
    clientFeatures: 0,
    serverInstance: draw(8),
    aead: 2,
    serverFeatures: 0,
    ipv4: '0a470002',
    ipv4Prefix: 24,
    ipv6: 'fd710000000000000000000000000002',
    ipv6Prefix: 64,
    serverIpv4: '0a470001',
    serverIpv6: 'fd710000000000000000000000000001',
  }
  const psk = draw(32)
  const invited: Inputs = {
    ...known,
    name: 'a client with an invitation',
    clientEphemeral: draw(32),
    serverEphemeral: draw(32),
    psk,
    invite: hex(peer.inviteId(octets(psk))),
    aeads: 1,
    preferred: 0,
    clientFeatures: 0x80000001,
    aead: 1,
    serverFeatures: 1,
  }
  return [known, invited]
}

const clientPayload = (from: Inputs): peer.InitiationPayload => ({
  timestamp: BigInt(from.timestamp),
  instance: octets(from.clientInstance),
  invite: octets(from.invite),
  aeads: from.aeads,
  preferred: from.preferred,
  features: from.clientFeatures,
})
const serverPayload = (from: Inputs): peer.ResponsePayload => ({
  instance: octets(from.serverInstance),
  aead: from.aead,
  features: from.serverFeatures,
  ipv4: octets(from.ipv4),
  ipv4Prefix: from.ipv4Prefix,
  ipv6: octets(from.ipv6),
  ipv6Prefix: from.ipv6Prefix,
  serverIpv4: octets(from.serverIpv4),
  serverIpv6: octets(from.serverIpv6),
})
const peerInitiation = (from: Inputs) =>
  peer.writeInitiation({
    secret: octets(from.clientSecret),
    serverPublic: Buffer.from(keyPairOf(plain(from.serverSecret)).publicKey),
    ephemeral: octets(from.clientEphemeral),
    psk: octets(from.psk),
    localIndex: from.clientIndex,
    payload: clientPayload(from),
  })
const peerResponse = (from: Inputs, initiation: Uint8Array) =>
  peer.writeResponse(peer.readInitiation(octets(from.serverSecret), Buffer.from(initiation)), {
    ephemeral: octets(from.serverEphemeral),
    psk: octets(from.psk),
    localIndex: from.serverIndex,
    payload: serverPayload(from),
  })

const productInitiation = (from: Inputs) =>
  createInitiation({
    staticKey: keyPairOf(plain(from.clientSecret)),
    serverPublicKey: keyPairOf(plain(from.serverSecret)).publicKey,
    psk: plain(from.psk),
    ephemeralSecret: plain(from.clientEphemeral),
    localIndex: from.clientIndex,
    payload: { ...clientPayload(from), timestamp: from.timestamp, reserved: 0 },
  })
const productResponse = (from: Inputs, message: Uint8Array) => {
  const staticKey = keyPairOf(plain(from.serverSecret))
  const consumed = consumeInitiation({ staticKey, message })
  if ('refused' in consumed) throw new Error(consumed.refused)
  const answer = createResponse(consumed.state, {
    psk: plain(from.psk),
    ephemeralSecret: plain(from.serverEphemeral),
    localIndex: from.serverIndex,
    payload: serverPayload(from),
  })
  return { consumed, ...answer }
}

beforeAll(() => {
  if (process.env['WRITE_VECTORS'] === undefined) return
  const vectors = INPUTS().map((from): HandshakeVector => {
    const { message: initiation } = peerInitiation(from)
    const { message: response, keys } = peerResponse(from, initiation)
    return {
      ...from,
      initiation: hex(initiation),
      response: hex(response),
      clientToServer: hex(keys.clientToServer),
      serverToClient: hex(keys.serverToClient),
    }
  })
  writeFileSync(HANDSHAKES, `${JSON.stringify({ vectors }, null, 1)}\n`)
})

const vectors = (): HandshakeVector[] => JSON.parse(readFileSync(HANDSHAKES, 'utf8')).vectors

describe('the handshake vectors', () => {
  it('have the inputs of this test', () => {
    expect(vectors().map((vector) => ({ ...vector }))).toMatchObject(INPUTS())
  })

  it('are what the product writes', () => {
    for (const vector of vectors()) {
      expect(hex(productInitiation(vector).message), vector.name).toBe(vector.initiation)
      const { message, keys } = productResponse(vector, plain(vector.initiation))
      expect(hex(message)).toBe(vector.response)
      expect(hex(keys.sendKey)).toBe(vector.serverToClient)
      expect(hex(keys.receiveKey)).toBe(vector.clientToServer)
    }
  })

  it('are what the product reads', () => {
    for (const vector of vectors()) {
      const { state } = productInitiation(vector)
      const established = consumeResponse(state, plain(vector.response))
      if ('refused' in established) throw new Error(established.refused)
      expect(hex(established.keys.sendKey)).toBe(vector.clientToServer)
      expect(hex(established.keys.receiveKey)).toBe(vector.serverToClient)
      expect(established.remoteIndex).toBe(vector.serverIndex)
      expect(hex(established.payload.ipv6)).toBe(vector.ipv6)
      expect(established.payload.aead).toBe(vector.aead)
    }
  })
})

describe('a stranger that follows PROTOCOL.md', () => {
  it('shakes hands as client with the product as server', () => {
    for (const from of INPUTS()) {
      const { message, state } = peerInitiation(from)
      const { consumed, message: response, keys } = productResponse(from, new Uint8Array(message))
      expect(hex(consumed.payload.invite)).toBe(from.invite)
      expect(consumed.payload.timestamp).toBe(from.timestamp)
      const established = peer.readResponse(state, Buffer.from(response))
      expect(hex(established.keys.clientToServer)).toBe(hex(keys.receiveKey))
      expect(hex(established.keys.serverToClient)).toBe(hex(keys.sendKey))
      expect(established.payload).toEqual(serverPayload(from))
      expect(established.remoteIndex).toBe(from.serverIndex)
    }
  })

  it('shakes hands as server with the product as client', () => {
    for (const from of INPUTS()) {
      const { message, state } = productInitiation(from)
      const { message: response, keys } = peerResponse(from, message)
      const established = consumeResponse(state, new Uint8Array(response))
      expect(established).toMatchObject({
        remoteIndex: from.serverIndex,
        keys: {
          sendKey: new Uint8Array(keys.clientToServer),
          receiveKey: new Uint8Array(keys.serverToClient),
        },
      })
    }
  })

  it('is let in again with an invitation that has made it known', () => {
    const [, from] = INPUTS()
    const { message, state } = peerInitiation(from!)
    const { message: response } = productResponse({ ...from!, psk: hex(NO_PSK) }, message)
    expect(peer.readResponse(state, Buffer.from(response)).payload.aead).toBe(from!.aead)
  })

  it('proves its address with a cookie of the product', () => {
    const server = keyPair('server')
    const issuer = new CookieIssuer({ publicKey: server.publicKey, random: seeded('issuer') })
    const source = { address: Uint8Array.of(192, 0, 2, 9), port: 0x1234 }
    const [known] = INPUTS()
    const from = { ...known!, serverSecret: hex(seeded('server')(32)) }
    const { message } = peerInitiation(from)
    const reply = issuer.reply(0, source, message)
    const proved = peer.proveAddress(
      message,
      message,
      Buffer.from(reply),
      Buffer.from(server.publicKey),
    )
    expect(issuer.isProved(1, source, message)).toBe(false)
    expect(issuer.isProved(1, source, proved)).toBe(true)
  })

  it('gives an invitation the same id', () => {
    const secret = seeded('invitation')(32)
    expect(hex(peer.inviteId(secret))).toBe(hex(inviteId(secret)))
  })
})
