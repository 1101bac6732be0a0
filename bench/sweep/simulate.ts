/** A scenario in virtual time: streams through a whole tunnel, and what they and the links went through. */
import type { Mode } from '#mptun/core/policy.js'
import type { Happening, Scenario } from '../bond/scenarios/scenario.js'
import { describeLink, type LinkDescription } from '../sim/description.js'
import type { Congestion, PingStats, SimStream, Transport } from '../sim/stream.js'
import { Pair, SECOND } from '../sim/tunnel.js'
import { type Towards, Way, type WayResult } from './way.js'

export interface Run {
  readonly transport: Transport
  readonly congestion: Congestion
  readonly mode: Mode
  readonly seconds: number
  readonly seed: number
  /** Streams at once in a direction; 1 when absent. */
  readonly streams?: number
  /** As many the other way at the same time: streams of their own, or the same connections' (TCP). */
  readonly both?: 'apart' | 'joined'
  /** Requests a second beside it; none when absent. */
  readonly pingPerSecond?: number
  /** Goodput, order and queues count from then on; 5 s when absent. */
  readonly fromSeconds?: number
  /** Away from the client when absent. */
  readonly towards?: Towards
  /** Called each watchMs with the pair and the first stream. */
  readonly watch?: (pair: Pair, stream: SimStream) => void
  readonly watchMs?: number
  /** For how long the paths are known before the load begins; what Pair.open lets them be when absent. */
  readonly knownUs?: number
  /** Whether the senders hand over super-packets; the default. */
  readonly gso?: boolean
}

export interface Result extends WayResult {
  readonly ping: PingStats | undefined
  readonly digest: string
  /** The other way, where something went there. */
  readonly back?: WayResult
}

const SAMPLE_US = 10_000

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

const backOf = (towards: Towards) => (towards === 'server' ? 'client' : 'server')

/** Those of a run, and those that go back at the same time. */
function openStreams(
  pair: Pair,
  run: Run & { readonly towards: Towards; readonly gso: boolean },
): [SimStream[], SimStream[] | undefined] {
  const { streams: count = 1, transport, congestion, towards, both, gso } = run
  const each = <T>(open: () => T) => Array.from({ length: count }, open)
  if (both === 'joined') {
    const joined = each(() => pair.duplex({ congestion, towards, gso }))
    return [joined.map(([stream]) => stream), joined.map(([, back]) => back)]
  }
  const open = (where: Towards) =>
    each(() => pair.stream({ transport, congestion, towards: where, gso }))
  return [open(towards), both && open(backOf(towards))]
}

/** The same scenario, run and seed give the same result, to the last bit. */
export async function simulate(scenario: Pick<Scenario, 'links' | 'happenings'>, run: Run) {
  const { transport, mode, seconds, seed, towards = 'server', gso = true } = run
  const fromUs = (run.fromSeconds ?? Math.min(5, seconds / 2)) * SECOND
  const descriptions = scenario.links.map(({ description }) => describeLink(description))
  const pair = await Pair.open({
    seed,
    uplinks: descriptions.map(({ up, down }) => ({ link: up, backward: down })),
    policy: { mode },
    ...(run.knownUs === undefined ? {} : { warmUpUs: run.knownUs }),
  })
  try {
    const names = scenario.links.map(({ name }) => name)
    const course = new Course(pair, names, descriptions)
    const startUs = pair.nowUs
    const due = [...(scenario.happenings ?? [])].sort((a, b) => a.atS - b.atS)
    const [streams, others] = openStreams(pair, { ...run, towards, gso })
    const way = new Way(pair, towards, names, descriptions, streams)
    const back = others && new Way(pair, backOf(towards), names, descriptions, others)
    const ways = back ? [way, back] : [way]
    const ping = run.pingPerSecond
      ? pair.ping({ perSecond: run.pingPerSecond, towards })
      : undefined
    for (let atUs = SAMPLE_US; atUs <= seconds * SECOND; atUs += SAMPLE_US) {
      pair.world.run(startUs + atUs)
      if (run.watch && atUs % ((run.watchMs ?? 500) * 1000) === 0) run.watch(pair, way.streams[0]!)
      while (due[0] !== undefined && due[0].atS * SECOND <= atUs) course.happen(due.shift()!)
      if (atUs === fromUs) for (const each of [...ways, ping]) each?.restart()
      if (atUs > fromUs) for (const each of ways) each.sample()
    }
    const result: Result = {
      ...way.result(transport, fromUs, seconds * SECOND),
      ping: ping?.stats(),
      digest: pair.world.digest,
      ...(back && { back: back.result(transport, fromUs, seconds * SECOND) }),
    }
    return result
  } finally {
    pair.close()
  }
}
