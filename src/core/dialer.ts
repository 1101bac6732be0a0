/**
 * Keeps a client in session with its server: shakes hands on every uplink at once, again before keys are old
 * and whenever no path is left, for ever.
 */
import { sameOctets } from '../octets.js'
import { MESSAGE, TIMER } from '../wire.js'
import { type Context, type CoreOptions, FEATURES, offerOf } from './context.js'
import { INSTANCE_BYTES, type Refused, type ResponsePayload } from './handshake.js'
import { type Credential, type Established, Initiator } from './initiator.js'
import type { Peer } from './peer.js'
import type { Roster } from './roster.js'
import { type TimestampMemory, Timestamps } from './timestamp.js'

export interface DialerOptions extends CoreOptions {
  readonly serverPublicKey: Uint8Array
  /** Set until the server knows our key. */
  readonly invitation?: Credential
  /** Left out: a restart forgets. */
  readonly timestamps?: TimestampMemory
}

/** A new session must have a path alive by then, or it was agreed with a server that is gone. */
const FIRST_PATH_WITHIN_US = 5_000_000
/** Longer than a server needs to start; who watches then looks for a reason. */
const UNANSWERED_US = 10_000_000
/** And hears of it again each time that it has lasted so many times as long. */
const AGAIN = 6
/** A server that has revoked us is asked this rarely. */
const REVOKED_RETRY_US = 60_000_000

export class Dialer {
  readonly #context: Context
  readonly #options: DialerOptions
  readonly #server: Peer
  readonly #roster: Roster
  readonly #initiator: Initiator
  #invitation: Credential | undefined
  /** What the session is called, by us and by the server; anew whenever there is none. */
  #instance: Uint8Array | undefined
  #serverInstance: Uint8Array | undefined
  #pendingIndex: number | undefined
  #established: Established | undefined
  #rekeyAtUs = Number.POSITIVE_INFINITY
  /** A session goes on while a handshake is under way: should it be lost, that is news. */
  #isRekeying = false
  #firstPathByUs = Number.POSITIVE_INFINITY
  /** When the first try of those without an answer was made, and when the next complaint is due. */
  #callingSinceUs: number | undefined
  #complainAtUs = 0

