/** The second scene: a line is cut under a steady stream, and comes back. */

import { setTimeout as pause } from 'node:timers/promises'
import type { StreamReport } from '../lab/arrivals.js'
import type { Daemon } from '../lab/daemon.js'
import { startStream } from '../lab/stream.js'
import type { Tunnel } from '../lab/tunnel.js'
import type { Claims } from './claims.js'
import { DSL, LINES, LTE } from './place.js'
import type { Screen } from './screen.js'

const PACKETS_PER_S = 200
const PAYLOAD_BYTES = 200
const BEFORE_MS = 1500
const CUT_MS = 4000
const AFTER_MS = 1500
/** A round trip of the other line and 30 ms are aimed at; machines may be busy with other things. */
const MOST_GAP_MS = 500
const AIM_GAP_MS = 150

export interface Cut {
  stream: StreamReport
  packetsPerS: number
  cutMs: number
}

export async function showCut(screen: Screen, claims: Claims, tunnel: Tunnel): Promise<Cut> {
  const { lab, up, client, server } = tunnel
  screen.title(
    `What happens when a line dies? (a stream of ${PACKETS_PER_S} packets/s, as of a call)`,
  )
  const stream = await startStream(lab, up, {
    packetsPerS: PACKETS_PER_S,
    payloadBytes: PAYLOAD_BYTES,
  })
  await pause(BEFORE_MS)

  screen.line(
    `  ${screen.paint('red', `${DSL.title} is cut`)}, silently: its device stays up, nothing comes through`,
  )
  await lab.cutLink(DSL.name)
  const cutAtMs = performance.now()
  await Promise.all([client.untilPaths(1), server.untilPaths(1)])
  screen.command('mptun status')
  screen.quote(withoutCounters(await client.statusText()))
  const reasons = await Promise.all([reasonOf(client), reasonOf(server)])
  await pause(Math.max(0, CUT_MS - (performance.now() - cutAtMs)))

  await lab.restoreLink(DSL.name)
  const cutMs = performance.now() - cutAtMs
  screen.line(
    `  ${screen.paint('green', `${DSL.title} is back`)} after ${(cutMs / 1000).toFixed(1)} s`,
  )
  await Promise.all([client, server].map((each) => each.untilPaths(LINES.length)))
  await pause(AFTER_MS)
  const report = await stream.end()

  const { lost, received, longestGapUs, outOfOrder, duplicates } = report
  const gapMs = longestGapUs / 1000
  claims.check(
    reasons.every((reason) => reason !== ''),
    'both ends noticed and use both lines again',
    `"${reasons[0]}"`,
  )
  const gap = `longest gap ${gapMs.toFixed(0)} ms`
  claims.check(lost === 0, 'no packet was lost', `${received} of ${report.sent} arrived`)
  claims.check(gapMs < MOST_GAP_MS, `the stream went on over ${LTE.title}`, gap)
  claims.aim(gapMs <= AIM_GAP_MS, `${gap}, ${AIM_GAP_MS} ms were aimed at`)
  claims.check(duplicates === 0, 'no packet arrived twice', `${duplicates} copies`)
  claims.aim(outOfOrder === 0, `${outOfOrder} packets arrived out of order`)
  return { stream: report, packetsPerS: PACKETS_PER_S, cutMs }
}

/** Why the line that was cut is not in use, in the words of one end. */
async function reasonOf(daemon: Daemon): Promise<string> {
  const { peers } = await daemon.status()
  const idle = peers.flatMap(({ paths }) => paths).filter(({ inUse }) => !inUse)
  return idle.length === 1 ? idle[0]!.why : ''
}

const withoutCounters = (text: string) => text.split(/^counters$/m)[0]!.trimEnd()
