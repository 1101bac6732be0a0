/**
 * Two links of one kind, real processes and real packets: what the tunnel loses, how it divides, what
 * one TCP connection gets of both links, and in which order packets leave.
 *
 * This is a floor of correctness: its bounds leave a busy machine room. bench/ measures.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Daemon } from '../../bench/lab/daemon.js'
import { createLab, type Lab, type Side } from '../../bench/lab/lab.js'
import { startPing } from '../../bench/lab/ping.js'
import { startStream } from '../../bench/lab/stream.js'
import { type Congestion, runTcp, runUdp } from '../../bench/lab/traffic.js'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'

const LINKS = [
  { name: 'dsl', description: 'rate=20,delay=10' },
  { name: 'lte', description: 'rate=20,delay=10' },
]
const NAMES = LINKS.map(({ name }) => name)

const say = (claim: string) => console.log(`  ${claim}`)
const percent = (ratio: number, digits = 1) => `${(ratio * 100).toFixed(digits)} %`

describe('over two links of 20 Mbit/s and 10 ms', () => {
  let lab: Lab
  let tunnel: Tunnel

  beforeAll(async () => {
    lab = await createLab({ name: 'traffic', links: LINKS, seed: 5 })
    // Where weights are what decides; bond.test.ts has the mode that measures.
    const words = ['--mode', 'balance-rr']
    tunnel = await openTunnel(lab, { clientWords: words, serverWords: words })
  })

  afterAll(async () => {
    await lab?.close()
  })

  /** Bytes that were given to each link in each direction. */
  async function given() {
    const stats = await lab.stats()
    const ofLink = (name: string) => stats.find((link) => link.name === name)!
    const bytes = (direction: 'up' | 'down') =>
      NAMES.map((name) => ofLink(name)[direction].offeredBytes)
    return { up: bytes('up'), down: bytes('down') }
  }

  /** UDP in both directions at once; of each what was lost and the first link's share of it. */
  async function udp(mbit: number, seconds: number) {
    const before = await given()
    const ways = { up: tunnel.up, down: tunnel.down }
    const reports = await Promise.all(
      Object.values(ways).map(async (way) => {
        const overslept = await datagramsOverslept(way.to)
        const report = await runUdp(lab, way, { seconds, mbit })
        return { ...report, overslept: (await datagramsOverslept(way.to)) - overslept }
      }),
    )
    const after = await given()
    return (['up', 'down'] as const).map((direction, i) => {
      const [first = 0, second = 0] = after[direction].map((n, k) => n - before[direction][k]!)
      return { direction, ...reports[i]!, share: first / (first + second) }
    })
  }

  /**
   * What the tunnel delivered to a receiver that did not run in time: on a machine with too much to do
   * a measuring program's buffer is full first. Sockets that are still open are the tunnel's own.
   */
  async function datagramsOverslept(side: Side): Promise<number> {
    const read = async (path: string) => (await lab.exec(side, ['cat', path])).stdout
    const [names, values] = [...(await read('/proc/net/snmp')).matchAll(/^Udp: (.*)$/gm)].map(
      ([, line = '']) => line.split(' '),
    )
    const all = Number(values?.[names?.indexOf('RcvbufErrors') ?? -1])
    const open = (await read('/proc/net/udp')).trimEnd().split('\n').slice(1)
    const own = open.reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1)), 0)
    return all - own
  }

  async function setWeights(...weights: number[]): Promise<void> {
    await Promise.all(
      weights.map((weight, i) => tunnel.client.set('weight', NAMES[i]!, String(weight))),
    )
  }

  /** Takes the others away while something is measured. */
  async function alone<T>(name: string, measure: () => Promise<T>): Promise<T> {
    const setOthers = async (intent: string) => {
      for (const other of NAMES.filter((each) => each !== name)) {
        await tunnel.client.set('uplink', other, intent)
      }
    }
    const both = [tunnel.client, tunnel.server]
    await setOthers('down')
    await Promise.all(both.map((daemon) => daemon.untilPaths(1)))
    try {
      return await measure()
    } finally {
      await setOthers('up')
      await Promise.all(both.map((daemon) => daemon.untilPaths(NAMES.length)))
    }
  }

  it.each([
    { weights: [1, 1], mbit: 30 },
    // Above these a link would be asked for more than it has.
    { weights: [3, 1], mbit: 20 },
    { weights: [5, 2], mbit: 20 },
  ])('carries UDP at $mbit Mbit/s by weights $weights', async ({ weights, mbit }) => {
    await setWeights(...weights)
    const [first = 0, second = 0] = weights
    const wanted = first / (first + second)
    for (const { direction, sent, outOfOrder, share, ...report } of await udp(mbit, 3)) {
      const lost = Math.max(0, report.lost - report.overslept)
      say(
        `UDP ${mbit} Mbit/s ${direction}, weights ${first}:${second}: lost ${lost} of ${sent} (${percent(lost / sent, 3)}; the receiver missed ${report.overslept} more), first link ${percent(share)} (${percent(wanted)} wanted)`,
      )
      expect(sent).toBeGreaterThan((mbit * 1e6 * 3 * 0.9) / 8 / 1200)
      expect(lost / sent).toBeLessThan(0.001)
      expect(Math.abs(share - wanted)).toBeLessThan(0.02)
      expect(outOfOrder).toBe(0)
    }
    await setWeights(1, 1)
  })

  it.each<Congestion>(['cubic', 'bbr'])('gives one TCP connection of %s both links', async (cc) => {
    const tcp = async (seconds: number, omitSeconds: number) => {
      const report = await runTcp(lab, tunnel.up, { seconds, congestion: cc, omitSeconds })
      expect(report.congestion).toBe(cc)
      return report
    }
    let sum = 0
    for (const name of NAMES) {
      const { mbit } = await alone(name, () => tcp(3, 1))
      say(`TCP ${cc}, ${name} alone: ${mbit.toFixed(1)} Mbit/s`)
      sum += mbit
    }
    // Finding the speed takes longer: the first round trip lets cubic leave slow start early (HyStart).
    const { mbit, retransmits } = await tcp(4, 3)
    say(
      `TCP ${cc}, both: ${mbit.toFixed(1)} Mbit/s, ${percent(mbit / sum)} of the sum, ${retransmits} retransmissions`,
    )
    expect(mbit / sum).toBeGreaterThanOrEqual(0.85)
  })

  it('keeps the order over links of 10 and 40 ms', async () => {
    await lab.setLink('lte', 'delay=40')
    const ping = await startPing(lab, tunnel.up, { intervalMs: 10 })
    await pause(2000) // in which both ends see it
    await ping.end()
    const ends = [tunnel.server, tunnel.client]
    const orderOf = async (daemon: Daemon) => (await daemon.status()).peers[0]?.order
    const before = await Promise.all(ends.map(orderOf))
    const stream = { packetsPerS: 1000, count: 4000 }
    const streams = await Promise.all([
      startStream(lab, tunnel.up, { ...stream, port: 7000 }),
      startStream(lab, tunnel.down, { ...stream, port: 7001 }),
    ])
    const reports = await Promise.all(streams.map((each) => each.finish()))
    for (const [i, daemon] of ends.entries()) {
      const { sent, lost, duplicates, outOfOrder, delayUs } = reports[i]!
      const { heldTotal = 0, deadlinePassed = 0, provedLost = 0 } = (await orderOf(daemon)) ?? {}
      const timedOut = deadlinePassed - (before[i]?.deadlinePassed ?? 0)
      say(
        `10 and 40 ms: ${outOfOrder} of ${sent} out of order (RFC 4737), ${lost} lost, delay p50 ${delayUs.p50 / 1000} ms, max ${delayUs.max / 1000} ms; since the start ${heldTotal} waited, ${provedLost} gaps proved, ${deadlinePassed} timed out, ${timedOut} of them now`,
      )
      expect({ lost, duplicates }).toEqual({ lost: 0, duplicates: 0 })
      // A machine that pauses for longer than links jitter lets a few gaps time out, and nothing but
      // those may come out of order; in virtual time there are none (test/sim/modes.test.ts).
      expect(outOfOrder).toBeLessThanOrEqual(Math.min(timedOut, sent / 500))
    }
    await lab.setLink('lte', 'delay=10')
  })

  it('ends well', async () => {
    await tunnel.close()
  })
})
