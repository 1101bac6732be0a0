/**
 * The client's side of handshakes: a state machine without clock, socket or timer of its own.
 * Each try is one initiation, which goes out on every path; the first answer wins. PROTOCOL.md, "Handshake".
 */

import { CookieJar } from './cookie.js'
import {
  type ConsumedResponse,
  consumeResponse,
  createInitiation,
  type InitiatorState,
  NO_INVITE,
  NO_PSK,
  type Offer,
  type Refused,
} from './handshake.js'
import { KEY_BYTES, type KeyPair, type RandomBytes } from './keys.js'
import type { Timestamps } from './timestamp.js'

/** Unless it is told otherwise. Doubles from try to try. */
const FIRST_RETRY_US = 250_000
/** A restarted server is found within 3 s, chance included; the slowest round trips (2 s) still match the latest try. */
const LONGEST_RETRY_US = 2_000_000
/** A quarter at most is added by chance, so that clients cut off together do not come back together. */
const JITTER_SHARE = 4

export interface Established extends ConsumedResponse {
  /** What the server writes into HEADER.receiver. */
  readonly localIndex: number
}

/** An invitation in use: its secret is the psk. */
export interface Credential {
  readonly id: Uint8Array
  readonly secret: Uint8Array
}

export class Initiator {
  readonly #staticKey: KeyPair
  readonly #serverPublicKey: Uint8Array
  readonly #offer: Offer
  readonly #random: RandomBytes
  readonly #cookies: CookieJar
  readonly #timestamps: Timestamps
  #dueUs: number | undefined
  #retryUs = FIRST_RETRY_US
  #pending: { readonly message: Uint8Array; readonly state: InitiatorState } | undefined

  constructor(options: {
    readonly staticKey: KeyPair
    readonly serverPublicKey: Uint8Array
    readonly offer: Offer
    readonly random: RandomBytes
    readonly timestamps: Timestamps
  }) {
    this.#staticKey = options.staticKey
    this.#serverPublicKey = options.serverPublicKey
    this.#offer = options.offer
    this.#random = options.random
    this.#timestamps = options.timestamps
    this.#cookies = new CookieJar(options.serverPublicKey)
  }

  /** When attempt is to be called; nothing while no handshake is wanted. */
  nextTimeout(): number | undefined {
    return this.#dueUs
  }

  /** Wants a handshake: the first try is due at `atUs`, and the next one so long after it. */
  start(atUs: number, retryUs = FIRST_RETRY_US): void {
    this.#drop()
    this.#dueUs = atUs
    this.#retryUs = retryUs
  }

  /** Wants none any more. */
  stop(): void {
    this.#drop()
    this.#dueUs = undefined
  }

  /**
   * Begins the next try, which replaces the one before. Send what messageFor gives, on every path.
   * @param wallUs the time of day, microseconds since 1970; need not be right.
   * @param localIndex not in use by another epoch of this client.
   * @param instance of the session that this handshake continues, or new octets for a new one.
   */
  attempt(
    nowUs: number,
    options: {
      readonly wallUs: number
      readonly localIndex: number
      readonly instance: Uint8Array
      readonly invitation?: Credential
    },
  ): void {
    const { localIndex, invitation } = options
    this.#drop()
    this.#pending = createInitiation({
      staticKey: this.#staticKey,
      serverPublicKey: this.#serverPublicKey,
      psk: invitation?.secret ?? NO_PSK,
      ephemeralSecret: this.#random(KEY_BYTES),
      localIndex,
      payload: {
        timestamp: this.#timestamps.next(options.wallUs),
        instance: options.instance,
        invite: invitation?.id ?? NO_INVITE,
        aeads: this.#offer.aeads,
        preferred: this.#offer.preferred,
        features: this.#offer.features,
        reserved: 0,
      },
    })
    this.#dueUs = nowUs + this.#retryUs + this.#jitterUs()
    this.#retryUs = Math.max(this.#retryUs, Math.min(2 * this.#retryUs, LONGEST_RETRY_US))
  }

  /** The present initiation as it is to be sent on this path; nothing when none is under way. */
  messageFor(nowUs: number, path: number): Uint8Array | undefined {
    return this.#pending && this.#cookies.prove(nowUs, path, this.#pending.message)
  }

  /** Takes a datagram of type response. Success ends the handshake. */
  handleResponse(message: Uint8Array): Established | Refused {
    if (this.#pending === undefined) return { refused: 'index' }
    const { state } = this.#pending
    const consumed = consumeResponse(state, message)
    if (!('refused' in consumed)) {
      this.stop()
      return { ...consumed, localIndex: state.localIndex }
    }
    // An authentic answer has spent the state; the next try is due in its time.
    if (consumed.refused === 'payload') this.#drop()
    return consumed
  }

  /** Takes a datagram of type cookie that came on this path. The next try carries the proof; nothing when all is well. */
  handleCookie(nowUs: number, path: number, message: Uint8Array): Refused | undefined {
    if (this.#pending === undefined) return { refused: 'index' }
    return this.#cookies.take(nowUs, path, message, this.#pending.message)
  }

  #drop(): void {
    this.#pending?.state.noise.erase()
    this.#pending = undefined
  }

  #jitterUs(): number {
    const [low, high] = this.#random(2)
    const chance = ((high! << 8) | low!) / 0x10000
    return Math.floor((chance * this.#retryUs) / JITTER_SHARE)
  }
}
