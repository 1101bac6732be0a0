/**
 * The deciding half: pure, one instance a daemon. Events and time go in, commands and facts come out.
 *
 *   handleEvent, handleTimeout     what happened
 *   pollCommand, pollFact          what to do and what to tell, until undefined
 *   nextTimeout                    when to call handleTimeout next
 *
 * Client and Server are the two roles; what they share is here. All times are monotonic microseconds.
 */
import { COUNTER, type EngineCommand, type EngineEvent, type EventOf } from '../boundary.js'
import type { ControlMessage } from './channel.js'
import { Context, type CoreOptions } from './context.js'
import type { Fact } from './facts.js'
import type { Refusal } from './handshake.js'
import type { Peer } from './peer.js'
import type { TunnelSnapshot } from './snapshot.js'
import { nameOf } from './tables.js'

/** Samples for rates and losses are taken so often while a peer is in use. */
const SAMPLE_US = 1_000_000
/** And so often where they decide which of several paths carry. */
const ADAPTIVE_SAMPLE_US = 250_000

export abstract class Tunnel {
  protected readonly context: Context
  protected readonly peers = new Map<number, Peer>()
  readonly #counters: Partial<Record<string, number>> = {}
  readonly #refusals: Partial<Record<Refusal, number>> = {}
  #sampleAtUs = Number.POSITIVE_INFINITY

  constructor(options: CoreOptions) {
    this.context = new Context(options)
  }

  pollCommand(): EngineCommand | undefined {
    return this.context.pollCommand()
  }

  pollFact(): Fact | undefined {
    return this.context.pollFact()
  }

  handleEvent(nowUs: number, event: EngineEvent): void {
    switch (event.kind) {
      case 'handshake':
        this.handleHandshake(nowUs, event)
        return
      case 'counter': {
        const name = nameOf(COUNTER, event.counter)
        if (name !== undefined) this.#counters[name] = event.count
        return
      }
      case 'statsEnd':
        if (event.next > 0) {
          this.#askForStats(event.token, event.next)
          return
        }
        for (const peer of this.peers.values()) peer.handleSampled(nowUs)
        this.context.fact({ kind: 'stats', token: event.token })
        return
      case 'linksChanged':
        this.context.fact({ kind: 'links-changed' })
        return
      case 'failed':
        this.context.fact({
          kind: 'engine-failed',
          syscall: String.fromCharCode(...event.syscall.filter((octet) => octet !== 0)),
          errno: event.errorNumber,
        })
        return
      default:
        this.#handlePeerEvent(nowUs, event)
        return
    }
  }

  handleTimeout(nowUs: number): void {
    for (const peer of this.peers.values()) {
      if (nowUs >= peer.nextTimeout()) peer.handleTimeout(nowUs)
    }
    this.handleRoleTimeout(nowUs)
    if (nowUs < this.#sampleAtUs) return
    this.requestStats(0)
    this.#sampleAtUs = nowUs + this.#sampleEveryUs()
  }

  nextTimeout(): number {
    let nextUs = Math.min(this.#sampleAtUs, this.nextRoleTimeout())
    for (const peer of this.peers.values()) nextUs = Math.min(nextUs, peer.nextTimeout())
    return nextUs
  }

  /** Asks C for fresh measurements; a fact `stats` with this token follows. */
  requestStats(token: number): void {
    this.#askForStats(token, 0)
  }

  snapshot(): TunnelSnapshot {
    return {
      peers: [...this.peers.values()].map((peer) => peer.snapshot()),
      counters: { ...this.#counters },
      refusals: { ...this.#refusals } as Record<string, number>,
    }
  }

  /** Last words to every peer. The daemon carries the commands out and closes the engine. */
  abstract close(): void

  protected abstract handleHandshake(nowUs: number, event: EventOf<'handshake'>): void
  /** Keys came into use: of a new session, or the next ones of a session that goes on. */
  protected abstract handleConfirmed(nowUs: number, peer: Peer, isNew: boolean): void
  protected abstract handleControl(nowUs: number, peer: Peer, message: ControlMessage): void
  /** Only the client makes paths, so C tells of new ones on a server alone. */
  protected handlePathSeen(_nowUs: number, _peer: Peer, _event: EventOf<'pathSeen'>): void {}

  /** Called after every event of a peer. */
  protected abstract handlePeerChanged(nowUs: number, peer: Peer, event: EngineEvent): void
  protected abstract handleRoleTimeout(nowUs: number): void
  protected abstract nextRoleTimeout(): number

  /** @param peer whose message it was, where that is proved. */
  protected refuse(event: EventOf<'handshake'>, why: Refusal, peer?: string): void {
    this.#refusals[why] = (this.#refusals[why] ?? 0) + 1
    this.context.fact({ kind: 'handshake-refused', why, peer, from: event })
  }

  /** Of the peers from this slot on: of many C tells a part at once. */
  #askForStats(token: number, first: number): void {
    this.context.command({ kind: 'statsRequest', fields: { token, first } })
  }

  #handlePeerEvent(
    nowUs: number,
    event: Exclude<
      EngineEvent,
      { kind: 'handshake' | 'counter' | 'statsEnd' | 'linksChanged' | 'failed' }
    >,
  ): void {
    const peer = this.peers.get(event.peer)
    if (peer === undefined) return // removed while the event was under way
    if (event.kind === 'epochConfirmed') {
      const isFirst = peer.epochs.aead === undefined
      const confirmed = peer.epochs.handleConfirmed(event.localIndex)
      if (confirmed === undefined) return
      if (confirmed.fresh) peer.restart(nowUs)
      peer.handleKeys(nowUs)
      this.handleConfirmed(nowUs, peer, isFirst || confirmed.fresh)
      return
    }
    if (event.kind === 'pathSeen') this.handlePathSeen(nowUs, peer, event)
    const message = peer.handleEvent(nowUs, event)
    if (message !== undefined) this.handleControl(nowUs, peer, message)
    if (event.kind === 'peerUse' && nowUs + this.#sampleEveryUs() < this.#sampleAtUs) {
      this.requestStats(0)
      this.#sampleAtUs = nowUs + this.#sampleEveryUs()
    }
    this.handlePeerChanged(nowUs, peer, event)
  }

  #sampleEveryUs(): number {
    const used = [...this.peers.values()].filter(({ isInUse }) => isInUse)
    if (used.length === 0) return Number.POSITIVE_INFINITY
    return used.some(({ choosesBySamples }) => choosesBySamples) ? ADAPTIVE_SAMPLE_US : SAMPLE_US
  }
}
