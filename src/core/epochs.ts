/**
 * The keys of one peer over time: previous, current and next (PROTOCOL.md, "Sessions and epochs").
 * Keys themselves go straight to C and are erased here.
 */
import { AEAD, TIMER } from '../wire.js'
import type { Context } from './context.js'
import type { Keys } from './handshake.js'
import { erase } from './keys.js'
import { nameOf } from './tables.js'

export interface NewEpoch {
  readonly localIndex: number
  readonly remoteIndex: number
  readonly aead: number
  /** FEATURE bits that both sides have. */
  readonly features: number
  readonly keys: Keys
  /** The other side began anew: what came before is void once these keys are in use. */
  readonly fresh: boolean
  /** The initiator may send at once; the responder waits for the first datagram. */
  readonly confirmed: boolean
}

interface Epoch {
  readonly localIndex: number
  readonly aead: number
  readonly features: number
  readonly fresh: boolean
  readonly sinceUs: number
}

export class Epochs {
  readonly #context: Context
  readonly #peer: number
  #previous: Epoch | undefined
  #current: Epoch | undefined
  #next: Epoch | undefined

  constructor(context: Context, peer: number) {
    this.#context = context
    this.#peer = peer
  }

  /** The AEAD of the current epoch by name; undefined: no session. */
  get aead(): string | undefined {
    return this.#current && aeadName(this.#current.aead)
  }

  /** FEATURE bits that both sides have in the current epoch; undefined: no session. */
  get features(): number | undefined {
    return this.#current?.features
  }

  get currentSinceUs(): number | undefined {
    return this.#current?.sinceUs
  }

  /** Gives keys to C and erases them here. A responder's earlier offer that was never confirmed is dropped. */
  install(nowUs: number, epoch: NewEpoch): void {
    const { localIndex, remoteIndex, aead, features, keys, fresh, confirmed } = epoch
    this.#next = this.#drop(this.#next)
    this.#context.command({
      kind: 'keysInstall',
      fields: {
        peer: this.#peer,
        localIndex,
        remoteIndex,
        aead,
        confirmed: confirmed ? 1 : 0,
        fresh: fresh ? 1 : 0,
        features,
        sendKey: keys.sendKey.slice(),
        receiveKey: keys.receiveKey.slice(),
      },
    })
    erase(keys.sendKey, keys.receiveKey)
    this.#next = { localIndex, aead, features, fresh, sinceUs: nowUs }
  }

  /** C says that the next epoch is in use now. Undefined for an index that is not the next one's. */
  handleConfirmed(localIndex: number): { readonly fresh: boolean } | undefined {
    const next = this.#next
    if (next === undefined || next.localIndex !== localIndex) return undefined
    this.#next = undefined
    this.#previous = this.#drop(this.#previous)
    if (next.fresh) this.#drop(this.#current)
    else this.#previous = this.#current
    this.#current = next
    return { fresh: next.fresh }
  }

  /** Nothing is left: no session, and none to come. */
  get isEmpty(): boolean {
    return this.#previous === undefined && this.#current === undefined && this.#next === undefined
  }

  /** Drops what is too old. True when the session has just ended by it. */
  handleTimeout(nowUs: number): boolean {
    const expired = (epoch: Epoch | undefined) =>
      epoch !== undefined && nowUs >= epoch.sinceUs + TIMER.rejectAfterUs.value
    if (expired(this.#previous)) this.#previous = this.#drop(this.#previous)
    if (expired(this.#next)) this.#next = this.#drop(this.#next)
    if (!expired(this.#current)) return false
    this.#current = this.#drop(this.#current)
    return true
  }

  nextTimeout(): number {
    const oldest = this.#previous ?? this.#current ?? this.#next
    return oldest === undefined
      ? Number.POSITIVE_INFINITY
      : oldest.sinceUs + TIMER.rejectAfterUs.value
  }

  dropAll(): void {
    this.#previous = this.#drop(this.#previous)
    this.#current = this.#drop(this.#current)
    this.#next = this.#drop(this.#next)
  }

  #drop(epoch: Epoch | undefined): undefined {
    if (epoch === undefined) return undefined
    this.#context.giveIndex(epoch.localIndex)
    this.#context.command({
      kind: 'keysDrop',
      fields: { peer: this.#peer, localIndex: epoch.localIndex },
    })
    return undefined
  }
}

export function aeadName(bit: number): string {
  return nameOf(AEAD, bit) ?? `aead ${bit}`
}
