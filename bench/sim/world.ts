/** Worlds in virtual time: nodes that run the real C, links by the law of the emulator, and flows that account for every packet. */
import { CROSSING, type EngineCommand, type EngineEvent } from '#mptun/boundary.js'
import { type EnginePort, EventReader, encodeCommand } from '#mptun/crossing.js'
import {
  addon,
  type Capture,
  type FlowStats,
  ipv4,
  type LinkCounters,
  type LinkShape,
  type RawEnd,
  type RawShape,
  type WorldHandle,
} from './addon.js'
import { type PingOptions, SimPing, SimStream, type StreamOptions } from './stream.js'

export type { Capture, FlowStats, LinkCounters, LinkShape } from './addon.js'
export { ipv4 } from './addon.js'

export type Direction = 'forward' | 'backward'

export interface EndOptions {
  readonly node: SimNode
  readonly port: number
  /** IPv4 address of this end of the link. */
  readonly address: string
  readonly udpPort: number
}

export interface LinkOptions {
  readonly a: EndOptions
  readonly b: EndOptions
  /** How b knows a. */
  readonly nat?: { readonly address: string; readonly udpPort: number }
  /** From a to b. */
  readonly forward?: LinkShape
  /** From b to a; like `forward` when absent. */
  readonly backward?: LinkShape
  /** Of IP packets, both ways; larger ones are split, or dropped where that is forbidden. None when absent. */
  readonly mtuBytes?: number
}

export interface FlowOptions {
  readonly fromNode: SimNode
  readonly toNode: SimNode
  /** Inner addresses. */
  readonly from: string
  readonly to: string
  readonly fromPort?: number
  readonly toPort?: number
  readonly dscp?: number
  /** UDP payload of the inner packets, at least 32. */
  readonly payloadBytes: number
  readonly packetsPerSecond: number
  /** Packets sent back to back; the mean rate stays. */
  readonly burst?: number
  /** Now when absent. */
  readonly startUs?: number
  readonly count?: number
}

const rawShape = (shape: LinkShape): RawShape => ({
  ...shape,
  down: shape.down ? 1 : 0,
  jitterUniform: shape.jitterUniform ? 1 : 0,
})
const rawDirection = (direction: Direction) => (direction === 'forward' ? 0 : 1)
const rawEnd = ({ node, port, address, udpPort }: EndOptions): RawEnd => ({
  node: node.id,
  port,
  address: ipv4(address),
  udpPort,
})

/** What drives a node: the TypeScript core, or a test. Times are the world's. */
export interface Pilot {
  handleEvents(events: EngineEvent[], nowUs: number): void
  handleTimeout?(nowUs: number): void
  /** When handleTimeout wants to be called; Infinity: never. */
  nextTimeoutUs?(): number
}

export type PathStats = Extract<EngineEvent, { kind: 'pathStats' }>

/** A node, an engine's stand-in in virtual time. */
export class SimNode implements EnginePort {
  readonly id: number
  pilot: Pilot | undefined
  readonly #world: WorldHandle
  readonly #reader: EventReader
  #own: EngineEvent[] = []

  constructor(world: WorldHandle) {
    this.#world = world
    this.id = addon.nodeAdd(world)
    this.#reader = new EventReader((into) => addon.readEvents(world, this.id, into))
  }

