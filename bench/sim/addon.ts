/** build/mptun-sim.node as it is: world.ts makes objects of it. */
import { createRequire } from 'node:module'
import { contractDigest } from '#mptun/digest.js'
import { repositoryPath } from '../lab/repository.js'

/** One direction of a link, as native/link.h has it; what is left out is a perfect wire's. */
export interface LinkShape {
  readonly rateBytesPerS?: number
  /** Delivery opportunities in milliseconds (mahimahi), in place of a rate. */
  readonly trace?: Uint32Array
  readonly delayUs?: number
  readonly jitterUs?: number
  /** Jitter within +- jitterUs in place of a normal distribution. */
  readonly jitterUniform?: boolean
  readonly loss?: number
  /** Mean length of a run of losses, packets. */
  readonly lossBurst?: number
  readonly duplicate?: number
  readonly queueBytes?: number
  readonly queueUs?: number
  readonly limitPackets?: number
  readonly overheadBytes?: number
  readonly down?: boolean
}

export interface RawEnd {
  node: number
  port: number
  address: Uint8Array
  udpPort: number
}

/** A world of the addon; opaque. */
export type WorldHandle = object
export type RawShape = Omit<LinkShape, 'down' | 'jitterUniform'> & {
  down: number
  jitterUniform: number
}

/** Functions as native/sim/binding.c exports them. */
interface SimAddon {
  digest(): string
  worldOpen(seed: number): WorldHandle
  worldClose(world: WorldHandle): void
  worldState(world: WorldHandle): { nowUs: number; moments: number; digest: string }
  runUntil(world: WorldHandle, us: number): number
  nodeAdd(world: WorldHandle): number
  command(world: WorldHandle, node: number, record: Uint8Array, payload?: Uint8Array): number
  readEvents(world: WorldHandle, node: number, into: Uint8Array): number
  linkAdd(
    world: WorldHandle,
    link: {
      a: RawEnd
      b: RawEnd
      nat: { address: Uint8Array; udpPort: number } | null
      forward: RawShape
      backward: RawShape
      mtuBytes: number
    },
  ): number
  linkSet(world: WorldHandle, link: number, direction: number, shape: RawShape): number
  linkDown(world: WorldHandle, link: number, direction: number, down: boolean): number
  linkNarrow(world: WorldHandle, link: number, mtuBytes: number, dropsFragments: boolean): number
  linkRebind(world: WorldHandle, link: number, address: Uint8Array, udpPort: number): number
  linkCounters(world: WorldHandle, link: number, direction: number): LinkCounters
  linkBacklog(world: WorldHandle, link: number, direction: number): number
  linkInflicted(world: WorldHandle, link: number, direction: number): number
  portFail(world: WorldHandle, node: number, port: number, errno: number): number
  nodePause(world: WorldHandle, node: number, untilUs: number): number
  inject(
    world: WorldHandle,
    node: number,
    port: number,
    address: Uint8Array,
    udpPort: number,
    bytes: Uint8Array,
  ): number
  captureStart(world: WorldHandle, link: number, direction: number, limit: number): number
  captureTake(world: WorldHandle, link: number, direction: number): Capture[]
  flowAdd(world: WorldHandle, flow: Record<string, number | Uint8Array>): number
  flowStop(world: WorldHandle, flow: number): number
  flowStats(world: WorldHandle, flow: number, restart: boolean): FlowStats
  streamAdd(world: WorldHandle, stream: Record<string, number | Uint8Array>): number
  streamJoin(world: WorldHandle, one: number, other: number): number
  streamStats(world: WorldHandle, stream: number, restart: boolean): StreamStats
  pingAdd(world: WorldHandle, ping: Record<string, number | Uint8Array>): number
  pingStats(world: WorldHandle, ping: number, restart: boolean): PingStats
  /** Of a stream or a ping. */
  talkStop(world: WorldHandle, talk: number): number
}

export interface LinkCounters {
  readonly offered: number
  readonly offeredBytes: number
  readonly accepted: number
  readonly acceptedBytes: number
  readonly lost: number
  readonly full: number
  readonly refused: number
  readonly cut: number
}

export interface Capture {
  readonly atUs: number
  readonly bytes: Uint8Array
}

/** Totals since the flow began; from `reordered` on since the last restart. */
export interface FlowStats {
  readonly sent: number
  /** Without copies. */
  readonly received: number
  /** Of inner packets, headers included. */
  readonly receivedBytes: number
  /** sent - received: what is still under way counts. */
  readonly lost: number
  readonly duplicated: number
  /** Delivered with a changed payload, or to another node. */
  readonly damaged: number
  /** RFC 4737: came after a packet with a greater sequence. */
  readonly reordered: number
  /** Between arrivals; one that lasts counts while the flow is sending. */
  readonly longestGapUs: number
  readonly delayMinUs: number
  readonly delayMeanUs: number
  readonly delayP50Us: number
  readonly delayP99Us: number
  readonly delayMaxUs: number
  /** Packets by the path that delivered them first. */
  readonly byPath: readonly number[]
}

/** Totals since the stream began; `reordered`, the gap and the delays since the last restart. */
export interface StreamStats {
  /** Packets put into the tunnel, retransmissions included. */
  readonly transmissions: number
  /** Of them out of it, without copies. */
  readonly arrivals: number
  readonly duplicated: number
  readonly damaged: number
  /** Payload that the application got, in order. */
  readonly deliveredBytes: number
  /** When it had all that there was to send, since the start; 0: not yet. */
  readonly finishedUs: number
  readonly retransmits: number
  /** Episodes in which the window was cut for a loss, timeouts not included. */
  readonly recoveries: number
  readonly timeouts: number
  /** Tail loss probes. */
  readonly probes: number
  /** Recoveries and timeouts that turned out to be needless. */
  readonly undos: number
  /** RFC 4737, at the far TUN, retransmissions counted as packets of their own. */
  readonly reordered: number
  /** Between two deliveries to the application. */
  readonly longestGapUs: number
  /** Between two arrivals of its packets at the far TUN, whatever their order. */
  readonly longestPauseUs: number
  /** One way through the tunnel, data packets. */
  readonly delayMinUs: number
  readonly delayP50Us: number
  readonly delayP99Us: number
  readonly delayMaxUs: number
  readonly srttUs: number
  readonly minRttUs: number
  /** Congestion window, packets. */
  readonly window: number
  /** Arrivals by the path that delivered them first. */
  readonly byPath: readonly number[]
  /** Of deliveredBytes, each 100 ms since the stream began; ends with the last delivery. */
  readonly bytesPer100Ms: readonly number[]
}

/** Totals since the ping began; round trips since the last restart. */
export interface PingStats {
  readonly sent: number
  readonly answered: number
  /** sent - answered: what is still under way counts. */
  readonly lost: number
  readonly duplicated: number
  readonly minUs: number
  readonly meanUs: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

/** The octets of an IPv4 address. */
export const ipv4 = (text: string): Uint8Array => Uint8Array.from(text.split('.'), Number)

export const addon = createRequire(import.meta.url)(
  repositoryPath('build', 'mptun-sim.node'),
) as SimAddon
if (addon.digest() !== contractDigest()) {
  throw new Error('build/mptun-sim.node was built from another contract: npm run build')
}
