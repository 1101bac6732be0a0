import { createHash } from 'node:crypto'
import sodium from 'libsodium-wrappers'
import type { Offer } from '../../src/core/handshake.js'
import { type KeyPair, keyPairOf, type RandomBytes } from '../../src/core/keys.js'
import { AEAD } from '../../src/wire.js'

// Every importer makes keys.
await sodium.ready

/** Reproducible octets that look random: SHA-512 of a seed and a counter. */
export function seeded(seed: string): RandomBytes {
  let counter = 0
  return (count) => {
    const out = new Uint8Array(count)
    for (let offset = 0; offset < count; offset += 64) {
      counter += 1
      const block = createHash('sha512').update(`${seed} ${counter}`).digest()
      out.set(block.subarray(0, Math.min(64, count - offset)), offset)
    }
    return out
  }
}

export const keyPair = (seed: string): KeyPair => keyPairOf(seeded(seed)(32))

export const CHACHA: number = AEAD['chacha20-poly1305'].value
export const AES: number = AEAD['aes-256-gcm'].value
export const OFFER: Offer = { aeads: CHACHA | AES, preferred: AES, features: 0 }

export const INSTANCE = Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1)

export const ASSIGNMENT = {
  instance: INSTANCE,
  ipv4: Uint8Array.of(10, 71, 0, 2),
  ipv4Prefix: 24,
  ipv6: Uint8Array.of(0xfd, 0x71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  ipv6Prefix: 64,
  serverIpv4: Uint8Array.of(10, 71, 0, 1),
  serverIpv6: Uint8Array.of(0xfd, 0x71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
}

export const SOURCE = { address: Uint8Array.of(192, 0, 2, 1), port: 40_000 }

/** A copy with one bit turned over. */
export function flipped(message: Uint8Array, octet: number, bit = 0): Uint8Array {
  const copy = message.slice()
  copy[octet]! ^= 1 << bit
  return copy
}
