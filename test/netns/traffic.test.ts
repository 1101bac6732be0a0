/**
 * Two links of one kind, real processes and real packets: what the tunnel loses, how it divides, what
 * one TCP connection gets of both links, and in which order packets leave.
 *
 * This is a floor of correctness: its bounds leave a busy machine room. bench/ measures.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { type Congestion, runTcp, runUdp, startStream } from '../../bench/lab/traffic.js'
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
    tunnel = await openTunnel(lab)
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
    const reports = await Promise.all(
      [tunnel.up, tunnel.down].map((way) => runUdp(lab, way, { seconds, mbit })),
    )
    const after = await given()
    return (['up', 'down'] as const).map((direction, i) => {
      const [first = 0, second = 0] = after[direction].map((n, k) => n - before[direction][k]!)
      return { direction, ...reports[i]!, share: first / (first + second) }
    })
  }

  async function setWeights(...weights: number[]): Promise<void> {
    for (const [i, weight] of weights.entries()) {
      await tunnel.client.set('weight', NAMES[i]!, String(weight))
    }
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
    for (const { direction, sent, lost, outOfOrder, share } of await udp(mbit, 3)) {
      say(
        `UDP ${mbit} Mbit/s ${direction}, weights ${first}:${second}: lost ${lost} of ${sent} (${percent(lost / sent, 3)}), first link ${percent(share)} (${percent(wanted)} wanted)`,
      )
      expect(sent).toBeGreaterThan((mbit * 1e6 * 3 * 0.9) / 8 / 1200)
      expect(lost / sent).toBeLessThan(0.001)
      expect(Math.abs(share - wanted)).toBeLessThan(0.02)
      expect(outOfOrder).toBe(0)
    }
    await setWeights(1, 1)
  })

  it.each<Congestion>(['cubic', 'bbr'])('gives one TCP connection of %s both links', async (cc) => {
    const tcp = async () => {
      const report = await runTcp(lab, tunnel.up, { seconds: 4, congestion: cc, omitSeconds: 3 })
      expect(report.congestion).toBe(cc)
      return report
    }
    let sum = 0
    for (const name of NAMES) {
      const { mbit } = await alone(name, tcp)
      say(`TCP ${cc}, ${name} alone: ${mbit.toFixed(1)} Mbit/s`)
      sum += mbit
    }
    const { mbit, retransmits } = await tcp()
    say(
      `TCP ${cc}, both: ${mbit.toFixed(1)} Mbit/s, ${percent(mbit / sum)} of the sum, ${retransmits} retransmissions`,
    )
    expect(mbit / sum).toBeGreaterThanOrEqual(0.85)
  })

  it('keeps the order over links of 10 and 40 ms', async () => {
    await lab.setLink('lte', 'delay=40')
    const stream = { packetsPerS: 1000, count: 5000 }
    const streams = await Promise.all([
      startStream(lab, tunnel.up, { ...stream, port: 7000 }),
      startStream(lab, tunnel.down, { ...stream, port: 7001 }),
    ])
    for (const report of await Promise.all(streams.map((each) => each.finish()))) {
      const { sent, lost, duplicates, outOfOrder, delayUs } = report
      say(
        `10 and 40 ms: ${outOfOrder} of ${sent} out of order (RFC 4737), ${lost} lost, delay p50 ${delayUs.p50 / 1000} ms, p99 ${delayUs.p99 / 1000} ms, max ${delayUs.max / 1000} ms`,
      )
      expect({ lost, duplicates, outOfOrder }).toEqual({ lost: 0, duplicates: 0, outOfOrder: 0 })
    }
    await lab.setLink('lte', 'delay=10')
  })

  it('ends well', async () => {
    await tunnel.close()
  })
})
