/** One direction of a simulated tunnel: its streams, and what they and the links went through. */
import { type LinkDescription, meanRate } from '../sim/description.js'
import type { SimStream, StreamStats, Transport } from '../sim/stream.js'
import { type Pair, SECOND } from '../sim/tunnel.js'
import type { PathStats, SimLink } from '../sim/world.js'

export type Towards = 'client' | 'server'

export interface LinkResult {
  readonly name: string
  /** Mean rate, bytes a second; NaN: unlimited. */
  readonly rate: number
  /** Headers included, from fromSeconds on. */
  readonly carried: number
  /** What waited for the rate, in time of the mean rate. */
  readonly queueP50Us: number
  readonly queueP95Us: number
  /**
   * What packets waited for others before them, over time, whether sent or not: an omniscient sender's
   * delay is not in it, which a link that stops brings upon every packet.
   */
  readonly inflictedP95Us: number
  readonly lost: number
  readonly full: number
}

/** What went in one direction. */
export interface WayResult {
  readonly towards: Towards
  /** Bytes a second to the applications, in order. */
  readonly goodput: number
  /** What the links' rates leave for payload; Infinity where one is unlimited. */
  readonly possible: number
  readonly sum: number
  readonly best: number
  /** Since the start, in microseconds: until a second with 90 % of the possible. */
  readonly toNinetyUs: number | undefined
  readonly streams: readonly StreamStats[]
  readonly links: readonly LinkResult[]
  /** As the sender's node measures them at the end. */
  readonly paths: readonly PathStats[]
  /** Bytes of all streams, each 100 ms. */
  readonly course: readonly number[]
}

/** Tunnel, UDP and IP around each inner packet; timestamps, TCP or UDP and IP inside, whole and compressed. */
const OUTER_BYTES = 32 + 28
const INNER_BYTES: Readonly<Record<Transport, number>> = { tcp: 52, quic: 28 }
const COMPRESSED_BYTES: Readonly<Record<Transport, number>> = { tcp: 10, quic: 3 }
const PAYLOAD_BYTES: Readonly<Record<Transport, number>> = { tcp: 1368, quic: 1350 }
/** Paths that carry more than that take packets whole. */
const COMPRESSED_BELOW_BYTES_PER_S = 25_000_000

/** What a link leaves for payload, in bytes a second. */
function possibleOf(transport: Transport, rate: number): number {
  const payload = PAYLOAD_BYTES[transport]
  const inner = rate < COMPRESSED_BELOW_BYTES_PER_S ? COMPRESSED_BYTES : INNER_BYTES
  return (rate * payload) / (payload + inner[transport] + OUTER_BYTES)
}

const quantile = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

/** When the first second with so many bytes ends, in microseconds; undefined: never. */
function timeTo(course: readonly number[], bytesPerS: number): number | undefined {
  let sum = 0
  for (const [slot, bytes] of course.entries()) {
    sum += bytes - (course[slot - 10] ?? 0)
    if (slot >= 9 && sum >= bytesPerS) return (slot + 1) * 100_000
  }
  return undefined
}

/** The streams of one direction, and what of its links is looked at while they run. */
export class Way {
  readonly #pair: Pair
  readonly #towards: Towards
  readonly #direction: 'forward' | 'backward'
  readonly #names: readonly string[]
  readonly #rates: readonly number[]
  readonly #waits: number[][]
  readonly #inflicted: number[][]
  #before: ReturnType<SimLink['counters']>[]
  readonly streams: readonly SimStream[]

  constructor(
    pair: Pair,
    towards: Towards,
    names: readonly string[],
    descriptions: readonly LinkDescription[],
    streams: readonly SimStream[],
  ) {
    this.#pair = pair
    this.#towards = towards
    this.#direction = towards === 'server' ? 'forward' : 'backward'
    this.#names = names
    this.#rates = descriptions.map(
      ({ up, down }) => meanRate(towards === 'server' ? up : down) ?? Number.POSITIVE_INFINITY,
    )
    this.#waits = names.map(() => [])
    this.#inflicted = names.map(() => [])
    this.streams = streams
    this.#before = this.#counters()
  }

  /** Order, queues and what the links did count from now on. */
  restart(): void {
    for (const stream of this.streams) stream.restart()
    this.#before = this.#counters()
  }

  sample(): void {
    for (const [index, link] of this.#pair.links.entries()) {
      const waits = link.backlogBytes(this.#direction)
      this.#waits[index]!.push((waits / this.#rates[index]!) * SECOND)
      this.#inflicted[index]!.push(link.inflictedUs(this.#direction))
    }
  }

  result(transport: Transport, fromUs: number, toUs: number): WayResult {
    const stats = this.streams.map((stream) => stream.stats())
    const course = Array.from({ length: Math.ceil(toUs / 100_000) }, (_, slot) =>
      stats.reduce((sum, { bytesPer100Ms }) => sum + (bytesPer100Ms[slot] ?? 0), 0),
    )
    const sum = this.#rates.reduce((total, rate) => total + rate, 0)
    const possible = this.#rates.reduce((total, rate) => total + possibleOf(transport, rate), 0)
    const sender = this.#towards === 'server' ? this.#pair.client : this.#pair.server
    return {
      towards: this.#towards,
      goodput: this.streams.reduce((total, stream) => total + stream.goodput(fromUs, toUs), 0),
      possible,
      sum,
      best: Math.max(...this.#rates),
      toNinetyUs: timeTo(course, 0.9 * possible),
      streams: stats,
      links: this.#links((toUs - fromUs) / SECOND),
      paths: sender.node.pathStats(),
      course,
    }
  }

  #links(spanS: number): LinkResult[] {
    const after = this.#counters()
    return this.#rates.map((rate, index) => {
      const sorted = this.#waits[index]!.sort((a, b) => a - b)
      const inflicted = this.#inflicted[index]!.sort((a, b) => a - b)
      const [first, last] = [this.#before[index]!, after[index]!]
      return {
        name: this.#names[index]!,
        rate,
        carried: (last.acceptedBytes - first.acceptedBytes) / spanS,
        queueP50Us: quantile(sorted, 0.5),
        queueP95Us: quantile(sorted, 0.95),
        inflictedP95Us: quantile(inflicted, 0.95),
        lost: last.lost - first.lost,
        full: last.full - first.full,
      }
    })
  }

  #counters() {
    return this.#pair.links.map((link) => link.counters(this.#direction))
  }
}
