/**
 * Cookies: proof of a source address before a loaded server does public-key work.
 * PROTOCOL.md, "Load and cookies"; WireGuard paper, sections 5.3 and 5.4.7.
 */

import sodium from 'libsodium-wrappers'
import { Codec } from '../layout.js'
import { COOKIE, MESSAGE, TIMER, WIRE } from '../wire.js'
import { INITIATION_MAC1, INITIATION_MAC2, MAC_BYTES, type Refused } from './handshake.js'
import {
  ascii,
  blake2b,
  concat,
  equalInConstantTime,
  erase,
  KEY_BYTES,
  type RandomBytes,
} from './keys.js'

const codec = new Codec(COOKIE, 'packed')
const COOKIE_BYTES = 16
const NONCE_BYTES = 24

const SECOND_US = 1_000_000

/**
 * Above this the server is under load. Answering one initiation takes 0.6 ms (2.6 GHz) of the thread that also decides, so
 * this many are 2.5 % of it; 1024 peers that rekey every 120 s make 9. Only a crowd that comes at once sees a cookie, and
 * pays one round trip.
 */
const LOAD_PER_SECOND = 40

/** Under load, from one address whose cookie is good: a household or a NAT still gets through. */
const ADDRESS_PER_SECOND = 5

/** Where a datagram came from. */
export interface Source {
  /** 4 or 16 octets. */
  readonly address: Uint8Array
  readonly port: number
}

interface Secret {
  readonly bytes: Uint8Array
  readonly bornUs: number
}

/** The server's side: counts initiations, and under load asks for proof of the source address. */
export class CookieIssuer {
  readonly #replyKey: Uint8Array
  readonly #random: RandomBytes
  #current: Secret | undefined
  #previous: Secret | undefined
  #windowUs = 0
  #counted = 0
  #countedBefore = 0
  readonly #admitted = new Map<string, number>()

  constructor(options: { readonly publicKey: Uint8Array; readonly random: RandomBytes }) {
    this.#replyKey = replyKeyOf(options.publicKey)
    this.#random = options.random
  }

  /** To be told of every initiation whose mac1 is right and that needs public-key work. */
  countInitiation(nowUs: number): void {
    this.#turnWindow(nowUs)
    this.#counted += 1
  }

  /** Load lasts for the second in which it was seen and the next one. */
  isUnderLoad(nowUs: number): boolean {
    this.#turnWindow(nowUs)
    return Math.max(this.#counted, this.#countedBefore) > LOAD_PER_SECOND
  }

  /** Whether mac2 was made with a cookie that this server gave to this source lately. */
  isProved(nowUs: number, source: Source, initiation: Uint8Array): boolean {
    this.#turnSecrets(nowUs)
    const found = initiation.subarray(INITIATION_MAC2, INITIATION_MAC2 + MAC_BYTES)
    const covered = initiation.subarray(0, INITIATION_MAC2)
    return [this.#current, this.#previous].some(
      (secret) =>
        secret !== undefined &&
        equalInConstantTime(found, blake2b(MAC_BYTES, covered, cookieOf(secret.bytes, source))),
    )
  }

  /** Whether a proved source may have one more handshake in this second. */
  admits(nowUs: number, source: Source): boolean {
    this.#turnWindow(nowUs)
    const key = subscriberOf(source)
    const before = this.#admitted.get(key) ?? 0
    this.#admitted.set(key, before + 1)
    return before < ADDRESS_PER_SECOND
  }

  /** The answer to an initiation without proof: 58 octets to its 171. */
  reply(nowUs: number, source: Source, initiation: Uint8Array): Uint8Array {
    const secret = this.#turnSecrets(nowUs)
    const nonce = this.#random(NONCE_BYTES)
    const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
      cookieOf(secret.bytes, source),
      mac1Of(initiation),
      null,
      nonce,
      this.#replyKey,
    )
    return codec.encode({
      type: MESSAGE.cookie.value,
      version: WIRE.version,
      nonce,
      cookie: sealed,
    })
  }

  #turnSecrets(nowUs: number): Secret {
    let current = this.#current
    if (current === undefined || nowUs - current.bornUs >= TIMER.cookieLifetimeUs.value) {
      const stale =
        current !== undefined && nowUs - current.bornUs >= 2 * TIMER.cookieLifetimeUs.value
      erase(this.#previous?.bytes, stale ? current?.bytes : undefined)
      this.#previous = stale ? undefined : current
      current = { bytes: this.#random(KEY_BYTES), bornUs: nowUs }
      this.#current = current
    }
    return current
  }

  #turnWindow(nowUs: number): void {
    const elapsedUs = nowUs - this.#windowUs
    if (elapsedUs < SECOND_US) return
    this.#countedBefore = elapsedUs < 2 * SECOND_US ? this.#counted : 0
    this.#counted = 0
    this.#windowUs = nowUs
    this.#admitted.clear()
  }
}

/** The client's side: the cookies that a server gave, one for each path, because each has a source address of its own. */
export class CookieJar {
  readonly #replyKey: Uint8Array
  readonly #cookies = new Map<number, { readonly bytes: Uint8Array; readonly bornUs: number }>()

  constructor(serverPublicKey: Uint8Array) {
    this.#replyKey = replyKeyOf(serverPublicKey)
  }

  /** Takes a cookie reply to the `initiation` that went out on this path. Nothing when all is well. */
  take(
    nowUs: number,
    path: number,
    reply: Uint8Array,
    initiation: Uint8Array,
  ): Refused | undefined {
    if (reply[0] !== MESSAGE.cookie.value) return { refused: 'type' }
    if (reply.length !== codec.size) return { refused: 'length' }
    if (reply[1] !== WIRE.version) return { refused: 'version' }
    const { nonce, cookie } = codec.decode(reply)
    try {
      const bytes = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        null,
        cookie,
        mac1Of(initiation),
        nonce,
        this.#replyKey,
      )
      this.#cookies.set(path, { bytes, bornUs: nowUs })
      return undefined
    } catch {
      return { refused: 'cookie' }
    }
  }

  /** A copy of the initiation for this path: with mac2 when there is a cookie that is not too old. */
  prove(nowUs: number, path: number, initiation: Uint8Array): Uint8Array {
    const proved = initiation.slice()
    const cookie = this.#cookies.get(path)
    if (cookie === undefined) return proved
    if (nowUs - cookie.bornUs >= TIMER.cookieLifetimeUs.value) {
      this.#cookies.delete(path)
      return proved
    }
    const covered = initiation.subarray(0, INITIATION_MAC2)
    proved.set(blake2b(MAC_BYTES, covered, cookie.bytes), INITIATION_MAC2)
    return proved
  }
}

function replyKeyOf(serverPublicKey: Uint8Array): Uint8Array {
  return blake2b(KEY_BYTES, concat(ascii(WIRE.cookieLabel), serverPublicKey))
}

function cookieOf(secret: Uint8Array, { address, port }: Source): Uint8Array {
  return blake2b(COOKIE_BYTES, concat(address, Uint8Array.of(port & 0xff, port >> 8)), secret)
}

// Whoever holds one IPv6 address holds its /64 (RFC 6177): they count as one.
function subscriberOf({ address }: Source): string {
  return sodium.to_hex(address.length === 16 ? address.subarray(0, 8) : address)
}

function mac1Of(initiation: Uint8Array): Uint8Array {
  return initiation.subarray(INITIATION_MAC1, INITIATION_MAC1 + MAC_BYTES)
}
