/**
 * The primitives that PROTOCOL.md names in its section 2, from node:crypto where it has them:
 * another library than the product's, so that a mistake would have to be made twice.
 */

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto'
import sodium from 'libsodium-wrappers'

/** RFC 8410: the octets around a raw X25519 key in PKCS #8 and in SubjectPublicKeyInfo. */
const PRIVATE_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_HEAD = Buffer.from('302a300506032b656e032100', 'hex')

const privateKey = (secret: Uint8Array) =>
  createPrivateKey({ key: Buffer.concat([PRIVATE_HEAD, secret]), format: 'der', type: 'pkcs8' })
const publicKey = (raw: Uint8Array) =>
  createPublicKey({ key: Buffer.concat([PUBLIC_HEAD, raw]), format: 'der', type: 'spki' })

export function publicOf(secret: Uint8Array): Buffer {
  const spki = createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' })
  return spki.subarray(PUBLIC_HEAD.length)
}

/** DH. Throws on a point of low order: OpenSSL refuses the all-zero result. */
export function dh(secret: Uint8Array, remote: Uint8Array): Buffer {
  return diffieHellman({ privateKey: privateKey(secret), publicKey: publicKey(remote) })
}

/** BLAKE2b-512. */
export function hash(...parts: Uint8Array[]): Buffer {
  return createHash('blake2b512').update(Buffer.concat(parts)).digest()
}

/** BLAKE2b of other lengths, and keyed: node:crypto has neither. */
export function blake2b(octets: number, message: Uint8Array, key?: Uint8Array): Buffer {
  return Buffer.from(sodium.crypto_generichash(octets, message, key ?? null))
}

function hmac(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  return createHmac('blake2b512', key).update(Buffer.concat(parts)).digest()
}

export function kdf(chainingKey: Uint8Array, input: Uint8Array): [Buffer, Buffer, Buffer] {
  const t = hmac(chainingKey, input)
  const a = hmac(t, Buffer.of(1))
  const b = hmac(t, a, Buffer.of(2))
  const c = hmac(t, b, Buffer.of(3))
  return [a, b, c]
}

export type Algorithm = 'chacha20-poly1305' | 'aes-256-gcm'
const TAG_OCTETS = 16

// Both are of one shape to node:crypto, whose types tell them apart.
const cipherName = (algorithm: Algorithm) => algorithm as 'chacha20-poly1305'

/** Ciphertext and tag. */
export function seal(
  algorithm: Algorithm,
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plain: Uint8Array,
): Buffer {
  const options = { authTagLength: TAG_OCTETS }
  const cipher = createCipheriv(cipherName(algorithm), key, nonce, options)
  cipher.setAAD(associated, { plaintextLength: plain.length })
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Nothing when the tag is wrong. */
export function open(
  algorithm: Algorithm,
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const length = sealed.length - TAG_OCTETS
  const options = { authTagLength: TAG_OCTETS }
  const decipher = createDecipheriv(cipherName(algorithm), key, nonce, options)
  decipher.setAAD(associated, { plaintextLength: length })
  decipher.setAuthTag(sealed.subarray(length))
  const plain = decipher.update(sealed.subarray(0, length))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch {
    return undefined
  }
}

/** XChaCha20-Poly1305, of cookie replies; nothing when the tag is wrong. */
export function openX(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Buffer | undefined {
  const decrypt = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt
  try {
    return Buffer.from(decrypt(null, sealed, associated, nonce, key))
  } catch {
    return undefined
  }
}
