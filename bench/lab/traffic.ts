/** Traffic of iperf3 between two sides of a lab, measured. */

import type { ChildProcess } from 'node:child_process'
import { line } from './output.js'
import type { Side, Site } from './site.js'

export type Congestion = 'cubic' | 'bbr'

/** From whom to whom; `address` is the receiver's. */
export interface Way {
  from: Side
  to: Side
  address: string
}

/** Who sends to whom: the first to the second of a way, the second to the first, or each to the other. */
export type Direction = 'forward' | 'reverse' | 'both'

export interface TcpOptions {
  seconds: number
  congestion: Congestion
  connections?: number
  omitSeconds?: number
  direction?: Direction
  /** Each connection paces itself to this (SO_MAX_PACING_RATE); forward only. */
  paceMbit?: number
}

export interface TcpReport {
  /** Payload that arrived, of all connections and both directions. */
  mbit: number
  bytes: number
  retransmits: number
  /** As the sender's kernel tells. */
  congestion: string
}

export interface UdpReport {
  /** Payload that arrived. */
  mbit: number
  sent: number
  lost: number
  outOfOrder: number
}

const IPERF_PORT = 5201
const IPERF_CONNECT_MS = 3000
/** What iperf3 may take beyond the time of its traffic before it counts as hung. */
const IPERF_SPARE_S = 15
const END_MS = 1000

interface IperfSum {
  bits_per_second: number
  bytes: number
  retransmits?: number
  packets?: number
  lost_packets?: number
  out_of_order?: number
}

interface IperfEnd {
  sum?: IperfSum
  sum_sent?: IperfSum
  sum_received?: IperfSum
  sum_sent_bidir_reverse?: IperfSum
  sum_received_bidir_reverse?: IperfSum
  sender_tcp_congestion?: string
  streams?: { udp?: { out_of_order?: number } }[]
}

/** One or more TCP connections with as much as they can carry. */
export async function runTcp(lab: Site, way: Way, options: TcpOptions): Promise<TcpReport> {
  const { seconds, congestion, connections = 1, omitSeconds = 0, paceMbit } = options
  const { direction = 'forward' } = options
  const words = [
    ...['-t', String(seconds), '-C', congestion, '-P', String(connections)],
    ...['-O', String(omitSeconds), ...DIRECTION_WORDS[direction]],
    ...(paceMbit === undefined ? [] : ['--fq-rate', `${paceMbit}M`]),
  ]
  const end = await runIperf(lab, way, seconds + omitSeconds, words)
  const { sum_received_bidir_reverse: back, sum_sent_bidir_reverse: sentBack } = end
  return {
    mbit: ((end.sum_received?.bits_per_second ?? Number.NaN) + (back?.bits_per_second ?? 0)) / 1e6,
    bytes: (end.sum_received?.bytes ?? Number.NaN) + (back?.bytes ?? 0),
    retransmits: (end.sum_sent?.retransmits ?? Number.NaN) + (sentBack?.retransmits ?? 0),
    congestion: end.sender_tcp_congestion ?? '',
  }
}

const DIRECTION_WORDS: Readonly<Record<Direction, readonly string[]>> = {
  forward: [],
  reverse: ['--reverse'],
  both: ['--bidir'],
}

/** UDP at a rate of payload, in datagrams of `payloadBytes`. */
export async function runUdp(
  lab: Site,
  way: Way,
  options: { seconds: number; mbit: number; payloadBytes?: number },
): Promise<UdpReport> {
  const { seconds, mbit, payloadBytes = 1200 } = options
  const words = ['-u', '-b', `${mbit}M`, '-l', String(payloadBytes), '--pacing-timer', '500']
  const end = await runIperf(lab, way, seconds, ['-t', String(seconds), ...words])
  const received = end.sum_received ?? end.sum
  return {
    mbit: (received?.bits_per_second ?? Number.NaN) / 1e6,
    sent: end.sum_sent?.packets ?? end.sum?.packets ?? Number.NaN,
    lost: received?.lost_packets ?? Number.NaN,
    outOfOrder: end.streams?.[0]?.udp?.out_of_order ?? Number.NaN,
  }
}

/** The receiver listens, as a user's server would: a client behind the tunnel's NAT could not be called. */
async function runIperf(
  lab: Site,
  { from, to, address }: Way,
  seconds: number,
  words: readonly string[],
): Promise<IperfEnd> {
  const port = String(IPERF_PORT)
  const server = lab.spawn(to, ['iperf3', '-s', '-1', '-p', port, '--forceflush'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    await line(server, /^Server listening/)
    const connect = ['--connect-timeout', String(IPERF_CONNECT_MS)]
    const { stdout } = await lab.exec(
      from,
      ['iperf3', '-c', address, '-p', port, '-J', ...connect, ...words],
      { check: false, timeoutMs: (seconds + IPERF_SPARE_S) * 1000 },
    )
    const { end, error } = parse(stdout)
    if (error !== undefined || end === undefined) {
      throw new Error(`iperf3 to ${address}: ${error ?? 'it was stopped before its end'}`)
    }
    return end
  } finally {
    await ended(server)
  }
}

function parse(stdout: string): { end?: IperfEnd; error?: string } {
  try {
    return JSON.parse(stdout)
  } catch {
    return {}
  }
}

/** Waits for the end of a program, which is due, and ends it when it does not come. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('close', resolve))
  const timer = setTimeout(() => child.kill(), END_MS)
  await closed
  clearTimeout(timer)
}
