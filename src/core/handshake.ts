/**
 * The two handshake messages: PROTOCOL.md, "Handshake". Pure functions from octets to octets.
 * Whatever a stranger can send is answered by a named refusal, never by an exception.
 */

import { configError } from '../errors.js'
import { Codec, type PlacedField, type PlacedLayout, type RecordOf } from '../layout.js'
import {
  AEAD,
  INITIATION,
  INITIATION_PAYLOAD,
  MESSAGE,
  RESPONSE,
  RESPONSE_PAYLOAD,
  WIRE,
} from '../wire.js'
import { ascii, blake2b, concat, equalInConstantTime, erase, type KeyPair } from './keys.js'
import { NoiseHandshake } from './noise.js'

/** Why a handshake message is not acted upon: a closed list, each one a counter. */
export const REFUSAL = {
  length: 'not as long as its type is',
  type: 'not a message that this side takes',
  version: 'another version of the protocol',
  mac1: 'made without knowledge of our public key: by a stranger, or by a client that has joined another server',
  index: 'answers an initiation that is not our latest',
  forged: 'a tag is wrong or a public key is of low order',
  payload: 'authentic, but its values contradict the protocol',
  replay:
    'its timestamp is not greater than the last one of this key: its clock is behind, two machines have this key, or somebody repeats what was sent',
  aead: 'no AEAD in common',
  stranger:
    'a key that is neither known nor invited, or an invitation used up or expired: mptun invite makes another',
  full: 'every place for a client is taken: one is free when a session ends',
  rate: 'too many from one address while under load',
  cookie: 'a cookie reply that does not open: it is forged, or answers an earlier initiation',
} as const

export type Refusal = keyof typeof REFUSAL

export interface Refused {
  readonly refused: Refusal
}

/** Traffic keys of one epoch, 32 octets each, seen from this side. */
export interface Keys {
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
}

/** Without `sender`, which is told as an index. */
export type InitiationPayload = Omit<RecordOf<typeof INITIATION_PAYLOAD>, 'sender'>
export type ResponsePayload = Omit<RecordOf<typeof RESPONSE_PAYLOAD>, 'sender'>

const initiationCodec = new Codec(INITIATION, 'packed')
const initiationPayloadCodec = new Codec(INITIATION_PAYLOAD, 'packed')
const responseCodec = new Codec(RESPONSE, 'packed')
const responsePayloadCodec = new Codec(RESPONSE_PAYLOAD, 'packed')

/** Where the parts of a message begin, in octets. */
interface Frame {
  readonly type: number
  readonly size: number
  readonly noise: number
  readonly mac1: number
}

function frameOf(type: number, { fields, size }: PlacedLayout): Frame {
  return { type, size, noise: offsetOf(fields, 'ephemeral'), mac1: offsetOf(fields, 'mac1') }
}

function offsetOf(fields: readonly PlacedField[], name: string): number {
  return fields.find((field) => field.name === name)!.offset
}

const INITIATION_FRAME = frameOf(MESSAGE.initiation.value, initiationCodec)
const RESPONSE_FRAME = frameOf(MESSAGE.response.value, responseCodec)
/** Offsets that cookies need. */
export const INITIATION_MAC1: number = INITIATION_FRAME.mac1
export const INITIATION_MAC2: number = offsetOf(initiationCodec.fields, 'mac2')

export const INSTANCE_BYTES = 8
export const MAC_BYTES = 16
/** The psk where none is agreed. */
export const NO_PSK: Uint8Array = new Uint8Array(32)
/** The invite field where none is used. */
export const NO_INVITE: Uint8Array = new Uint8Array(16)

/** What an initiator keeps between its message and the answer. */
export interface InitiatorState {
  readonly noise: NoiseHandshake
  readonly publicKey: Uint8Array
  readonly psk: Uint8Array
  readonly localIndex: number
  readonly aeads: number
}

/** What a responder keeps between reading an initiation and answering it. */
export interface ResponderState {
  readonly noise: NoiseHandshake
  readonly peerPublicKey: Uint8Array
  readonly remoteIndex: number
}

