/**
 * The Noise Protocol Framework, revision 34, for two patterns over 25519, ChaChaPoly and BLAKE2b.
 * Names and order of operations follow its sections 5 (state objects), 7.5 (IK) and 9 (psk modifiers).
 */

import sodium from 'libsodium-wrappers'
import { bugError } from '../errors.js'
import { ascii, blake2b, concat, diffieHellman, erase, type KeyPair, keyPairOf } from './keys.js'

type Token = 'e' | 's' | 'ee' | 'es' | 'se' | 'ss' | 'psk'

/** Tokens of each message. The responder's static key is known beforehand: `<- s`. */
const PATTERNS = {
  IK: [
    ['e', 'es', 's', 'ss'],
    ['e', 'ee', 'se'],
  ],
  IKpsk2: [
    ['e', 'es', 's', 'ss'],
    ['e', 'ee', 'se', 'psk'],
  ],
} as const satisfies Record<string, readonly (readonly Token[])[]>

export type Pattern = keyof typeof PATTERNS

const DH_BYTES = 32
const HASH_BYTES = 64
const BLOCK_BYTES = 128
const TAG_BYTES = 16
const NOTHING = new Uint8Array(0)

/** HMAC (RFC 2104) over unkeyed BLAKE2b-512. `key` is at most one block. */
function hmac(key: Uint8Array, ...message: readonly Uint8Array[]): Uint8Array {
  const inner = new Uint8Array(BLOCK_BYTES).fill(0x36)
  const outer = new Uint8Array(BLOCK_BYTES).fill(0x5c)
  for (const [index, octet] of key.entries()) {
    inner[index]! ^= octet
    outer[index]! ^= octet
  }
  const innerHash = blake2b(HASH_BYTES, concat(inner, ...message))
  const result = blake2b(HASH_BYTES, concat(outer, innerHash))
  erase(inner, outer, innerHash)
  return result
}

/** HKDF of section 4.3: two or three outputs of 64 octets. */
function hkdf(chainingKey: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array[] {
  const temporary = hmac(chainingKey, inputKeyMaterial)
  const first = hmac(temporary, Uint8Array.of(1))
  const second = hmac(temporary, first, Uint8Array.of(2))
  const third = hmac(temporary, second, Uint8Array.of(3))
  erase(temporary)
  return [first, second, third]
}

/** 32 zero bits and the counter, little-endian (section 12.3). */
function nonceOf(counter: number): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), true)
  return nonce
}

/** SymmetricState of section 5.2 with its CipherState of section 5.1. */
class SymmetricState {
  #chainingKey: Uint8Array
  #hash: Uint8Array
  #key: Uint8Array | undefined
  #nonce = 0

  constructor(protocolName: string) {
    const name = ascii(protocolName)
    // A name longer than the hash would have to be hashed; ours are not.
    this.#hash = new Uint8Array(HASH_BYTES)
    this.#hash.set(name)
    this.#chainingKey = this.#hash.slice()
  }

  get hash(): Uint8Array {
    return this.#hash.slice()
  }

  clone(): SymmetricState {
    const copy = new SymmetricState('')
    copy.#chainingKey = this.#chainingKey.slice()
    copy.#hash = this.#hash.slice()
    copy.#key = this.#key?.slice()
    copy.#nonce = this.#nonce
    return copy
  }

