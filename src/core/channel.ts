/**
 * Control messages of one session: each is repeated until it is acknowledged, and taken once
 * (PROTOCOL.md, "Control").
 */
import { CROSSING } from '../boundary.js'
import { Codec } from '../layout.js'
import { CONTROL, CONTROL_KIND } from '../wire.js'
import type { Context } from './context.js'
import { nameOf } from './tables.js'

export type ControlKind = keyof typeof CONTROL_KIND

export interface ControlMessage {
  readonly kind: ControlKind
  readonly body: Uint8Array
}

/** Chosen: above the round trip of most uplinks, and eight tries outlive a failover. */
const REPEAT_US = 250_000
const MOST_TRIES = 8
/** Others may count from 0. */
const NONE_TAKEN = -1

const codec = new Codec(CONTROL, 'packed')

interface Pending extends ControlMessage {
  readonly id: number
  tries: number
  repeatAtUs: number
}

export class ControlChannel {
  readonly #context: Context
  readonly #peer: number
  #nextId = 1
  /** By kind: one that is repeated may come behind what was sent after it. */
  readonly #newestTaken = new Map<ControlKind, number>()
  /** At most one of a kind: a newer policy supersedes the one before it. */
  #pending: Pending[] = []

  constructor(context: Context, peer: number) {
    this.#context = context
    this.#peer = peer
  }

  send(nowUs: number, kind: Exclude<ControlKind, 'ack'>, body: Uint8Array): void {
    this.#pending = this.#pending.filter((other) => other.kind !== kind)
    const pending = { id: this.#nextId++, kind, body, tries: 0, repeatAtUs: nowUs }
    this.#pending.push(pending)
    this.#transmit(nowUs, pending)
  }

  /** Sent once on each of these paths, without waiting for an answer: for the last words of a session. */
  sendOnce(kind: Exclude<ControlKind, 'ack'>, body: Uint8Array, paths: readonly number[]): void {
    const id = this.#nextId++
    for (const path of paths) this.#write(id, kind, body, path)
  }

  /**
   * The message, when it is new and known, or the ack of one that waited for it. Whatever is
   * well-formed is acknowledged, so that the other side comes to rest.
   */
  handle(bytes: Uint8Array, path: number): ControlMessage | undefined {
    if (bytes.length < codec.size) return undefined
    const { id, kind: value } = codec.decode(bytes)
    const kind = nameOf(CONTROL_KIND, value)
    const body = bytes.slice(codec.size)
    if (kind === 'ack') {
      const waiting = this.#pending.filter((pending) => pending.id !== id)
      const isAwaited = waiting.length < this.#pending.length
      this.#pending = waiting
      return isAwaited ? { kind, body } : undefined
    }
    this.#write(id, 'ack', new Uint8Array(), path)
    if (kind === undefined || id <= (this.#newestTaken.get(kind) ?? NONE_TAKEN)) return undefined
    this.#newestTaken.set(kind, id)
    return { kind, body }
  }

  /** There may be another way: what was given up is sent again, and what still waits is tried as often as at first. */
  retry(nowUs: number): void {
    for (const pending of this.#pending) {
      const isGivenUp = pending.tries === MOST_TRIES
      pending.tries = 0
      if (isGivenUp) this.#transmit(nowUs, pending)
    }
  }

  /** The session began anew, and with it the count of the other side; ours goes on. */
  restart(): void {
    this.#newestTaken.clear()
    this.#pending = []
  }

  handleTimeout(nowUs: number): void {
    for (const pending of this.#pending) {
      if (nowUs >= pending.repeatAtUs) this.#transmit(nowUs, pending)
    }
  }

  nextTimeout(): number {
    let nextUs = Number.POSITIVE_INFINITY
    for (const { repeatAtUs } of this.#pending) nextUs = Math.min(nextUs, repeatAtUs)
    return nextUs
  }

  #transmit(nowUs: number, pending: Pending): void {
    pending.tries++
    pending.repeatAtUs = pending.tries < MOST_TRIES ? nowUs + REPEAT_US : Number.POSITIVE_INFINITY
    this.#write(pending.id, pending.kind, pending.body, CROSSING.noPath.value)
  }

  #write(id: number, kind: ControlKind, body: Uint8Array, path: number): void {
    const payload = new Uint8Array(codec.size + body.length)
    codec.encodeInto(payload, { id, kind: CONTROL_KIND[kind].value })
    payload.set(body, codec.size)
    this.#context.command({ kind: 'controlSend', fields: { peer: this.#peer, path }, payload })
  }
}
