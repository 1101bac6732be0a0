/** Sections 3 to 5 of PROTOCOL.md, both sides, line by line. */

import { blake2b, dh, hash, kdf, open, openX, publicOf, seal } from './crypto.js'

const VERSION = 2
const [INITIATION, RESPONSE, COOKIE] = [1, 2, 3]
export const AEAD_BITS = { 'chacha20-poly1305': 1, 'aes-256-gcm': 2 } as const

export interface InitiationPayload {
  timestamp: bigint
  instance: Buffer
  invite: Buffer
  aeads: number
  preferred: number
  features: number
}

export interface ResponsePayload {
  instance: Buffer
  aead: number
  features: number
  ipv4: Buffer
  ipv4Prefix: number
  ipv6: Buffer
  ipv6Prefix: number
  serverIpv4: Buffer
  serverIpv6: Buffer
}

export interface Keys {
  clientToServer: Buffer
  serverToClient: Buffer
}

/** What is carried from message to message: hash, chaining key. */
interface Transcript {
  h: Buffer
  ck: Buffer
}

function begin(serverPublic: Uint8Array): Transcript {
  const ck = Buffer.alloc(64)
  ck.write('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b')
  const h = hash(hash(ck, Buffer.from('mptun 2')), serverPublic)
  return { h, ck }
}

function mix(transcript: Transcript, input: Uint8Array): Buffer {
  const [ck, k] = kdf(transcript.ck, input)
  transcript.ck = ck
  return k.subarray(0, 32)
}

function mixPsk(transcript: Transcript, psk: Uint8Array): Buffer {
  const [ck, t, k] = kdf(transcript.ck, psk)
  transcript.ck = ck
  transcript.h = hash(transcript.h, t)
  return k.subarray(0, 32)
}

const NONCE_0 = Buffer.alloc(12)

function sealInto(transcript: Transcript, key: Buffer, plain: Buffer): Buffer {
  const sealed = seal('chacha20-poly1305', key, NONCE_0, transcript.h, plain)
  transcript.h = hash(transcript.h, sealed)
  return sealed
}

function openFrom(transcript: Transcript, key: Buffer, sealed: Buffer): Buffer {
  const plain = open('chacha20-poly1305', key, NONCE_0, transcript.h, sealed)
  if (plain === undefined) throw new Error('peer: a tag of the handshake is wrong')
  transcript.h = hash(transcript.h, sealed)
  return plain
}

function mac1(covered: Buffer, receiverPublic: Uint8Array): Buffer {
  const key = blake2b(32, Buffer.concat([Buffer.from('mptun mac1'), receiverPublic]))
  return blake2b(16, covered, key)
}

function u16(value: number): Buffer {
  const octets = Buffer.alloc(2)
  octets.writeUInt16LE(value)
  return octets
}

export interface ClientState {
  secret: Buffer
  ephemeral: Buffer
  psk: Buffer
  transcript: Transcript
  localIndex: number
}

/** The initiation with mac2 zero, 171 octets. */
export function writeInitiation(options: {
  secret: Buffer
  serverPublic: Buffer
  ephemeral: Buffer
  psk: Buffer
  localIndex: number
  payload: InitiationPayload
}): { message: Buffer; state: ClientState } {
  const { secret, serverPublic, ephemeral, psk, localIndex, payload } = options
  const transcript = begin(serverPublic)
  const ephemeralPublic = publicOf(ephemeral)
  transcript.h = hash(transcript.h, ephemeralPublic)
  mix(transcript, ephemeralPublic)
  const es = mix(transcript, dh(ephemeral, serverPublic))
  const sealedStatic = sealInto(transcript, es, publicOf(secret))
  const ss = mix(transcript, dh(secret, serverPublic))

  const plain = Buffer.alloc(41)
  plain.writeUInt16LE(localIndex, 0)
  plain.writeBigUInt64LE(payload.timestamp, 2)
  payload.instance.copy(plain, 10)
  payload.invite.copy(plain, 18)
  plain.writeUInt8(payload.aeads, 34)
  plain.writeUInt8(payload.preferred, 35)
  plain.writeUInt32LE(payload.features, 36)
  const sealedPayload = sealInto(transcript, ss, plain)

  const head = Buffer.of(INITIATION, VERSION)
  const covered = Buffer.concat([head, ephemeralPublic, sealedStatic, sealedPayload])
  const message = Buffer.concat([covered, mac1(covered, serverPublic), Buffer.alloc(16)])
  return { message, state: { secret, ephemeral, psk, transcript, localIndex } }
}

export interface ServerState {
  clientPublic: Buffer
  clientEphemeral: Buffer
  remoteIndex: number
  payload: InitiationPayload
  transcript: Transcript
}

export function readInitiation(secret: Buffer, message: Buffer): ServerState {
  const serverPublic = publicOf(secret)
  expectHead(message, INITIATION, 171)
  expectEqual('mac1', message.subarray(139, 155), mac1(message.subarray(0, 139), serverPublic))
  const transcript = begin(serverPublic)
  const clientEphemeral = message.subarray(2, 34)
  transcript.h = hash(transcript.h, clientEphemeral)
  mix(transcript, clientEphemeral)
  const es = mix(transcript, dh(secret, clientEphemeral))
  const clientPublic = openFrom(transcript, es, message.subarray(34, 82))
  const ss = mix(transcript, dh(secret, clientPublic))
  const plain = openFrom(transcript, ss, message.subarray(82, 139))
  return {
    clientPublic,
    clientEphemeral,
    remoteIndex: plain.readUInt16LE(0),
    payload: {
      timestamp: plain.readBigUInt64LE(2),
      instance: plain.subarray(10, 18),
      invite: plain.subarray(18, 34),
      aeads: plain.readUInt8(34),
      preferred: plain.readUInt8(35),
      features: plain.readUInt32LE(36),
    },
    transcript,
  }
}

