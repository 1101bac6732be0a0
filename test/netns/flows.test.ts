/** balance-xor with real packets: which link carries a flow, one flow after the other. */

import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { repositoryPath } from '../../bench/lab/repository.js'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'
import { PROBE_BYTES } from './probe.js'

const LINKS = ['dsl', 'lte', 'sat'].map((name) => ({ name, description: 'rate=100,delay=5' }))
const WEIGHTS = [2, 1, 1]
const CUT = 2

/**
 * A share of 200 has a standard deviation of 3.5 %, of 400 of 2.5 %: that flows fall by chance more than
 * 10 % beside their weights is then out of the question.
 */
const FLOWS = 400
const FIRST_PORT = 20_000
/** Discarded by the far host, which has nobody there. */
const TO_PORT = 9
const PACKETS = 10
const PAYLOAD_BYTES = 1000

const say = (claim: string) => console.log(`  ${claim}`)
const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`

let lab: Lab
let tunnel: Tunnel

beforeAll(async () => {
  lab = await createLab({ name: 'flows', links: LINKS, seed: 6 })
  const uplinks = LINKS.map(({ name }, i) => `${name},weight=${WEIGHTS[i]}`)
  tunnel = await openTunnel(lab, { uplinks, clientWords: ['--mode', 'balance-xor'] })
})

afterAll(async () => {
  await lab?.close()
})

/** For each flow the link that carried it. Rejects when one was carried by several. */
async function carriers(): Promise<number[]> {
  const words = [tunnel.inner.server.ipv4, TO_PORT, PACKETS, PAYLOAD_BYTES].map(String)
  const program = repositoryPath('test', 'netns', 'flow_sender.mjs')
  const sender = lab.spawn('client', [process.execPath, program, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: sender.stdout! })[Symbol.asyncIterator]()
  const given = async () => (await lab.stats()).map(({ up }) => up)
  const found: number[] = []
  for (let flow = 0; flow < FLOWS; flow++) {
    const before = await given()
    sender.stdin?.write(`${FIRST_PORT + flow}\n`)
    expect((await lines.next()).value).toBe(`sent ${FIRST_PORT + flow}`)
    // Packets of the flow, told by their size from the probes that go on meanwhile.
    let carried: number[] = []
    const sum = () => carried.reduce((total, packets) => total + packets, 0)
    do {
      carried = (await given()).map(({ offeredBytes, offeredPackets }, link) => {
        const packets = offeredPackets - before[link]!.offeredPackets
        const bytes = offeredBytes - before[link]!.offeredBytes
        return Math.round((bytes - packets * PROBE_BYTES) / PAYLOAD_BYTES)
      })
      if (sum() < PACKETS) await pause(1)
    } while (sum() < PACKETS)
    const most = Math.max(...carried)
    if (sum() !== most) throw new Error(`flow ${flow} went over links as ${carried} packets`)
    found.push(carried.indexOf(most))
  }
  sender.stdin?.end()
  return found
}

it('keeps each flow on one link, by weight, and moves only those of a lost link', async () => {
  const before = await carriers()
  for (const [link, { name }] of LINKS.entries()) {
    const share = before.filter((each) => each === link).length / FLOWS
    const wanted = WEIGHTS[link]! / WEIGHTS.reduce((sum, weight) => sum + weight)
    say(
      `balance-xor: ${percent(share)} of ${FLOWS} flows on ${name}, ${percent(wanted)} by its weight`,
    )
    expect(Math.abs(share - wanted)).toBeLessThan(0.1)
  }
  await lab.cutLink(LINKS[CUT]!.name)
  await Promise.all([tunnel.client.untilPaths(2), tunnel.server.untilPaths(2)])
  const after = await carriers()
  const moved = before.flatMap((link, flow) => (link === after[flow] ? [] : [link]))
  say(
    `balance-xor, ${LINKS[CUT]!.name} cut: ${moved.length} flows moved, all of them from that link`,
  )
  expect(after).not.toContain(CUT)
  expect(moved.filter((link) => link !== CUT)).toEqual([])
  await lab.restoreLink(LINKS[CUT]!.name)
  await Promise.all([tunnel.client.untilPaths(3), tunnel.server.untilPaths(3)])
  await tunnel.close()
})
