/** One run: a lab of its own, one subject, one load, and what was seen of it. */

import { setTimeout as pause } from 'node:timers/promises'
import { createLab, type Lab } from '../lab/lab.js'
import { inNamespace, run } from '../lab/namespaces.js'
import { startPing } from '../lab/ping.js'
import { startStream } from '../lab/stream.js'
import type { Congestion } from '../lab/traffic.js'
import { type Arrived, mbitBetween } from './arrived.js'
import { pingSample, streamSample } from './beside.js'
import { type BulkReport, type Pause, runBulk } from './bulk.js'
import { overheadOf } from './overhead.js'
import { queueSample } from './queues.js'
import type { Sample } from './sample.js'
import type { Load, Scenario } from './scenarios/scenario.js'
import { type Carrier, openSubject, type Subject } from './subject.js'
import { startWatch, type Watched } from './watch.js'

export interface Run {
  readonly scenario: Scenario
  readonly subject: Subject
  readonly load: Load
  readonly congestion: Congestion
  readonly seconds: number
  readonly seed: number
}

export interface Measured {
  readonly sample: Sample
  /** Absent without TCP. */
  readonly arrived: Arrived | undefined
  /** Between arrivals next to each other: of TCP where that is all of the load, of the datagrams else. */
  readonly pauses: readonly Pause[]
  readonly arePausesOfTcp: boolean
  /** What went over the links meanwhile, and what happened to them. */
  readonly watched: Watched
}

/** Socket buffers never are what limits: 380 Mbit/s over 640 ms need 30 MB. */
const BUFFER_SYSCTLS = [
  'net.ipv4.tcp_rmem=4096 131072 33554432',
  'net.ipv4.tcp_wmem=4096 131072 33554432',
]
const PING_INTERVAL_MS = 50
/** Beside TCP: enough to see order, too little to weigh (80 kbit/s on the wire). */
const BESIDE = { packetsPerS: 50, payloadBytes: 60 }
const LOAD_STREAM = { packetsPerS: 500, payloadBytes: 200 }
/** Before the load, for what is beside it. */
const CALM_MS = 300
/** What TCP needs to find its speed; the figure is what comes after. */
const STEADY_FROM_S: Readonly<Record<Congestion, number>> = { cubic: 8, bbr: 3 }

/** Of a run of `seconds`: shorter runs than the figure asks for give their second half. */
const steadyFromS = (congestion: Congestion, seconds: number) =>
  Math.min(STEADY_FROM_S[congestion], seconds / 2)

export async function measure(wanted: Run): Promise<Measured> {
  const { scenario, subject, seed } = wanted
  const lab = await createLab({
    name: 'bond',
    links: scenario.links.map(({ name, description }) => ({
      name,
      description: isLossless(subject) ? `${description},loss=0` : description,
      nat: false, // towards which the server sends without being asked
    })),
    seed,
  })
  try {
    for (const side of ['client', 'server'] as const) {
      await run(inNamespace(lab.namespace(side), ['sysctl', '-qw', ...BUFFER_SYSCTLS]))
    }
    const carrier = await openSubject(lab, scenario.links, subject)
    const measured = await carry(lab, carrier, wanted)
    await carrier.close()
    return measured
  } finally {
    await lab.close()
  }
}

async function carry(lab: Lab, carrier: Carrier, wanted: Run): Promise<Measured> {
  const { scenario, subject, load, congestion, seconds } = wanted
  const { direction = 'up', happenings = [] } = scenario
  const way = direction === 'down' ? carrier.down : carrier.up
  // A link alone is what the others are measured against: nothing takes from it.
  const isBeside = subject.kind !== 'alone'
  const ping = isBeside
    ? await startPing(lab, carrier.up, { intervalMs: PING_INTERVAL_MS })
    : undefined
  const stream = isBeside
    ? await startStream(lab, way, load === 'tcp' ? BESIDE : LOAD_STREAM)
    : undefined
  if (isBeside) await pause(CALM_MS)
  const before = await carrier.reports()
  const isCourse = isBeside || scenario.isCourseOfLink === true
  const watch = startWatch(lab, direction, isCourse ? happenings : [])
  const beganAtMs = Date.now()
  let bulk: BulkReport | undefined
  try {
    if (load === 'udp') await pause(seconds * 1000)
    else {
      const { protocol } = carrier
      const { address } = carrier.up
      bulk = await runBulk(lab, { address, direction, congestion, protocol, seconds })
    }
  } finally {
    watch.stop()
  }
  const watched = await watch.ended
  const endedAtMs = beganAtMs + seconds * 1000
  const streamed = await stream?.end() // waits for what is under way, also of the pings
  const pinged = await ping?.end()
  const after = await carrier.reports()
  return {
    sample: {
      ...(bulk === undefined ? {} : bulkSample(bulk, congestion, seconds, carrier.protocol)),
      ...(pinged === undefined ? {} : pingSample(pinged, beganAtMs, endedAtMs)),
      ...(streamed === undefined ? {} : streamSample(streamed)),
      ...(before === undefined || after === undefined ? {} : overheadOf(direction, before, after)),
      ...queueSample(watched),
      lateMaxUs: watched.lateMaxUs,
    },
    arrived: bulk?.arrived,
    pauses: load === 'tcp' ? (bulk?.pauses ?? []) : pausesBetween(streamed?.arrivedAtUs ?? []),
    arePausesOfTcp: load === 'tcp',
    watched,
  }
}

const pausesBetween = (atUs: readonly number[]): Pause[] =>
  atUs.slice(1).map((toUs, index) => ({ fromUs: atUs[index]!, toUs }))

const isLossless = (subject: Subject) => subject.kind === 'alone' && subject.isLossless === true

function bulkSample(
  { come, outOfOrder, retransmits, addedSubflows }: BulkReport,
  congestion: Congestion,
  seconds: number,
  protocol: Carrier['protocol'],
): Sample {
  const mbit = mbitBetween(come, steadyFromS(congestion, seconds), seconds)
  const wholeMbit = mbitBetween(come, 0, seconds)
  // Of MPTCP the kernel tells these of one subflow only, in which nothing is out of order.
  return protocol === 'mptcp'
    ? { mbit, wholeMbit, addedSubflows }
    : { mbit, wholeMbit, tcpOutOfOrder: outOfOrder, tcpRetransmits: retransmits }
}
