/** Ordinary traffic through a tunnel: a large transfer, many short ones, streams of datagrams, a ping. */

import type { ChildProcess } from 'node:child_process'
import type { StreamReport } from '../lab/arrivals.js'
import type { Lab } from '../lab/lab.js'
import { collect, line } from '../lab/output.js'
import { type PingReport, startPing } from '../lab/ping.js'
import { repositoryPath } from '../lab/repository.js'
import { startStream } from '../lab/stream.js'
import type { Congestion, Way } from '../lab/traffic.js'
import type { Tunnel } from '../lab/tunnel.js'
import { nowMs } from './clock.js'

const TRANSFERS = [process.execPath, repositoryPath('bench', 'soak', 'transfers.mjs')]
const CONTENT = [repositoryPath('build', 'mptun-content')]
const PORTS = { bulk: 7300, short: 7310, stream: { up: 7000, down: 7001 } }

/** A page of the web. */
const SHORT_BYTES = 30_000
const SHORT_EVERY_MS = 1000
/** A call. */
const STREAM = { packetsPerS: 50, payloadBytes: 300 }
const PING_MS = 200

export type Direction = 'up' | 'down'
export const DIRECTIONS: readonly Direction[] = ['up', 'down']
const OPPOSITE = { up: 'down', down: 'up' } as const

/** What transfers.mjs prints of one short transfer. */
export interface Fetched {
  readonly atMs: number
  readonly tookMs: number | null
  readonly fault: string | null
}

/** What it prints of a large one. */
export interface Received {
  readonly binMs: number
  /** Number of the bin since the machine's start, octets. */
  readonly bins: readonly (readonly [number, number])[]
  readonly connections: number
  readonly faults: readonly string[]
}

/** What some traffic has come to. */
export interface Round {
  readonly fromMs: number
  readonly toMs: number
  readonly direction: Direction
  readonly congestion: Congestion
  readonly received: Received
  /** Whether the connection of the large transfer was there to the end. */
  readonly isWhole: boolean
  /** By the direction of the data. */
  readonly fetched: Readonly<Record<Direction, readonly Fetched[]>>
  readonly streams: Readonly<Record<Direction, StreamReport>>
  readonly ping: PingReport
}

export interface Traffic {
  end(): Promise<Round>
}

export async function startTraffic(
  { lab, up, down }: Tunnel,
  direction: Direction,
  congestion: Congestion,
): Promise<Traffic> {
  const ways = { up, down }
  const fromMs = nowMs()
  const endBulk = await startBulk(lab, ways[direction], congestion)
  const both = async <T>(start: (direction: Direction) => Promise<T>) => ({
    up: await start('up'),
    down: await start('down'),
  })
  const shorts = await both((each) => startShorts(lab, ways[each], ways[OPPOSITE[each]].address))
  const streams = await both((each) =>
    startStream(lab, ways[each], { ...STREAM, port: PORTS.stream[each] }),
  )
  const ping = await startPing(lab, up, { intervalMs: PING_MS })
  return {
    async end() {
      const toMs = nowMs()
      const [bulk, fetchedUp, fetchedDown, streamUp, streamDown, pinged] = await Promise.all([
        endBulk(),
        shorts.up(),
        shorts.down(),
        streams.up.end(),
        streams.down.end(),
        ping.end(),
      ])
      return {
        ...bulk,
        fromMs,
        toMs,
        direction,
        congestion,
        fetched: { up: fetchedUp, down: fetchedDown },
        streams: { up: streamUp, down: streamDown },
        ping: pinged,
      }
    },
  }
}

async function startBulk(lab: Lab, { from, to, address }: Way, congestion: Congestion) {
  const port = String(PORTS.bulk)
  const receiver = await program(lab, to, /^listening$/, [...TRANSFERS, 'receive', port])
  const sender = await program(lab, from, /^sending$/, [...CONTENT, address, port, congestion])
  return async () => {
    const isWhole = isRunning(sender.child)
    const received = JSON.parse(await receiver.end()) as Received
    await sender.end()
    return { isWhole, received }
  }
}

/** The receiver asks for each. */
async function startShorts(lab: Lab, { from, to }: Way, address: string) {
  const [port, bytes] = [String(PORTS.short), String(SHORT_BYTES)]
  const server = await program(lab, from, /^listening$/, [...TRANSFERS, 'serve', port, bytes])
  const words = [address, port, bytes, String(SHORT_EVERY_MS)]
  const client = await program(lab, to, /^fetching$/, [...TRANSFERS, 'fetch', ...words])
  return async () => {
    const fetched = JSON.parse(await client.end()) as Fetched[]
    await server.end()
    return fetched
  }
}

/** A program, from the line on which it says that it is ready. */
async function program(lab: Lab, side: Way['from'], ready: RegExp, argv: readonly string[]) {
  const child = lab.spawn(side, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  await line(child, ready)
  const output = collect(child)
  return {
    child,
    end() {
      child.kill('SIGTERM')
      return output
    },
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess) =>
  exitCode === null && signalCode === null
