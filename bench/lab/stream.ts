/** A stream of numbered UDP datagrams between two sides of a lab. */

import { setTimeout as pause } from 'node:timers/promises'
import { type Arrival, judgeStream, type StreamReport } from './arrivals.js'
import { collect, line } from './output.js'
import { repositoryPath } from './repository.js'
import type { Site } from './site.js'
import type { Way } from './traffic.js'

const DATAGRAMS = repositoryPath('bench', 'lab', 'datagrams.mjs')
const FOREVER = 2 ** 31

/** After the last datagram was sent: longer than any lab's delay and queue. */
const DRAIN_MS = 800

export interface StreamOptions {
  packetsPerS: number
  payloadBytes?: number
  /** Without it the stream goes on until `end`. */
  count?: number
  /** Of the receiver; streams at the same time need different ones. */
  port?: number
}

/** A constant-rate stream of numbered UDP datagrams under way. */
export interface Stream {
  /** Stops sending, waits for what is under way, and reports. */
  end(): Promise<StreamReport>
  /** Waits until `count` datagrams are sent, then as `end`. */
  finish(): Promise<StreamReport>
  /** Ends it without a report. Safe after the others. */
  abandon(): Promise<void>
}

export async function startStream(lab: Site, way: Way, options: StreamOptions): Promise<Stream> {
  const { packetsPerS, payloadBytes = 200, count = FOREVER, port = 7000 } = options
  const run = [process.execPath, DATAGRAMS]
  const receiver = lab.spawn(way.to, [...run, 'receive', String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await line(receiver, /^listening$/)
  const output = collect(receiver)
  const numbers = [port, count, payloadBytes, Math.round(1e6 / packetsPerS)].map(String)
  const sender = lab.spawn(way.from, [...run, 'send', way.address, ...numbers], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const sent = collect(sender)
  await line(sender, /^sending$/) // from here on it obeys a signal
  const report = async () => {
    const [, total] = /^sent (\d+)$/m.exec(await sent) ?? []
    if (total === undefined) throw new Error('the sender of a stream ended without its count')
    await pause(DRAIN_MS)
    receiver.stdin?.end()
    return judgeStream(Number(total), JSON.parse(await output) as Arrival[])
  }
  return {
    end() {
      sender.kill('SIGTERM')
      return report()
    },
    finish: report,
    async abandon() {
      sender.kill('SIGKILL')
      receiver.kill('SIGKILL')
      await Promise.all([sent, output])
    },
  }
}
