/**
 * The server's side of handshakes: a state machine without clock, socket or peers of its own.
 * Order of checks, cheapest first: PROTOCOL.md, "Load and cookies" and "Handshake".
 */

import sodium from 'libsodium-wrappers'
import { CookieIssuer, type Source } from './cookie.js'
import {
  type ConsumedInitiation,
  chooseAead,
  consumeInitiation,
  createResponse,
  INITIATION_MAC1,
  INITIATION_MAC2,
  inspectInitiation,
  type Keys,
  type Offer,
  type Refused,
  type ResponsePayload,
} from './handshake.js'
import { equalInConstantTime, KEY_BYTES, type KeyPair, type RandomBytes } from './keys.js'

/** The same initiation comes over every uplink: copies of the accepted one get its answer for so long. */
const REPEAT_WITHIN_US = 5_000_000

/** What an initiation is answered with, or what is to be done before it can be. */
export type Received =
  | ({
      readonly kind: 'refused'
      /** Whose it is, where that is proved. */
      readonly peerPublicKey?: Uint8Array
    } & Refused)
  /** Send `message` back: a cookie reply, or the answer that an identical initiation has already had. */
  | { readonly kind: 'cookie' | 'repeated'; readonly message: Uint8Array }
  /** Find the peer or the invitation and call answer. */
  | { readonly kind: 'initiation'; readonly initiation: Initiation }

export interface Initiation extends ConsumedInitiation {
  readonly message: Uint8Array
  /** The AEAD bit that both sides will use. */
  readonly aead: number
}

export interface Answer {
  /** To be sent to wherever the initiation came from. */
  readonly message: Uint8Array
  readonly keys: Keys
}

/** What the server tells its client beside what the responder knows itself. */
export type Assignment = Omit<ResponsePayload, 'aead' | 'features'>

interface Accepted {
  readonly timestamp: number
  readonly mac1: string
}

interface Repeatable {
  readonly initiation: Uint8Array
  readonly response: Uint8Array
  readonly untilUs: number
}

export class Responder {
  readonly #staticKey: KeyPair
  readonly #offer: Offer
  readonly #random: RandomBytes
  readonly #cookies: CookieIssuer
  /** By public key. */
  readonly #accepted = new Map<string, Accepted>()
  /** By mac1; oldest first. */
  readonly #repeatable = new Map<string, Repeatable>()

  constructor(options: {
    readonly staticKey: KeyPair
    readonly offer: Offer
    readonly random: RandomBytes
  }) {
    this.#staticKey = options.staticKey
    this.#offer = options.offer
    this.#random = options.random
    this.#cookies = new CookieIssuer({
      publicKey: options.staticKey.publicKey,
      random: options.random,
    })
  }

  /** Takes a datagram of type initiation. Nothing is remembered of it before answer. */
  handle(nowUs: number, source: Source, message: Uint8Array): Received {
    const refused = inspectInitiation(message, this.#staticKey.publicKey)
    if (refused !== undefined) return { kind: 'refused', ...refused }

    const repeated = this.#repeat(nowUs, message)
    if (repeated !== undefined) return { kind: 'repeated', message: repeated }

    this.#cookies.countInitiation(nowUs)
    if (this.#cookies.isUnderLoad(nowUs)) {
      if (!this.#cookies.isProved(nowUs, source, message)) {
        return { kind: 'cookie', message: this.#cookies.reply(nowUs, source, message) }
      }
      if (!this.#cookies.admits(nowUs, source)) return { kind: 'refused', refused: 'rate' }
    }

    const consumed = consumeInitiation({ staticKey: this.#staticKey, message })
    if ('refused' in consumed) return { kind: 'refused', ...consumed }
    if (!this.#isFresh(consumed)) return refuse(consumed, 'replay')
    const aead = chooseAead(this.#offer, consumed.payload)
    if (aead === undefined) return refuse(consumed, 'aead')
    return { kind: 'initiation', initiation: { ...consumed, message, aead } }
  }

  /**
   * Accepts an initiation: from now on older ones of the same key are refused and copies get the same answer.
   * `replay` when another one was accepted since handle.
   * @param psk the invitation's secret, or NO_PSK.
   */
  answer(
    nowUs: number,
    initiation: Initiation,
    options: {
      readonly psk: Uint8Array
      readonly localIndex: number
      readonly assignment: Assignment
    },
  ): Answer | Refused {
    if (!this.#isFresh(initiation)) {
      initiation.state.noise.erase()
      return { refused: 'replay' }
    }
    const answer = createResponse(initiation.state, {
      psk: options.psk,
      ephemeralSecret: this.#random(KEY_BYTES),
      localIndex: options.localIndex,
      payload: {
        ...options.assignment,
        aead: initiation.aead,
        features: this.#offer.features,
      },
    })
    this.#remember(nowUs, initiation, answer.message)
    return answer
  }

  /** Lets go of an initiation that will not be answered. */
  dismiss(initiation: Initiation): void {
    initiation.state.noise.erase()
  }

  /** Forgets a public key that is no longer welcome. */
  forget(publicKey: Uint8Array): void {
    const name = sodium.to_hex(publicKey)
    const accepted = this.#accepted.get(name)
    if (accepted === undefined) return
    this.#accepted.delete(name)
    this.#repeatable.delete(accepted.mac1)
  }

  #isFresh({ peerPublicKey, payload }: ConsumedInitiation): boolean {
    const accepted = this.#accepted.get(sodium.to_hex(peerPublicKey))
    return accepted === undefined || payload.timestamp > accepted.timestamp
  }

  #repeat(nowUs: number, message: Uint8Array): Uint8Array | undefined {
    for (const [mac1, { untilUs }] of this.#repeatable) {
      if (nowUs < untilUs) break
      this.#repeatable.delete(mac1)
    }
    const known = this.#repeatable.get(mac1Of(message))
    if (known === undefined) return undefined
    return equalInConstantTime(known.initiation, withoutMac2(message)) ? known.response : undefined
  }

  #remember(nowUs: number, initiation: Initiation, response: Uint8Array): void {
    const { peerPublicKey, payload, message } = initiation
    const name = sodium.to_hex(peerPublicKey)
    const mac1 = mac1Of(message)
    const before = this.#accepted.get(name)
    if (before !== undefined) this.#repeatable.delete(before.mac1)
    this.#accepted.set(name, { timestamp: payload.timestamp, mac1 })
    this.#repeatable.set(mac1, {
      initiation: withoutMac2(message),
      response,
      untilUs: nowUs + REPEAT_WITHIN_US,
    })
  }
}

function refuse(consumed: ConsumedInitiation, refused: 'replay' | 'aead'): Received {
  consumed.state.noise.erase()
  return { kind: 'refused', refused, peerPublicKey: consumed.peerPublicKey }
}

// mac2 is made for one source address, so it differs between copies that took different ways.
function withoutMac2(initiation: Uint8Array): Uint8Array {
  return initiation.slice(0, INITIATION_MAC2)
}

function mac1Of(initiation: Uint8Array): string {
  return sodium.to_hex(initiation.subarray(INITIATION_MAC1, INITIATION_MAC2))
}