/** The response, 125 octets. */
export function writeResponse(
  state: ServerState,
  options: { ephemeral: Buffer; psk: Buffer; localIndex: number; payload: ResponsePayload },
): { message: Buffer; keys: Keys } {
  const { ephemeral, psk, localIndex, payload } = options
  const { transcript } = state
  const ephemeralPublic = publicOf(ephemeral)
  transcript.h = hash(transcript.h, ephemeralPublic)
  mix(transcript, ephemeralPublic)
  mix(transcript, dh(ephemeral, state.clientEphemeral))
  mix(transcript, dh(ephemeral, state.clientPublic))
  const key = mixPsk(transcript, psk)

  const plain = Buffer.alloc(57)
  plain.writeUInt16LE(localIndex, 0)
  payload.instance.copy(plain, 2)
  plain.writeUInt8(payload.aead, 10)
  plain.writeUInt32LE(payload.features, 11)
  payload.ipv4.copy(plain, 15)
  plain.writeUInt8(payload.ipv4Prefix, 19)
  payload.ipv6.copy(plain, 20)
  plain.writeUInt8(payload.ipv6Prefix, 36)
  payload.serverIpv4.copy(plain, 37)
  payload.serverIpv6.copy(plain, 41)
  const sealed = sealInto(transcript, key, plain)

  const head = Buffer.concat([Buffer.of(RESPONSE, VERSION), u16(state.remoteIndex)])
  const covered = Buffer.concat([head, ephemeralPublic, sealed])
  const message = Buffer.concat([covered, mac1(covered, state.clientPublic)])
  return { message, keys: split(transcript) }
}

export function readResponse(
  state: ClientState,
  message: Buffer,
): { remoteIndex: number; payload: ResponsePayload; keys: Keys } {
  expectHead(message, RESPONSE, 125)
  const clientPublic = publicOf(state.secret)
  expectEqual('mac1', message.subarray(109), mac1(message.subarray(0, 109), clientPublic))
  if (message.readUInt16LE(2) !== state.localIndex) throw new Error('peer: not our latest index')
  const serverEphemeral = message.subarray(4, 36)
  const beforePsk = { ...state.transcript }
  beforePsk.h = hash(beforePsk.h, serverEphemeral)
  mix(beforePsk, serverEphemeral)
  mix(beforePsk, dh(state.ephemeral, serverEphemeral))
  mix(beforePsk, dh(state.secret, serverEphemeral))
  // A server that has enrolled us before wants no psk.
  const opened =
    tryPsk(beforePsk, state.psk, message) ?? tryPsk(beforePsk, Buffer.alloc(32), message)
  if (opened === undefined) throw new Error('peer: the response does not open')
  const { transcript, plain } = opened
  return {
    remoteIndex: plain.readUInt16LE(0),
    payload: {
      instance: plain.subarray(2, 10),
      aead: plain.readUInt8(10),
      features: plain.readUInt32LE(11),
      ipv4: plain.subarray(15, 19),
      ipv4Prefix: plain.readUInt8(19),
      ipv6: plain.subarray(20, 36),
      ipv6Prefix: plain.readUInt8(36),
      serverIpv4: plain.subarray(37, 41),
      serverIpv6: plain.subarray(41, 57),
    },
    keys: split(transcript),
  }
}

function tryPsk(
  beforePsk: Transcript,
  psk: Buffer,
  message: Buffer,
): { transcript: Transcript; plain: Buffer } | undefined {
  const transcript = { ...beforePsk }
  const key = mixPsk(transcript, psk)
  const sealed = message.subarray(36, 109)
  const plain = open('chacha20-poly1305', key, NONCE_0, transcript.h, sealed)
  return plain && { transcript, plain }
}

function split(transcript: Transcript): Keys {
  const [first, second] = kdf(transcript.ck, Buffer.alloc(0))
  return { clientToServer: first.subarray(0, 32), serverToClient: second.subarray(0, 32) }
}

/** An initiation with mac2 by the cookie that the server gave in `reply` to an earlier one of ours. */
export function proveAddress(
  initiation: Buffer,
  earlier: Buffer,
  reply: Buffer,
  serverPublic: Buffer,
): Buffer {
  expectHead(reply, COOKIE, 58)
  const key = blake2b(32, Buffer.concat([Buffer.from('mptun cookie'), serverPublic]))
  const cookie = openX(key, reply.subarray(2, 26), earlier.subarray(139, 155), reply.subarray(26))
  if (cookie === undefined) throw new Error('peer: the cookie does not open')
  const covered = initiation.subarray(0, 155)
  return Buffer.concat([covered, blake2b(16, covered, cookie)])
}

export function inviteId(secret: Uint8Array): Buffer {
  return hash(secret).subarray(0, 16)
}

function expectHead(message: Buffer, type: number, length: number): void {
  expectEqual('head', message.subarray(0, 2), Buffer.of(type, VERSION))
  if (message.length !== length) throw new Error(`peer: ${message.length} octets, not ${length}`)
}

function expectEqual(what: string, found: Buffer, expected: Buffer): void {
  if (!found.equals(expected)) throw new Error(`peer: wrong ${what}`)
}
