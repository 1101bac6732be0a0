/** Streams of TCP and QUIC through a simulated tunnel, each a source that has so much to send or always more, and pings. */
import { addon, ipv4, type PingStats, type StreamStats, type WorldHandle } from './addon.js'

export type { PingStats, StreamStats } from './addon.js'

/** Congestion control; its transport is TCP unless told otherwise. */
export type Congestion = 'cubic' | 'bbr' | 'newreno'
export type Transport = 'tcp' | 'quic'

const CONGESTIONS: readonly Congestion[] = ['cubic', 'bbr', 'newreno']
const TRANSPORTS: readonly Transport[] = ['tcp', 'quic']

/** Payload of a full TCP segment where the TUN's MTU is 1420 (timestamps on), and of QUIC's packets. */
const PAYLOAD_BYTES: Readonly<Record<Transport, number>> = { tcp: 1368, quic: 1350 }

/** The length of a slot of `bytesPer100Ms`. */
const SLOT_US = 100_000

export interface StreamOptions {
  readonly fromNode: { readonly id: number }
  readonly toNode: { readonly id: number }
  /** Inner addresses. */
  readonly from: string
  readonly to: string
  /** Tell streams between the same addresses apart. */
  readonly fromPort?: number
  readonly toPort?: number
  readonly dscp?: number
  readonly transport?: Transport
  readonly congestion?: Congestion
  readonly payloadBytes?: number
  /** To send in all, made whole packets; without it there is always more. */
  readonly bytes?: number
  /** Whether the sender hands over super-packets, as a kernel with GSO does; the default. */
  readonly gso?: boolean
  /** Now when absent. */
  readonly startUs?: number
}

export class SimStream {
  readonly #world: WorldHandle
  readonly #id: number
  readonly #startUs: number

  constructor(world: WorldHandle, options: StreamOptions, nowUs: number) {
    const { fromNode, toNode, from, to, transport = 'tcp', congestion = 'cubic' } = options
    this.#world = world
    this.#startUs = Math.max(nowUs, options.startUs ?? nowUs)
    this.#id = addon.streamAdd(world, {
      fromNode: fromNode.id,
      toNode: toNode.id,
      from: ipv4(from),
      to: ipv4(to),
      fromPort: options.fromPort ?? 41_000,
      toPort: options.toPort ?? 5201,
      dscp: options.dscp ?? 0,
      transport: TRANSPORTS.indexOf(transport),
      congestion: CONGESTIONS.indexOf(congestion),
      payloadBytes: options.payloadBytes ?? PAYLOAD_BYTES[transport],
      bytes: options.bytes ?? 0,
      plain: options.gso === false ? 1 : 0,
      startUs: this.#startUs,
    })
  }

  /** Makes one connection of this stream of TCP and one that goes back between the same ports. */
  join(back: SimStream): void {
    addon.streamJoin(this.#world, this.#id, back.#id)
  }

  /** Sends nothing new; what is under way is still repaired. */
  stop(): void {
    addon.talkStop(this.#world, this.#id)
  }

  stats(): StreamStats {
    return addon.streamStats(this.#world, this.#id, false)
  }

  /** The figures so far; order, gaps and delays are counted anew from now on. */
  restart(): StreamStats {
    return addon.streamStats(this.#world, this.#id, true)
  }

  /** Bytes a second that the application got between two times since the stream began, to 100 ms. */
  goodput(fromUs: number, toUs: number): number {
    const slots = this.stats().bytesPer100Ms
    const [first, end] = [Math.round(fromUs / SLOT_US), Math.round(toUs / SLOT_US)]
    return slots.slice(first, end).reduce((sum, bytes) => sum + bytes, 0) / ((end - first) / 10)
  }

  /**
   * When the application first got that many bytes a second for a second, in microseconds since the
   * stream began; undefined: never.
   */
  timeTo(bytesPerS: number): number | undefined {
    const slots = this.stats().bytesPer100Ms
    let sum = 0
    for (let end = 0; end < slots.length; end++) {
      sum += slots[end]! - (slots[end - 10] ?? 0)
      if (end >= 9 && sum >= bytesPerS) return (end + 1) * SLOT_US
    }
    return undefined
  }
}

export interface PingOptions {
  readonly fromNode: { readonly id: number }
  readonly toNode: { readonly id: number }
  /** Inner addresses. */
  readonly from: string
  readonly to: string
  /** Tells pings between the same addresses apart. */
  readonly identifier?: number
  readonly perSecond: number
  readonly payloadBytes?: number
  readonly dscp?: number
  readonly count?: number
  /** Now when absent. */
  readonly startUs?: number
}

/** ICMP echo requests at an even pace, answered by the far node at once. */
export class SimPing {
  readonly #world: WorldHandle
  readonly #id: number

  constructor(world: WorldHandle, options: PingOptions, nowUs: number) {
    const { fromNode, toNode, from, to, perSecond, payloadBytes = 56 } = options
    this.#world = world
    this.#id = addon.pingAdd(world, {
      fromNode: fromNode.id,
      toNode: toNode.id,
      from: ipv4(from),
      to: ipv4(to),
      identifier: options.identifier ?? 1,
      dscp: options.dscp ?? 0,
      payloadBytes,
      intervalUs: Math.round(1e6 / perSecond),
      startUs: options.startUs ?? nowUs,
      count: options.count ?? 0,
    })
  }

  stop(): void {
    addon.talkStop(this.#world, this.#id)
  }

  stats(): PingStats {
    return addon.pingStats(this.#world, this.#id, false)
  }

  /** The figures so far; round trips are counted anew from now on. */
  restart(): PingStats {
    return addon.pingStats(this.#world, this.#id, true)
  }
}
