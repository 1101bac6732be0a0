/** Odd packets, thousands of them, put into the client's TUN: what leaves the server's TUN is the same. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../bench/lab/namespaces.js'
import { repositoryPath } from '../../bench/lab/repository.js'
import { openTunnel } from '../../bench/lab/tunnel.js'
import { capture } from './capture.js'
import { type EndsOf, oddities } from './odd_packets.js'
import { difference, marked, octetsOf, singled, view } from './packets.js'
import { ThreeHosts } from './three_hosts.js'

const COUNT = 4000
const WRITER = repositoryPath('build', 'test', 'packet_writer')

const say = (claim: string) => console.log(`  ${claim}`)

let hosts: ThreeHosts

beforeAll(async () => {
  const build = repositoryPath('native', 'build.mjs')
  await run([process.execPath, build, '--tests', '--only', 'packet_writer'])
  hosts = await ThreeHosts.open('odd')
})

// Of a test that failed in the middle.
afterEach(() => hosts.endPrograms())

afterAll(() => hosts?.close())

describe.each([
  { mode: 'balance-rr', client: true, server: true, seed: 1 },
  { mode: 'balance-rr', client: true, server: false, seed: 3 },
  { mode: 'balance-rr', client: false, server: true, seed: 5 },
  { mode: 'balance-rr', client: false, server: false, seed: 7 },
  { mode: 'adaptive', client: true, server: true, seed: 9 },
  { mode: 'adaptive', client: true, server: false, seed: 11 },
  { mode: 'adaptive', client: false, server: true, seed: 13 },
  { mode: 'adaptive', client: false, server: false, seed: 15 },
])('$mode, offloads at the client: $client, at the server: $server', (cell) => {
  const { mode, client, server, seed } = cell
  it('carries what is odd and drops what has no length', async () => {
    const words = (offload: boolean) => ['--mode', mode, ...(offload ? [] : ['--no-offload'])]
    const tunnel = await openTunnel(hosts, {
      clientWords: words(client),
      serverWords: words(server),
    })
    const { inner } = tunnel
    const endsOf = (kind: 'ipv4' | 'ipv6') => ({
      source: octetsOf(inner.client[kind]),
      destination: octetsOf(inner.server[kind]),
    })
    const ends: EndsOf = { 4: endsOf('ipv4'), 6: endsOf('ipv6') }
    const made = oddities(seed, COUNT, ends)
    const wanted = made.flatMap(({ leaves }) => leaves)

    await hosts.deepenQueue('client', tunnel.client.tun)
    const tap = await capture(hosts, 'server', tunnel.server.tun, 'in')
    const writer = hosts.spawn('client', [WRITER, tunnel.client.tun], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const written = new Promise<string>((resolve) => {
      let text = ''
      const add = (data: Buffer) => {
        text += data
      }
      writer.stdout?.on('data', add)
      writer.stderr?.on('data', add)
      writer.stdin?.on('error', add) // it has ended early, and says why
      writer.once('close', () => resolve(text.trim()))
    })
    writer.stdin?.end(Buffer.concat(made.map(({ record }) => record)))
    expect(await written).toBe(`written ${made.length}`)

    const left = await tap.end()
    const sources = [ends[4], ends[6]].map(({ source }) => source.toString('hex'))
    const own = left.filter((packet) => sources.includes(view(packet).source))
    const { strange, missing } = difference(wanted, singled(own, wanted))
    const { counters, peers } = await tunnel.client.status()
    const { queueMarked = 0, queueDropped = 0 } = peers[0]?.repair ?? {}
    // While others keep the processors busy what waits for too long is marked, or dropped: no more than is told.
    const asMarked = missing.flatMap((packet) => marked(packet) ?? [])
    const changed = difference(asMarked, strange).strange
    const marks = strange.length - changed.length
    const lost = missing.length - marks
    const far = (await tunnel.server.status()).counters
    say(
      `${made.length} odd packets, seed ${seed}: ${wanted.length} had to arrive, ${own.length} left (${far['tunWrittenRuns'] ?? 0} joined), ${changed.length} changed, ${lost} missing, ${marks} marked (the queue: ${queueDropped} dropped, ${queueMarked} marked), ${counters['dropOutMalformed']} dropped as malformed`,
    )
    const told = (packets: readonly Buffer[]) =>
      packets.slice(0, 5).map((packet) => packet.toString('hex', 0, 100))
    expect({ changed: told(changed), lost }).toEqual({ changed: [], lost: queueDropped })
    expect(marks).toBeLessThanOrEqual(queueMarked)
    expect(counters['dropOutMalformed']).toBe(
      made.filter(({ leaves }) => leaves.length === 0).length,
    )
    for (const address of Object.values(inner.server)) {
      await hosts.exec('client', ['ping', '-q', '-c', '2', '-i', '0.1', '-W', '2', address])
    }
    await tunnel.close()
  })
})
