/** One TCP or MPTCP connection with as much as it can carry, by the program of bulk.c. */

import { once } from 'node:events'
import { line } from '../lab/output.js'
import { repositoryPath } from '../lab/repository.js'
import type { Site } from '../lab/site.js'
import type { Congestion } from '../lab/traffic.js'
import { type Arrived, sumOf } from './arrived.js'

const PROGRAM = repositoryPath('build', 'mptun-bulk')
/** The time of its traffic is known: what it takes beyond is a hang. */
const SPARE_S = 15

/** `up` is what the client sends. */
export type Direction = 'up' | 'down' | 'both'

export interface Bulk {
  readonly address: string
  readonly direction: Direction
  readonly congestion: Congestion
  readonly protocol: 'tcp' | 'mptcp'
  readonly seconds: number
  /** Connections at the same time need different ones. */
  readonly port?: number
}

/** CLOCK_MONOTONIC. */
export interface Pause {
  readonly fromUs: number
  readonly toUs: number
}

export interface BulkReport {
  /** In order, of all connections and directions together. */
  readonly arrived: Arrived
  /** The same with what waited for its order in MPTCP, once it had come over a link. */
  readonly come: Arrived
  /** In which nothing arrived, but for those of a few milliseconds. */
  readonly pauses: readonly Pause[]
  /** Of MPTCP the first subflow's. */
  readonly retransmits: number
  /** TCP segments that arrived before one that was sent earlier (tcpi_rcv_ooopack). */
  readonly outOfOrder: number
  /** Of MPTCP: beside the first. */
  readonly addedSubflows: number
}

/** What the program prints at one end. */
export interface EndReport {
  startUs: number
  binUs: number
  sentBytes: number
  congestion: string
  retransmits: number
  outOfOrder: number
  addedSubflows: number
  bins: number[]
  come: number[]
  pauses: Pause[]
}

/** The client connects, whoever sends: its NAT and MPTCP's subflows want it so. */
export async function runBulk(site: Site, bulk: Bulk): Promise<BulkReport> {
  const { address, direction, congestion, protocol, seconds, port = 5300 } = bulk
  const listener = site.spawn('server', [PROGRAM, 'listen', String(port), congestion, protocol], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const closed = once(listener, 'close')
  try {
    await line(listener, /^listening$/)
    listener.stdout?.on('data', (data: Buffer) => {
      output += data
    })
    const words = [address, String(port), congestion, protocol, direction, String(seconds)]
    const { stdout } = await site.exec('client', [PROGRAM, 'connect', ...words], {
      timeoutMs: (seconds + SPARE_S) * 1000,
    })
    listener.kill('SIGTERM') // in case that the reset was lost
    await closed
    return bulkReportOf(direction, JSON.parse(stdout) as EndReport, JSON.parse(output) as EndReport)
  } finally {
    listener.kill('SIGTERM')
    await closed
  }
}

export function bulkReportOf(
  direction: Direction,
  client: EndReport,
  server: EndReport,
): BulkReport {
  const senders = [
    ...(direction === 'down' ? [] : [client]),
    ...(direction === 'up' ? [] : [server]),
  ]
  const receivers = [
    ...(direction === 'down' ? [] : [server]),
    ...(direction === 'up' ? [] : [client]),
  ]
  // From the moment when the client began to connect, wherever it arrived.
  const sum = (parts: readonly Arrived[]) => sumOf(client.startUs, client.binUs, parts)
  return {
    arrived: sum(receivers),
    come: sum(receivers.map((end) => ({ ...end, bins: end.come }))),
    pauses: receivers.flatMap(({ pauses }) => pauses),
    retransmits: senders.reduce((sum, { retransmits }) => sum + retransmits, 0),
    outOfOrder: receivers.reduce((sum, { outOfOrder }) => sum + outOfOrder, 0),
    addedSubflows: client.addedSubflows,
  }
}
