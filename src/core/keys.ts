/**
 * X25519 keys and BLAKE2b, as this protocol uses them: thin, checked names over libsodium.
 * Whoever starts the program awaits `sodium.ready` once before anything here is called.
 */

import sodium from 'libsodium-wrappers'
import { bugError, configError } from '../errors.js'

export const KEY_BYTES = 32

export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** The source of unpredictable octets that the pure core is given. */
export type RandomBytes = (count: number) => Uint8Array

/** The key pair of a 32-octet secret, which is kept, not copied. */
export function keyPairOf(secretKey: Uint8Array): KeyPair {
  expectBytes('secret key', secretKey, KEY_BYTES)
  return { publicKey: sodium.crypto_scalarmult_base(secretKey), secretKey }
}

/** X25519, or nothing when the result is all zero: the public key is then of low order (RFC 7748, section 6.1). */
export function diffieHellman(
  secretKey: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array | undefined {
  expectBytes('secret key', secretKey, KEY_BYTES)
  expectBytes('public key', publicKey, KEY_BYTES)
  try {
    return sodium.crypto_scalarmult(secretKey, publicKey)
  } catch {
    // With lengths checked above, libsodium throws for one reason only: the all-zero result.
    return undefined
  }
}

/** BLAKE2b with an output of 16 to 64 octets, keyed when a key is given (RFC 7693). */
export function blake2b(bytes: number, message: Uint8Array, key?: Uint8Array): Uint8Array {
  return sodium.crypto_generichash(bytes, message, key ?? null)
}

/** Compares in time that depends on the length only. Unequal lengths are unequal. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && sodium.memcmp(a, b)
}

/** Overwrites secrets that are no longer needed. */
export function erase(...secrets: (Uint8Array | undefined)[]): void {
  for (const secret of secrets) if (secret !== undefined) sodium.memzero(secret)
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

export function ascii(text: string): Uint8Array {
  return sodium.from_string(text)
}

/** A key as people see it: 43 characters of base64url (RFC 4648, section 5) without padding. */
export function formatKey(key: Uint8Array): string {
  expectBytes('key', key, KEY_BYTES)
  return sodium.to_base64(key, sodium.base64_variants.URLSAFE_NO_PADDING)
}

/** Reads what formatKey wrote and nothing else. The error names `key` and a length, never the text, which may be a secret. */
export function parseKey(text: string, key: string): Uint8Array {
  const bytes = decodeKey(text)
  if (bytes === undefined) {
    const found = /^[\w-]*$/.test(text)
      ? `${text.length} characters`
      : `${text.length} characters, some of them outside A-Z a-z 0-9 - _`
    throw configError(
      'KEY',
      `${key}: found ${found}, expected a key of 43 characters of base64url; copy it whole, without quotes`,
      key,
    )
  }
  return bytes
}

function decodeKey(text: string): Uint8Array | undefined {
  if (!/^[\w-]{43}$/.test(text)) return undefined
  try {
    return sodium.from_base64(text, sodium.base64_variants.URLSAFE_NO_PADDING)
  } catch {
    // Bits behind the last octet that are not zero: a second spelling of the same key.
    return undefined
  }
}

function expectBytes(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) {
    throw bugError('KEY_LENGTH', `${what}: ${bytes.length} octets where ${length} are needed`)
  }
}