export interface InitiationOptions {
  readonly staticKey: KeyPair
  readonly serverPublicKey: Uint8Array
  readonly psk: Uint8Array
  /** 32 random octets for this message alone; owned and erased from here on. */
  readonly ephemeralSecret: Uint8Array
  readonly localIndex: number
  readonly payload: InitiationPayload
}

/** Writes an initiation with mac2 zero. MPTUN_E_CONFIG_SERVER_KEY when the server's public key is of low order. */
export function createInitiation(options: InitiationOptions): {
  message: Uint8Array
  state: InitiatorState
} {
  const { staticKey, serverPublicKey, psk, ephemeralSecret, localIndex, payload } = options
  const noise = newNoise(staticKey, serverPublicKey)
  const sealed = noise.writeMessage(
    initiationPayloadCodec.encode({ ...payload, sender: localIndex }),
    ephemeralSecret,
  )
  if (sealed === undefined) {
    throw configError(
      'SERVER_KEY',
      'the public key of the server is a point of low order, which no key pair has; ask for the invitation again',
    )
  }
  const head = initiationCodec.encode({
    type: MESSAGE.initiation.value,
    version: WIRE.version,
  })
  const message = complete(INITIATION_FRAME, head, sealed, serverPublicKey)
  const state = {
    noise,
    publicKey: staticKey.publicKey,
    psk,
    localIndex,
    aeads: payload.aeads,
  }
  return { message, state }
}

/** Checks what needs no public-key work: length, type, version, mac1. Nothing when all is well. */
export function inspectInitiation(message: Uint8Array, publicKey: Uint8Array): Refused | undefined {
  return inspect(INITIATION_FRAME, message, publicKey)
}

export interface ConsumedInitiation {
  readonly peerPublicKey: Uint8Array
  readonly payload: InitiationPayload
  readonly remoteIndex: number
  readonly state: ResponderState
}

/** Reads an initiation. Who sent it is proved, that it is fresh is not: compare its timestamp. */
export function consumeInitiation(options: {
  readonly staticKey: KeyPair
  readonly message: Uint8Array
}): ConsumedInitiation | Refused {
  const { staticKey, message } = options
  const refused = inspectInitiation(message, staticKey.publicKey)
  if (refused !== undefined) return refused

  const noise = newNoise(staticKey)
  const plain = noise.readMessage(message.subarray(INITIATION_FRAME.noise, INITIATION_FRAME.mac1))
  const peerPublicKey = noise.remoteStatic
  if (plain === undefined || peerPublicKey === undefined) {
    noise.erase()
    return { refused: 'forged' }
  }
  const { sender: remoteIndex, ...payload } = initiationPayloadCodec.decode(plain)
  if (!Number.isSafeInteger(payload.timestamp)) {
    noise.erase()
    return { refused: 'payload' }
  }
  return { peerPublicKey, payload, remoteIndex, state: { noise, peerPublicKey, remoteIndex } }
}

export interface ResponseOptions {
  readonly psk: Uint8Array
  /** 32 random octets for this message alone; owned and erased from here on. */
  readonly ephemeralSecret: Uint8Array
  readonly localIndex: number
  readonly payload: ResponsePayload
}

/** Answers an initiation. The state is spent. */
export function createResponse(
  state: ResponderState,
  options: ResponseOptions,
): { message: Uint8Array; keys: Keys } {
  const { psk, ephemeralSecret, localIndex, payload } = options
  // Both of the initiator's keys have already given a result that is not zero in `es` and `ss`.
  const sealed = state.noise.writeMessage(
    responsePayloadCodec.encode({ ...payload, sender: localIndex }),
    ephemeralSecret,
    psk,
  ) as Uint8Array
  const head = responseCodec.encode({
    type: MESSAGE.response.value,
    version: WIRE.version,
    receiver: state.remoteIndex,
  })
  const message = complete(RESPONSE_FRAME, head, sealed, state.peerPublicKey)
  const { sendKey, receiveKey } = state.noise.split()
  return { message, keys: { sendKey, receiveKey } }
}