  mixKey(inputKeyMaterial: Uint8Array): void {
    const [chainingKey, key, unused] = hkdf(this.#chainingKey, inputKeyMaterial)
    this.#rekey(chainingKey!, key!)
    erase(unused)
  }

  mixHash(data: Uint8Array): void {
    this.#hash = blake2b(HASH_BYTES, concat(this.#hash, data))
  }

  mixKeyAndHash(inputKeyMaterial: Uint8Array): void {
    const [chainingKey, hash, key] = hkdf(this.#chainingKey, inputKeyMaterial)
    this.mixHash(hash!)
    this.#rekey(chainingKey!, key!)
    erase(hash)
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      plaintext,
      this.#hash,
      null,
      nonceOf(this.#nonce++),
      this.#keyInUse(),
    )
    this.mixHash(ciphertext)
    return ciphertext
  }

  /** Nothing when the tag is wrong; the state is then worthless. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array | undefined {
    let plaintext: Uint8Array
    try {
      plaintext = sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        null,
        ciphertext,
        this.#hash,
        nonceOf(this.#nonce++),
        this.#keyInUse(),
      )
    } catch {
      return undefined
    }
    this.mixHash(ciphertext)
    return plaintext
  }

  /** The initiator's sending key and the responder's. */
  split(): [Uint8Array, Uint8Array] {
    const outputs = hkdf(this.#chainingKey, NOTHING)
    const keys = outputs.map((output) => output.slice(0, 32))
    erase(...outputs, keys[2])
    return [keys[0]!, keys[1]!]
  }

  erase(): void {
    erase(this.#chainingKey, this.#hash, this.#key)
  }

  #rekey(chainingKey: Uint8Array, key: Uint8Array): void {
    erase(this.#chainingKey, this.#key)
    this.#chainingKey = chainingKey
    this.#key = key.slice(0, 32)
    this.#nonce = 0
    erase(key)
  }

  // In both patterns `es` comes before the first ciphertext.
  #keyInUse(): Uint8Array {
    if (this.#key === undefined) throw bugError('NOISE', 'noise: a ciphertext before any key')
    return this.#key
  }
}

export interface NoiseOptions {
  readonly pattern: Pattern
  readonly prologue: Uint8Array
  /** Kept, never erased. */
  readonly staticKey: KeyPair
  /** The responder's public key: given makes this side the initiator. */
  readonly remoteStatic?: Uint8Array
}

export interface SplitResult {
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
  /** Binds other protocols to this handshake (section 11.2). */
  readonly handshakeHash: Uint8Array
}

/** HandshakeState of section 5.3: two messages, one from each side, then split. */
export class NoiseHandshake {
  readonly #messages: readonly (readonly Token[])[]
  readonly #initiator: boolean
  readonly #withPsk: boolean
  readonly #static: KeyPair
  #symmetric: SymmetricState
  #ephemeral: KeyPair | undefined
  #remoteStatic: Uint8Array | undefined
  #remoteEphemeral: Uint8Array | undefined
  #next = 0

  constructor({ pattern, prologue, staticKey, remoteStatic }: NoiseOptions) {
    this.#messages = PATTERNS[pattern]
    this.#withPsk = pattern === 'IKpsk2'
    this.#initiator = remoteStatic !== undefined
    this.#static = staticKey
    this.#remoteStatic = remoteStatic
    this.#symmetric = new SymmetricState(`Noise_${pattern}_25519_ChaChaPoly_BLAKE2b`)
    this.#symmetric.mixHash(prologue)
    this.#symmetric.mixHash(remoteStatic ?? staticKey.publicKey) /* <- s */
  }

  /** The other side's identity: given, or read from the first message. */
  get remoteStatic(): Uint8Array | undefined {
    return this.#remoteStatic
  }

  /**
   * Writes this side's message. Nothing when a public key of the other side is of low order.
   * @param ephemeralSecret 32 random octets, never used before; owned and erased from here on.
   */
  writeMessage(
    payload: Uint8Array,
    ephemeralSecret: Uint8Array,
    psk?: Uint8Array,
  ): Uint8Array | undefined {
    const parts: Uint8Array[] = []
    for (const token of this.#turn('write')) {
      if (token === 'e') {
        this.#ephemeral = keyPairOf(ephemeralSecret)
        this.#mixEphemeral(this.#ephemeral.publicKey)
        parts.push(this.#ephemeral.publicKey)
      } else if (token === 's') {
        parts.push(this.#symmetric.encryptAndHash(this.#static.publicKey))
      } else if (!this.#mix(token, psk)) {
        return undefined
      }
    }
    parts.push(this.#symmetric.encryptAndHash(payload))
    this.#next += 1
    return concat(...parts)
  }

  /**
   * Reads the other side's message and returns its payload. Nothing when it is short, forged or of low order;
   * the handshake is then as before, so that a forgery cannot spoil it.
   */
  readMessage(message: Uint8Array, psk?: Uint8Array): Uint8Array | undefined {
    const tokens = this.#turn('read')
    const before = {
      symmetric: this.#symmetric,
      static: this.#remoteStatic,
      ephemeral: this.#remoteEphemeral,
    }
    this.#symmetric = before.symmetric.clone()
    const payload = this.#readTokens(tokens, message, psk)
    if (payload === undefined) {
      this.#symmetric.erase()
      this.#symmetric = before.symmetric
      this.#remoteStatic = before.static
      this.#remoteEphemeral = before.ephemeral
      return undefined
    }
    before.symmetric.erase()
    this.#next += 1
    return payload
  }

  /** The keys of both directions, after the last message. Everything else is erased. */
  split(): SplitResult {
    if (this.#next !== this.#messages.length) {
      throw bugError(
        'NOISE',
        `noise: split after message ${this.#next} of ${this.#messages.length}`,
      )
    }
    const handshakeHash = this.#symmetric.hash
    const [first, second] = this.#symmetric.split()
    this.erase()
    return this.#initiator
      ? { sendKey: first, receiveKey: second, handshakeHash }
      : { sendKey: second, receiveKey: first, handshakeHash }
  }

  /** Erases what is secret to this handshake; it cannot be used any more. */
  erase(): void {
    this.#symmetric.erase()
    erase(this.#ephemeral?.secretKey)
    this.#next = Number.POSITIVE_INFINITY
  }

  #turn(direction: 'write' | 'read'): readonly Token[] {
    const tokens = this.#messages[this.#next]
    const ours = (this.#next % 2 === 0) === this.#initiator
    if (tokens === undefined || ours !== (direction === 'write')) {
      throw bugError('NOISE', `noise: nothing to ${direction} as message ${this.#next + 1}`)
    }
    return tokens
  }

  #readTokens(
    tokens: readonly Token[],
    message: Uint8Array,
    psk: Uint8Array | undefined,
  ): Uint8Array | undefined {
    let rest = message
    const take = (length: number): Uint8Array | undefined => {
      if (rest.length < length) return undefined
      const part = rest.slice(0, length)
      rest = rest.subarray(length)
      return part
    }
    for (const token of tokens) {
      if (token === 'e') {
        this.#remoteEphemeral = take(DH_BYTES)
        if (this.#remoteEphemeral === undefined) return undefined
        this.#mixEphemeral(this.#remoteEphemeral)
      } else if (token === 's') {
        const sealed = take(DH_BYTES + TAG_BYTES)
        this.#remoteStatic = sealed && this.#symmetric.decryptAndHash(sealed)
        if (this.#remoteStatic === undefined) return undefined
      } else if (!this.#mix(token, psk)) {
        return undefined
      }
    }
    return this.#symmetric.decryptAndHash(rest)
  }

  // Section 9.2: where a psk may come later, the ephemeral key also randomizes the keys before it.
  #mixEphemeral(publicKey: Uint8Array): void {
    this.#symmetric.mixHash(publicKey)
    if (this.#withPsk) this.#symmetric.mixKey(publicKey)
  }

  /** Mixes one token that is not a public key. False when a Diffie-Hellman result is all zero. */
  #mix(token: Exclude<Token, 'e' | 's'>, psk: Uint8Array | undefined): boolean {
    if (token === 'psk') {
      if (psk?.length !== 32) throw bugError('NOISE', 'noise: a psk of 32 octets is needed')
      this.#symmetric.mixKeyAndHash(psk)
      return true
    }
    // The first letter is the initiator's key, the second the responder's.
    const [ours, theirs] = this.#initiator ? [token[0], token[1]] : [token[1], token[0]]
    const secret = ours === 'e' ? this.#ephemeral?.secretKey : this.#static.secretKey
    const remote = theirs === 'e' ? this.#remoteEphemeral : this.#remoteStatic
    if (secret === undefined || remote === undefined) {
      throw bugError('NOISE', `noise: ${token} before its keys`)
    }
    const shared = diffieHellman(secret, remote)
    if (shared === undefined) return false
    this.#symmetric.mixKey(shared)
    erase(shared)
    return true
  }
}
