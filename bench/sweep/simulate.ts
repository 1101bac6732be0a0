/** A scenario in virtual time: one stream through a whole tunnel, and what it and the links went through. */
import type { Mode } from '#mptun/core/policy.js'
import type { Happening, Scenario } from '../bond/scenarios/scenario.js'
import { describeLink, type LinkDescription, meanRate } from '../sim/description.js'
import type { Congestion, PingStats, SimStream, StreamStats, Transport } from '../sim/stream.js'
import { Pair, SECOND } from '../sim/tunnel.js'
import type { PathStats } from '../sim/world.js'

export interface Run {
  readonly transport: Transport
  readonly congestion: Congestion
  readonly mode: Mode
  readonly seconds: number
  readonly seed: number
  /** Streams at once; 1 when absent. */
  readonly streams?: number
  /** Requests a second beside it; none when absent. */
  readonly pingPerSecond?: number
  /** Goodput, order and queues count from then on; 5 s when absent. */
  readonly fromSeconds?: number
  /** Away from the client when absent. */
  readonly towards?: 'client' | 'server'
  /** Called each watchMs with the pair and the first stream. */
  readonly watch?: (pair: Pair, stream: SimStream) => void
  readonly watchMs?: number
  /** Whether the senders hand over super-packets; the default. */
  readonly gso?: boolean
}

export interface LinkResult {
  readonly name: string
  /** Mean rate, bytes a second; NaN: unlimited. */
  readonly rate: number
  /** Of the stream's direction, headers included, from fromSeconds on. */
  readonly carried: number
  /** Time that what waited for the rate stood for, in that direction. */
  readonly queueP50Us: number
  readonly queueP95Us: number
  readonly lost: number
  readonly full: number
}

export interface Result {
  /** Bytes a second to the applications, in order. */
  readonly goodput: number
  /** What the links' rates leave for payload; Infinity where one is unlimited. */
  readonly possible: number
  readonly sum: number
  readonly best: number
  /** Since the start, in microseconds: until a second with 90 % of the possible. */
  readonly toNinetyUs: number | undefined
  readonly streams: readonly StreamStats[]
  readonly ping: PingStats | undefined
  readonly links: readonly LinkResult[]
  /** As the sender's node measures them at the end. */
  readonly paths: readonly PathStats[]
  readonly digest: string
  /** Bytes of all streams, each 100 ms. */
  readonly course: readonly number[]
}

const SAMPLE_US = 10_000
/** Tunnel, UDP and IP around each inner packet; timestamps, TCP or UDP and IP inside. */
const OUTER_BYTES = 32 + 28
const INNER_BYTES: Readonly<Record<Transport, number>> = { tcp: 52, quic: 28 }
const PAYLOAD_BYTES: Readonly<Record<Transport, number>> = { tcp: 1368, quic: 1350 }