  /** Carried out at once. Throws MPTUN_E_BUG when it makes no sense. */
  command(command: EngineCommand): boolean {
    addon.command(this.#world, this.id, encodeCommand(command), command.payload)
    return true
  }

  readEvents(): EngineEvent[] {
    return [...this.#own.splice(0), ...this.#reader.readAll()]
  }

  /** Opens a port; the world has no sockets, so this cannot fail. */
  openPort(port: number): void {
    this.command({ kind: 'portOpen', fields: { port, family: 4, fd: 0 } })
  }

  /** What sending by this port fails with from now on; 0: nothing. */
  failPort(port: number, errno: number): void {
    addon.portFail(this.#world, this.id, port, errno)
  }

  /** The machine stands still until then; what arrives waits, and all happens at once when it goes on. */
  pauseUntil(untilUs: number): void {
    addon.nodePause(this.#world, this.id, untilUs)
  }

  /** A datagram of anybody, now. */
  inject(port: number, from: { address: string; udpPort: number }, bytes: Uint8Array): void {
    addon.inject(this.#world, this.id, port, ipv4(from.address), from.udpPort, bytes)
  }

  /** Counters and measurements as the node has them now. Other events that wait are kept. */
  stats(): EngineEvent[] {
    const before = this.readEvents()
    this.command({ kind: 'statsRequest', fields: { token: 1 } })
    const events = this.readEvents()
    this.#own.push(...before)
    return events
  }

  /** What the node measures of each path towards each peer, now. */
  pathStats(): PathStats[] {
    return this.stats().filter((event) => event.kind === 'pathStats')
  }

  /** One of COUNTER, 0 when nothing was counted. */
  counter(counter: number): number {
    const found = this.stats().find(
      (event) => event.kind === 'counter' && event.counter === counter,
    )
    return found?.kind === 'counter' ? found.count : 0
  }
}

export class SimLink {
  readonly #world: WorldHandle
  readonly #id: number

  constructor(world: WorldHandle, options: LinkOptions) {
    const { a, b, nat, forward = {}, backward = forward, mtuBytes = 0 } = options
    this.#world = world
    this.#id = addon.linkAdd(world, {
      a: rawEnd(a),
      b: rawEnd(b),
      nat: nat ? { address: ipv4(nat.address), udpPort: nat.udpPort } : null,
      forward: rawShape(forward),
      backward: rawShape(backward),
      mtuBytes,
    })
  }

  /** Changes one direction, or both. */
  set(shape: LinkShape, ...directions: Direction[]): void {
    for (const direction of both(directions)) {
      addon.linkSet(this.#world, this.#id, rawDirection(direction), rawShape(shape))
    }
  }

  /** Cuts one direction, or both, with what is under way. */
  cut(...directions: Direction[]): void {
    for (const direction of both(directions)) {
      addon.linkDown(this.#world, this.#id, rawDirection(direction), true)
    }
  }

  restore(...directions: Direction[]): void {
    for (const direction of both(directions)) {
      addon.linkDown(this.#world, this.#id, rawDirection(direction), false)
    }
  }

  /** Another bound of IP packets, both ways; larger ones are dropped, or only those that must not be split. */
  narrow(mtuBytes: number, larger: 'dropped' | 'split'): void {
    addon.linkNarrow(this.#world, this.#id, mtuBytes, larger === 'dropped')
  }

  /** The NAT forgets its mapping and makes another. */
  rebind(address: string, udpPort: number): void {
    addon.linkRebind(this.#world, this.#id, ipv4(address), udpPort)
  }

  counters(direction: Direction): LinkCounters {
    return addon.linkCounters(this.#world, this.#id, rawDirection(direction))
  }

  /** Bytes that wait for the rate now, the datagram in service included. */
  backlogBytes(direction: Direction): number {
    return addon.linkBacklog(this.#world, this.#id, rawDirection(direction))
  }

  /**
   * How much later the next octet would be, in microseconds, for what was sent before it. A stop of the
   * link itself, at which one alone would wait as long, is not in it.
   */
  inflictedUs(direction: Direction): number {
    return addon.linkInflicted(this.#world, this.#id, rawDirection(direction))
  }

  /** Keeps copies of the next datagrams that are sent in this direction. */
  capture(direction: Direction, limit: number): void {
    addon.captureStart(this.#world, this.#id, rawDirection(direction), limit)
  }

  /** Takes the copies made since the last call. */
  captured(direction: Direction): Capture[] {
    return addon.captureTake(this.#world, this.#id, rawDirection(direction))
  }
}

const both = (directions: Direction[]): Direction[] =>
  directions.length > 0 ? directions : ['forward', 'backward']

export class SimFlow {
  readonly #world: WorldHandle
  readonly #id: number

  constructor(world: WorldHandle, options: FlowOptions, nowUs: number) {
    const { fromNode, toNode, from, to, packetsPerSecond } = options
    this.#world = world
    this.#id = addon.flowAdd(world, {
      fromNode: fromNode.id,
      toNode: toNode.id,
      from: ipv4(from),
      to: ipv4(to),
      fromPort: options.fromPort ?? 40_000,
      toPort: options.toPort ?? 50_000,
      dscp: options.dscp ?? 0,
      payloadBytes: options.payloadBytes,
      intervalNs: Math.round(1e9 / packetsPerSecond),
      burst: options.burst ?? 1,
      startUs: options.startUs ?? nowUs,
      count: options.count ?? 0,
    })
  }

  stop(): void {
    addon.flowStop(this.#world, this.#id)
  }

  stats(): FlowStats {
    return addon.flowStats(this.#world, this.#id, false)
  }

  /** The figures so far; delays, gaps, order and paths are counted anew from now on. */
  restart(): FlowStats {
    return addon.flowStats(this.#world, this.#id, true)
  }
}

export class World {
  readonly nodes: SimNode[] = []
  readonly #world: WorldHandle

  /** The same seed and the same calls give the same world, to the last bit. */
  constructor(seed: number) {
    this.#world = addon.worldOpen(seed)
  }

  get nowUs(): number {
    return addon.worldState(this.#world).nowUs
  }

  /** Hash of all deliveries so far: times, places, lengths, and which packet of which flow. */
  get digest(): string {
    return addon.worldState(this.#world).digest
  }

  /** Things that have happened, for measuring speed. */
  get moments(): number {
    return addon.worldState(this.#world).moments
  }

  node(pilot?: Pilot): SimNode {
    const node = new SimNode(this.#world)
    node.pilot = pilot
    this.nodes.push(node)
    return node
  }

  link(options: LinkOptions): SimLink {
    return new SimLink(this.#world, options)
  }

  flow(options: FlowOptions): SimFlow {
    return new SimFlow(this.#world, options, this.nowUs)
  }

  /** A source that always has more to send. */
  stream(options: StreamOptions): SimStream {
    return new SimStream(this.#world, options, this.nowUs)
  }

  ping(options: PingOptions): SimPing {
    return new SimPing(this.#world, options, this.nowUs)
  }

  /** Lets time pass until `untilUs`, or until a node has something to tell; that node, or undefined. */
  runUntil(untilUs: number): SimNode | undefined {
    return this.nodes[addon.runUntil(this.#world, untilUs)]
  }

  /** Lets time pass until `untilUs`; pilots are told at the instant when things happen. */
  run(untilUs: number): void {
    for (;;) {
      const timeoutUs = Math.min(...this.nodes.map(nextTimeoutUs))
      const node = this.runUntil(Math.min(untilUs, Math.max(timeoutUs, this.nowUs)))
      const nowUs = this.nowUs
      const events = node?.pilot ? node.readEvents() : []
      if (events.length > 0) node?.pilot?.handleEvents(events, nowUs)
      if (node !== undefined) continue
      const due = this.nodes.filter((each) => nextTimeoutUs(each) <= nowUs)
      for (const { pilot } of due) pilot?.handleTimeout?.(nowUs)
      if (due.length === 0 && nowUs >= untilUs) return
    }
  }

  runFor(us: number): void {
    this.run(this.nowUs + us)
  }

  /** After this every call throws MPTUN_E_CLOSED. */
  close(): void {
    addon.worldClose(this.#world)
  }
}

const nextTimeoutUs = ({ pilot }: SimNode): number =>
  pilot?.nextTimeoutUs?.() ?? Number.POSITIVE_INFINITY

/** A plan payload of kind order or all; see PLAN in src/boundary.ts. */
export function orderPlan(kind: number, paths: readonly number[]): Uint8Array {
  const plan = new Uint8Array(24).fill(CROSSING.noPath.value, 6, 22)
  const carrying = paths.reduce((bits, path) => bits | (1 << path), 0)
  plan.set([kind, 0, carrying & 0xff, carrying >> 8, 0, 0])
  plan.set(paths, 6)
  return plan
}
