/** What each contestant is asked to do, once a round. */

import { startPing } from '../lab/ping.js'
import { runTcp, type TcpOptions } from '../lab/traffic.js'
import type { Carrier } from './contestants/contestant.js'
import { type DownloadClient, runDownloads } from './downloads.js'
import { runFlood } from './flood.js'
import type { Sample } from './sample.js'
import { RateSearch } from './search.js'
import { cpuSeconds, residentBytes } from './usage.js'
import { INNER_MTU_BYTES, type Wire } from './wire.js'

/** One contestant at one case. */
export interface Stage {
  readonly wire: Wire
  readonly carrier: Carrier
  /** Of one measurement. */
  readonly seconds: number
  /** What earlier rounds of the same found, for a search that starts near it. */
  readonly found: Map<string, number>
}

export interface Case {
  /** A word for the command line and for JSON. */
  readonly id: string
  readonly title: string
  run(stage: Stage): Promise<Sample>
}

/** Seldom enough to be no load, often enough for a median. */
const PING_UNDER_LOAD_MS = 20
const PING_IDLE_MS = 10

const up = ({ carrier }: Stage) =>
  ({ from: 'client', to: 'server', address: carrier.server }) as const

function tcp(id: string, title: string, options: Omit<TcpOptions, 'seconds'>): Case {
  return {
    id,
    title,
    async run(stage) {
      const { wire, carrier, seconds } = stage
      const ping = await startPing(wire, up(stage), { intervalMs: PING_UNDER_LOAD_MS })
      const beforeS = cpuSeconds(carrier.pids)
      const report = await runTcp(wire, up(stage), { seconds, ...options })
      const spentS = cpuSeconds(carrier.pids) - beforeS
      const { medianMs } = await ping.end()
      if (report.congestion !== options.congestion) {
        throw new Error(`TCP used ${report.congestion}, not ${options.congestion}`)
      }
      return {
        mbit: report.mbit,
        retransmits: report.retransmits,
        pingUs: medianMs * 1000,
        ...ifDaemons(carrier, { cpuSPerGb: spentS / (report.bytes / 1e9) }),
      }
    },
  }
}

/** What the kernel does for itself cannot be told from what it does for iperf3. */
const ifDaemons = ({ pids }: Carrier, sample: Sample): Sample => (pids.length > 0 ? sample : {})

export const TCP1 = tcp('tcp1', 'one TCP stream', { congestion: 'cubic' })
export const TCP1_BBR = tcp('tcp1-bbr', 'one TCP stream, bbr', { congestion: 'bbr' })
export const TCP4 = tcp('tcp4', 'four TCP streams', { congestion: 'cubic', connections: 4 })
export const TCP_REVERSE = tcp('tcp-reverse', 'one TCP stream, server to client', {
  congestion: 'cubic',
  direction: 'reverse',
})
export const TCP_BOTH = tcp('tcp-both', 'one TCP stream each way at once', {
  congestion: 'cubic',
  direction: 'both',
})
export const TCP_500 = tcp('tcp-500', 'one TCP stream shaped to 500 Mbit/s', {
  congestion: 'cubic',
  paceMbit: 500,
})

/** The same at a new place: results are kept by case. */
export const named = (each: Case, id: string, title: string): Case => ({ ...each, id, title })

/** Of one trial: long enough for what queues hold to be less than a step of the search, which takes some fifteen. */
const TRIAL_S = 0.3
const FIRST_GUESS_PER_S = 60_000

/** The greatest rates of packets that arrive with at most 1 %, 0.5 % and no loss. */
function udp(id: string, title: string, payloadBytes: number): Case {
  return {
    id,
    title,
    async run(stage) {
      const { wire, carrier, seconds, found } = stage
      const flood = (packetsPerS: number, floodSeconds: number) =>
        runFlood(wire, {
          ...{ from: 'client', to: 'server', addresses: [carrier.server], payloadBytes },
          ...{ packetsPerS, seconds: floodSeconds },
        })
      const search = new RateSearch((packetsPerS) => flood(packetsPerS, TRIAL_S))
      const one = await search.find(0.01, found.get('one') ?? FIRST_GUESS_PER_S)
      const half = await search.find(0.005, one)
      const none = await search.find(0, found.get('none') ?? half)
      found.set('one', one)
      found.set('none', none)

      const ping = await startPing(wire, up(stage), { intervalMs: PING_UNDER_LOAD_MS })
      const beforeS = cpuSeconds(carrier.pids)
      const { received } = await flood(Math.max(search.greatest(0), LEAST_PER_S), seconds)
      const spentS = cpuSeconds(carrier.pids) - beforeS
      const { medianMs } = await ping.end()
      return {
        onePercentPerS: search.greatest(0.01),
        halfPercentPerS: search.greatest(0.005),
        losslessPerS: search.greatest(0),
        pingUs: medianMs * 1000,
        ...ifDaemons(carrier, { cpuUsPerPacket: (spentS * 1e6) / received }),
      }
    },
  }
}