  constructor(context: Context, options: DialerOptions, server: Peer, roster: Roster) {
    this.#context = context
    this.#options = options
    this.#server = server
    this.#roster = roster
    this.#invitation = options.invitation
    this.#initiator = new Initiator({
      staticKey: options.staticKey,
      serverPublicKey: options.serverPublicKey,
      offer: offerOf(options),
      random: options.randomBytes,
      timestamps: new Timestamps(options.timestamps),
    })
  }

  /** Takes a handshake message that came on this path. `agreed`: keys are with C, and paths may follow. */
  handle(nowUs: number, path: number, message: Uint8Array): Refused | 'agreed' | undefined {
    if (message[0] === MESSAGE.cookie.value) {
      return this.#initiator.handleCookie(nowUs, path, message)
    }
    const answer = this.#initiator.handleResponse(message)
    if (!('refused' in answer)) {
      this.#establish(nowUs, answer)
      return 'agreed'
    }
    // The same answer comes over every uplink; all but the first find nothing under way.
    return answer.refused === 'index' ? undefined : answer
  }

  /** C uses the keys that were agreed: what the server said with them, or nothing when none were. */
  handleConfirmed(nowUs: number): ResponsePayload | undefined {
    if (this.#established === undefined) return undefined
    this.#rekeyAtUs = nowUs + TIMER.rekeyAfterUs.value
    this.#firstPathByUs = nowUs + FIRST_PATH_WITHIN_US
    return this.#established.payload
  }

  /** The server has bound our key: the secret has done its work. False when it had done so before. */
  handleEnrolled(): boolean {
    if (this.#invitation === undefined) return false
    this.#invitation = undefined
    return true
  }

  /** The server's packets arrive: the session goes on, whatever is under way. Of one that is over that means nothing. */
  handleAlive(): void {
    if (this.#server.epochs.aead === undefined) return
    this.#firstPathByUs = Number.POSITIVE_INFINITY
    this.#isRekeying = true
  }

  /** The session is over. A server that has revoked us is not asked again soon. */
  handleClosed(nowUs: number, isRevoked: boolean, why: string): void {
    this.#rekeyAtUs = Number.POSITIVE_INFINITY
    this.#isRekeying = false
    this.#initiator.stop()
    if (isRevoked) this.#initiator.start(nowUs + REVOKED_RETRY_US, REVOKED_RETRY_US)
    else this.startIfLost(nowUs, why)
  }

  /** Shakes hands unless there is a path that works, or it does so already or waits for the time to. */
  startIfLost(nowUs: number, why: string): void {
    if ((this.#isUnderWay && !this.#isRekeying) || !this.#roster.canSend) return
    if (this.#server.epochs.aead !== undefined && this.#server.hasPathUp) return
    this.#start(nowUs, why)
  }

  /** Wants a handshake where it is time for one. */
  handleTimeout(nowUs: number): void {
    if (nowUs >= this.#rekeyAtUs) {
      this.#rekeyAtUs = Number.POSITIVE_INFINITY
      if (!this.#isUnderWay) {
        this.#isRekeying = true
        this.#initiator.start(nowUs)
      }
    }
    if (nowUs >= this.#firstPathByUs) {
      this.#firstPathByUs = Number.POSITIVE_INFINITY
      this.startIfLost(nowUs, 'no path to the server came alive')
    }
  }

  /** Sends the next initiation where it is due: to be called when the uplinks are as they shall be. */
  attemptIfDue(nowUs: number): void {
    const dueUs = this.#initiator.nextTimeout()
    if (dueUs !== undefined && nowUs >= dueUs) this.#attempt(nowUs)
  }

  nextTimeout(): number {
    return Math.min(
      this.#rekeyAtUs,
      this.#firstPathByUs,
      this.#initiator.nextTimeout() ?? Number.POSITIVE_INFINITY,
    )
  }

  get #isUnderWay(): boolean {
    return this.#initiator.nextTimeout() !== undefined
  }

  #start(nowUs: number, why: string): void {
    this.#isRekeying = false
    this.#initiator.start(nowUs)
    this.#context.fact({ kind: 'handshake-started', why })
  }

  /** One initiation, on every uplink. */
  #attempt(nowUs: number): void {
    if (this.#pendingIndex !== undefined) this.#context.giveIndex(this.#pendingIndex)
    this.#pendingIndex = this.#context.takeIndex()
    const hasSession = this.#server.epochs.aead !== undefined
    if (!hasSession) this.#instance = undefined
    this.#instance ??= this.#options.randomBytes(INSTANCE_BYTES)
    this.#initiator.attempt(nowUs, {
      instance: this.#instance,
      wallUs: this.#options.wallUs(),
      localIndex: this.#pendingIndex,
      ...(this.#invitation === undefined ? {} : { invitation: this.#invitation }),
    })
    if (!hasSession) this.#complainIfUnanswered(nowUs)
    for (const uplink of this.#roster.present) {
      if (!hasSession) uplink.countTry()
      const endpoint = uplink.target()
      const payload = this.#initiator.messageFor(nowUs, uplink.path)
      if (endpoint === undefined || payload === undefined) continue
      this.#context.command({ kind: 'datagramSend', fields: endpoint, payload })
    }
  }

  #complainIfUnanswered(nowUs: number): void {
    this.#callingSinceUs ??= nowUs
    const forUs = nowUs - this.#callingSinceUs
    if (forUs < UNANSWERED_US) this.#complainAtUs = this.#callingSinceUs + UNANSWERED_US
    if (nowUs < this.#complainAtUs) return
    this.#complainAtUs = nowUs + (AGAIN - 1) * forUs
    const tried = this.#roster.present.map((uplink) => ({
      uplink: uplink.name,
      to: uplink.target(),
      why: uplink.unavailable || uplink.unreachable,
    }))
    this.#context.fact({ kind: 'handshake-unanswered', forUs, tried })
  }

  #establish(nowUs: number, established: Established): void {
    const { localIndex, remoteIndex, payload, keys } = established
    this.#pendingIndex = undefined
    this.#callingSinceUs = undefined
    this.#established = established
    // Also in place of that of the session before, which is nobody's business any more.
    this.#firstPathByUs = nowUs + FIRST_PATH_WITHIN_US
    const before = this.#serverInstance
    const fresh = before === undefined || !sameOctets(payload.instance, before)
    this.#serverInstance = payload.instance
    this.#server.epochs.install(nowUs, {
      localIndex,
      remoteIndex,
      aead: payload.aead,
      features: payload.features & FEATURES,
      keys,
      fresh,
      confirmed: true,
    })
  }
}