function efficiency(transport: Transport): number {
  const payload = PAYLOAD_BYTES[transport]
  return payload / (payload + INNER_BYTES[transport] + OUTER_BYTES)
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

/** Lets happen what a scenario says of its links. */
class Course {
  readonly #pair: Pair
  readonly #names: readonly string[]
  readonly #descriptions: LinkDescription[]

  constructor(pair: Pair, names: readonly string[], descriptions: readonly LinkDescription[]) {
    this.#pair = pair
    this.#names = names
    this.#descriptions = [...descriptions]
  }

  happen({ link, what }: Happening): void {
    const index = this.#names.indexOf(link)
    const sim = this.#pair.links[index]
    if (sim === undefined) throw new Error(`scenario: no link is named ${link}`)
    if (what === 'cut') sim.cut()
    else if (what === 'restore') sim.restore()
    else if (what === 'unplug') this.#pair.unplug(index)
    else if (what === 'plug') this.#pair.plug(index)
    else {
      const next = describeLink(what.slice('set '.length), this.#descriptions[index])
      this.#descriptions[index] = next
      sim.set(next.up, 'forward')
      sim.set(next.down, 'backward')
    }
  }
}

/** The same scenario, run and seed give the same result, to the last bit. */
export async function simulate(scenario: Pick<Scenario, 'links' | 'happenings'>, run: Run) {
  const { transport, congestion, mode, seconds, seed, towards = 'server', gso = true } = run
  const fromUs = (run.fromSeconds ?? Math.min(5, seconds / 2)) * SECOND
  const descriptions = scenario.links.map(({ description }) => describeLink(description))
  const pair = await Pair.open({
    seed,
    uplinks: descriptions.map(({ up, down }) => ({ link: up, backward: down })),
    policy: { mode },
  })
  try {
    const direction = towards === 'server' ? 'forward' : 'backward'
    const shapes = descriptions.map(({ up, down }) => (towards === 'server' ? up : down))
    const rates = shapes.map((shape) => meanRate(shape) ?? Number.POSITIVE_INFINITY)
    const names = scenario.links.map(({ name }) => name)
    const course = new Course(pair, names, descriptions)
    const startUs = pair.nowUs
    const due = [...(scenario.happenings ?? [])].sort((a, b) => a.atS - b.atS)
    const streams = Array.from({ length: run.streams ?? 1 }, () =>
      pair.stream({ transport, congestion, towards, gso }),
    )
    const ping = run.pingPerSecond
      ? pair.ping({ perSecond: run.pingPerSecond, towards })
      : undefined
    const waits: number[][] = rates.map(() => [])
    const counters = () => pair.links.map((link) => link.counters(direction))
    let before = counters()
    for (let atUs = SAMPLE_US; atUs <= seconds * SECOND; atUs += SAMPLE_US) {
      pair.world.run(startUs + atUs)
      if (run.watch && atUs % ((run.watchMs ?? 500) * 1000) === 0) run.watch(pair, streams[0]!)
      while (due[0] !== undefined && due[0].atS * SECOND <= atUs) course.happen(due.shift()!)
      if (atUs === fromUs) {
        for (const each of [...streams, ping]) each?.restart()
        before = counters()
      }
      if (atUs <= fromUs) continue
      for (const [index, link] of pair.links.entries()) {
        waits[index]!.push((link.backlogBytes(direction) / rates[index]!) * SECOND)
      }
    }
    const after = counters()
    const spanS = seconds - fromUs / SECOND
    const stats = streams.map((stream) => stream.stats())
    const slots = Math.ceil(seconds * 10)
    const all = Array.from({ length: slots }, (_, slot) =>
      stats.reduce((sum, { bytesPer100Ms }) => sum + (bytesPer100Ms[slot] ?? 0), 0),
    )
    const sum = rates.reduce((total, rate) => total + rate, 0)
    const possible = sum * efficiency(transport)
    const sender = towards === 'server' ? pair.client : pair.server
    const goodput = streams.reduce(
      (total, stream) => total + stream.goodput(fromUs, seconds * SECOND),
      0,
    )
    const result: Result = {
      goodput,
      possible,
      sum,
      best: Math.max(...rates),
      toNinetyUs: timeTo(all, 0.9 * possible),
      streams: stats,
      ping: ping?.stats(),
      links: rates.map((rate, index) => {
        const sorted = waits[index]!.sort((a, b) => a - b)
        const [first, last] = [before[index]!, after[index]!]
        return {
          name: names[index]!,
          rate,
          carried: (last.acceptedBytes - first.acceptedBytes) / spanS,
          queueP50Us: quantile(sorted, 0.5),
          queueP95Us: quantile(sorted, 0.95),
          lost: last.lost - first.lost,
          full: last.full - first.full,
        }
      }),
      paths: sender.node.pathStats(),
      digest: pair.world.digest,
      course: all,
    }
    return result
  } finally {
    pair.close()
  }
}