/** Where nothing came through whole, what a packet costs is asked at this rate. */
const LEAST_PER_S = 5000

export const UDP64 = udp('udp64', 'UDP, 64 octets', 64)
/** The largest payload that 1400 octets of packet hold: 20 of IPv4 and 8 of UDP. */
export const UDP1400 = udp('udp1400', 'UDP, packets of 1400 octets', 1372)

export const IDLE: Case = {
  id: 'idle',
  title: 'ping, idle',
  async run({ wire, carrier, seconds }) {
    const medianUs = async (address: string) => {
      const ping = await startPing(wire, { from: 'client', address }, { intervalMs: PING_IDLE_MS })
      await new Promise((resolve) => setTimeout(resolve, seconds * 400))
      return (await ping.end()).medianMs * 1000
    }
    return {
      pingUs: await medianUs(carrier.server),
      pingBesideUs: await medianUs(wire.first.server),
    }
  },
}

const LOAD_BYTES = 1372

/**
 * What a packet that was taken in costs when their number is given, from the server to its clients packet
 * by packet in turn: the worst order that there is, because no two for one client can share a buffer.
 */
function load(id: string, packetsPerS: number): Case {
  return {
    id,
    title: `UDP at ${packetsPerS / 1000} 000 packets/s of 1400 octets, to the clients in turn`,
    async run({ wire, carrier, seconds }) {
      const takenBefore = await carrier.packetsTaken?.()
      const beforeS = cpuSeconds(carrier.pids)
      const { received, loss } = await runFlood(wire, {
        ...{ from: 'server', to: 'client', addresses: carrier.clients, payloadBytes: LOAD_BYTES },
        ...{ packetsPerS, seconds },
      })
      const spentS = cpuSeconds(carrier.pids) - beforeS
      const taken = await carrier.packetsTaken?.()
      const packets =
        taken === undefined || takenBefore === undefined ? received : taken - takenBefore
      return {
        cpuUsPerPacket: (spentS * 1e6) / packets,
        loss,
        residentBytes: residentBytes(carrier.pids),
      }
    },
  }
}

/** A good part of what one client can carry, so that batches are as large as they are under load. */
export const LOAD_PATHS = load('load-paths', 100_000)

/** As much as a hundred clients on one core can take: each packet wakes another of them. */
const CLIENTS_PER_S = 10_000
export const LOAD_CLIENTS = load('load-clients', CLIENTS_PER_S)

/** Of an inner packet of TCP with time stamps: IPv4 and TCP headers. */
const TCP_HEADERS_BYTES = 52
const TCP_PAYLOAD_BYTES = INNER_MTU_BYTES - TCP_HEADERS_BYTES

/** Which of the clients download, each as often as it is there, and how fast each time. */
interface Share {
  readonly sources: readonly DownloadClient[]
  /** Of each download, octets of payload. */
  readonly bytesPerS: number
}

function downloads(
  id: string,
  title: string,
  share: (clients: readonly DownloadClient[]) => Share,
): Case {
  return {
    id,
    title,
    async run({ wire, carrier, seconds }) {
      const devices = carrier.clientDevices ?? []
      const { sources, bytesPerS } = share(
        carrier.clients.map((address, i) => ({ address, device: devices[i] ?? '' })),
      )
      const beforeS = cpuSeconds(carrier.pids)
      const { bytes } = await runDownloads(wire, {
        ...{ address: carrier.server, seconds, bytesPerS },
        clients: sources,
      })
      const spentS = cpuSeconds(carrier.pids) - beforeS
      return {
        mbit: (bytes * 8) / seconds / 1e6,
        cpuUsPerPacket: (spentS * 1e6) / (bytes / TCP_PAYLOAD_BYTES),
      }
    },
  }
}

const MBIT_BYTES_PER_S = 125_000
const DOWNLOADS = 100

/** The same traffic for all: what is left is what the number of clients itself costs. */
export const DOWNLOADS_SAME = downloads(
  'downloads-same',
  `${DOWNLOADS} TCP downloads of 1 Mbit/s, shared out among the clients`,
  (clients) => ({
    sources: Array.from({ length: DOWNLOADS }, (_, i) => clients[i % clients.length]!),
    bytesPerS: MBIT_BYTES_PER_S,
  }),
)
/** What the kernel hands over at once shrinks with the rate of a stream: tcp_tso_autosize (tcp_output.c). */
export const DOWNLOADS_SUM = downloads(
  'downloads-sum',
  'a TCP download for each client, the same rate in sum',
  (sources) => ({ sources, bytesPerS: (CLIENTS_PER_S * TCP_PAYLOAD_BYTES) / sources.length }),
)
export const DOWNLOADS_EACH = downloads(
  'downloads-each',
  'a TCP download of 1 Mbit/s for each client',
  (sources) => ({ sources, bytesPerS: MBIT_BYTES_PER_S }),
)