export interface ConsumedResponse {
  readonly remoteIndex: number
  readonly payload: ResponsePayload
  readonly keys: Keys
}

/** Reads the answer to an initiation. The state is spent by an authentic one only: `payload` or success. */
export function consumeResponse(
  state: InitiatorState,
  message: Uint8Array,
): ConsumedResponse | Refused {
  const refused = inspect(RESPONSE_FRAME, message, state.publicKey)
  if (refused !== undefined) return refused
  if (responseCodec.decode(message).receiver !== state.localIndex) return { refused: 'index' }

  const sealed = message.subarray(RESPONSE_FRAME.noise, RESPONSE_FRAME.mac1)
  // A server that has enrolled us already, which we need not have heard of, wants no psk any more.
  const plain =
    state.noise.readMessage(sealed, state.psk) ?? state.noise.readMessage(sealed, NO_PSK)
  if (plain === undefined) return { refused: 'forged' }
  const { sendKey, receiveKey } = state.noise.split()
  const { sender: remoteIndex, ...payload } = responsePayloadCodec.decode(plain)
  if (!isOneBitOf(payload.aead, state.aeads) || !hasPrefixLengths(payload)) {
    erase(sendKey, receiveKey)
    return { refused: 'payload' }
  }
  return { remoteIndex, payload, keys: { sendKey, receiveKey } }
}

/** What one side can do: AEAD and FEATURE bits. */
export interface Offer {
  readonly aeads: number
  /** AEADs that are fast on this CPU. */
  readonly preferred: number
  readonly features: number
}

/** The AEAD bit of the epoch: AES-256-GCM where both prefer it, else ChaCha20-Poly1305, else whatever is common. */
export function chooseAead(
  ours: Omit<Offer, 'features'>,
  theirs: Omit<Offer, 'features'>,
): number | undefined {
  const common = ours.aeads & theirs.aeads
  const aes = AEAD['aes-256-gcm'].value
  const chacha = AEAD['chacha20-poly1305'].value
  if (common & ours.preferred & theirs.preferred & aes) return aes
  return [chacha, aes].find((bit) => common & bit)
}

function newNoise(staticKey: KeyPair, remoteStatic?: Uint8Array): NoiseHandshake {
  return new NoiseHandshake({
    pattern: 'IKpsk2',
    prologue: ascii(WIRE.prologue),
    staticKey,
    ...(remoteStatic === undefined ? {} : { remoteStatic }),
  })
}

/** mac1 of the WireGuard paper, section 5.4.4, with BLAKE2b. */
function mac1Of(covered: Uint8Array, receiverPublicKey: Uint8Array): Uint8Array {
  const key = blake2b(32, concat(ascii(WIRE.mac1Label), receiverPublicKey))
  return blake2b(MAC_BYTES, covered, key)
}

/** Puts the Noise message, which is one run of octets from `ephemeral` on, and mac1 behind the head. */
function complete(
  { noise, mac1 }: Frame,
  message: Uint8Array,
  noiseMessage: Uint8Array,
  receiverPublicKey: Uint8Array,
): Uint8Array {
  message.set(noiseMessage, noise)
  message.set(mac1Of(message.subarray(0, mac1), receiverPublicKey), mac1)
  return message
}

function inspect(
  { type, size, mac1 }: Frame,
  message: Uint8Array,
  publicKey: Uint8Array,
): Refused | undefined {
  if (message[0] !== type) return { refused: 'type' }
  if (message.length !== size) return { refused: 'length' }
  if (message[1] !== WIRE.version) return { refused: 'version' }
  const found = message.subarray(mac1, mac1 + MAC_BYTES)
  const expected = mac1Of(message.subarray(0, mac1), publicKey)
  return equalInConstantTime(found, expected) ? undefined : { refused: 'mac1' }
}

function isOneBitOf(bit: number, set: number): boolean {
  return (bit & set) !== 0 && (bit & (bit - 1)) === 0
}

function hasPrefixLengths({ ipv4Prefix, ipv6Prefix }: ResponsePayload): boolean {
  return ipv4Prefix <= 32 && ipv6Prefix <= 128
}
