/** One film through a way, as one ffmpeg sends it and another receives it. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import type { Site } from '../lab/site.js'
import type { Way } from '../lab/traffic.js'
import { DIGESTS } from './clip.js'
import { digestOf, type ReceivedFrame } from './frames.js'

/** MPEG-TS over plain UDP, or over SRT in its live mode. */
export const TRANSPORTS = ['udp', 'srt'] as const
export type Transport = (typeof TRANSPORTS)[number]

export interface Streamed {
  readonly frames: readonly ReceivedFrame[]
  /** What the receiver complained of: packets of the transport stream out of their count, and what follows. */
  readonly complaints: readonly string[]
}

export interface Stream {
  /** Of the sender's last packet. */
  readonly sent: Promise<void>
  /** Ends the receiver. After `sent`. */
  end(): Promise<Streamed>
}

const PORT = 9000
/** Seven packets of 188 octets, which is what everyone sends. */
const PAYLOAD_BYTES = 1316
/** What SRT holds back at the receiver, and the time it has to send again: what links of phones are given. */
const SRT_LATENCY_MS = 1000
/**
 * At most a quarter more than the film's rate goes out, its own resends included (SRTO_MAXBW 0, SRTO_OHEADBW).
 * Without a bound, which is the default, SRT answers a delay by sending all again and fills what it waits for.
 */
const SRT_PACE = 'maxbw=0&oheadbw=25'
const LISTEN_POLL_MS = 50
const LISTEN_POLLS = 100

/** The last octets are on their way. */
const DRAIN_MS = SRT_LATENCY_MS + 500
const FFMPEG = ['ffmpeg', '-hide_banner', '-nostats', '-loglevel', 'warning']

/** A film of one kind, which is known: otherwise ffmpeg looks at seconds of it before the first frame. */
const JOIN_AT_ONCE = ['-analyzeduration', '0', '-probesize', '65536', '-fpsprobesize', '0']

const ADDRESSES: Readonly<Record<Transport, { send(address: string): string; receive: string }>> = {
  udp: {
    send: (address) => `udp://${address}:${PORT}?pkt_size=${PAYLOAD_BYTES}`,
    receive: `udp://0.0.0.0:${PORT}`,
  },
  srt: {
    // ffmpeg takes microseconds
    send: (address) =>
      `srt://${address}:${PORT}?mode=caller&latency=${SRT_LATENCY_MS * 1000}&pkt_size=${PAYLOAD_BYTES}&${SRT_PACE}`,
    receive: `srt://0.0.0.0:${PORT}?mode=listener&latency=${SRT_LATENCY_MS * 1000}`,
  },
}

/** Starts the receiver, waits until it listens, and starts the sender, which paces itself by the film. */
export async function startVideo(
  site: Site,
  way: Way,
  transport: Transport,
  clipPath: string,
): Promise<Stream> {
  const { send, receive } = ADDRESSES[transport]
  const receiver = site.spawn(way.to, [...FFMPEG, ...JOIN_AT_ONCE, '-i', receive, ...DIGESTS], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const received = collect(receiver)
  await untilListening(site, way)
  const sender = site.spawn(
    way.from,
    [...FFMPEG, '-re', '-i', clipPath, '-c', 'copy', '-f', 'mpegts', send(way.address)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  return {
    sent: succeeded(sender),
    async end() {
      await pause(DRAIN_MS)
      // At the first signal ffmpeg goes on waiting for octets; what it had is printed.
      receiver.kill('SIGKILL')
      return received
    },
  }
}

async function untilListening(site: Site, way: Way): Promise<void> {
  for (let poll = 0; poll < LISTEN_POLLS; poll++) {
    const { stdout } = await site.exec(way.to, ['ss', '-Huln', `sport = :${PORT}`])
    if (stdout.trim() !== '') return
    await pause(LISTEN_POLL_MS)
  }
  throw new Error(`ffmpeg does not listen on port ${PORT}`)
}

async function collect(receiver: ChildProcess): Promise<Streamed> {
  const frames: ReceivedFrame[] = []
  const complaints: string[] = []
  createInterface({ input: receiver.stdout! }).on('line', (line) => {
    const digest = digestOf(line)
    if (digest !== undefined) {
      frames.push({ digest, atUs: Number(process.hrtime.bigint() / 1000n) })
    }
  })
  createInterface({ input: receiver.stderr! }).on('line', (line) => {
    if (/corrupt|discontinu|mismatch|overrun/i.test(line)) complaints.push(line)
  })
  await once(receiver, 'close')
  return { frames, complaints }
}

async function succeeded(sender: ChildProcess): Promise<void> {
  let said = ''
  sender.stderr?.on('data', (data: Buffer) => {
    said += data
  })
  const [code] = await once(sender, 'close')
  if (code !== 0) throw new Error(`ffmpeg could not send: ${said.trim()}`)
}
