/**
 * What leaves the far TUN is what entered the near one, octet for octet, whatever the kernels at both ends
 * leave to offloads: seen by captures on the client, on the server and on a third host that it forwards to.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { line } from '../../bench/lab/output.js'
import { repositoryPath } from '../../bench/lab/repository.js'
import type { Side } from '../../bench/lab/site.js'
import { openTunnel } from '../../bench/lab/tunnel.js'
import { capture } from './capture.js'
import {
  difference,
  fault,
  forwarded,
  isAcknowledgement,
  isSuperseded,
  octetsOf,
  singled,
  view,
} from './packets.js'
import {
  BEYOND,
  BEYOND_4,
  BEYOND_6,
  BEYOND_WORDS,
  ThreeHosts,
  TUNNEL_MTU_BYTES,
} from './three_hosts.js'

const BULK_BYTES = 4_000_000
/** The first of two, one a family. */
const BULK_PORT = 5400
const ECHO_PORT = 5410
/** From nothing to a whole packet, and what is sent as fragments. */
const ECHO_BYTES = [0, 1, 2, 3, 7, 8, 63, 64, 500, 1371, 1372, 1391, 1392, 4000, 8000]
const PING_BYTES = [0, 1, 56, 1372, 1392, 4000]
const TCP = 6

const say = (claim: string) => console.log(`  ${claim}`)

let hosts: ThreeHosts

beforeAll(async () => {
  hosts = await ThreeHosts.open('clear')
})

// Of a test that failed in the middle.
afterEach(() => hosts.endPrograms())

afterAll(() => hosts?.close())

const program = (name: string) => [process.execPath, repositoryPath('test', 'netns', name)]

/** Sends much over TCP; both ends must have digested the same. */
async function bulk(from: Side, to: Side, address: string, port: number): Promise<void> {
  const receiver = hosts.spawn(to, [...program('bulk.mjs'), 'receive', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await line(receiver, /^listening$/)
  const received = line(receiver, /^\d+ [0-9a-f]{64}$/)
  const words = ['send', address, port, BULK_BYTES].map(String)
  const { stdout } = await hosts.exec(from, [...program('bulk.mjs'), ...words], {
    timeoutMs: 30_000,
  })
  expect(stdout.trim()).toBe(await received)
}

async function echo(from: Side, to: Side, address: string, port: number): Promise<void> {
  const other = hosts.spawn(to, [...program('echo.mjs'), 'answer', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await line(other, /^listening$/)
  const words = ['ask', address, port, ...ECHO_BYTES].map(String)
  const { stdout } = await hosts.exec(from, [...program('echo.mjs'), ...words], {
    timeoutMs: 60_000,
  })
  expect(stdout.trim()).toBe(`same ${ECHO_BYTES.length}`)
  other.kill()
}

async function pings(from: Side, address: string): Promise<void> {
  for (const size of PING_BYTES) {
    // Asks until two have answered. Without a deadline it waits two round trips for the last, however
    // busy the machine is. That nothing is lost is told by the captures.
    const words = ['-c', '2', '-i', '0.01', '-w', '5', '-s', String(size), address]
    const { stdout } = await hosts.exec(from, ['ping', ...words])
    expect(stdout).not.toContain('wrong data')
  }
}

const hexOf = (address: string) => octetsOf(address).toString('hex')

const between = (packets: readonly Buffer[], from: readonly string[], to: readonly string[]) =>
  packets.filter((packet) => {
    const { source, destination } = view(packet)
    return from.includes(source) && to.includes(destination)
  })

/**
 * Nothing is changed, and nothing is missing but acknowledgements that a later one made superfluous; of TCP,
 * which sends it again, next to nothing.
 */
function expectSame(what: string, wanted: readonly Buffer[], found: readonly Buffer[]): void {
  const { strange, missing: absent } = difference(wanted, found)
  const missing = absent.filter((each) => !(isAcknowledgement(each) && isSuperseded(each, found)))
  const lost = missing.filter((packet) => view(packet).protocol === TCP)
  say(`${what}: ${found.length} packets, ${strange.length} changed, ${missing.length} missing`)
  expect(found.length).toBeGreaterThan(0)
  const isCopy = (packet: Buffer) => wanted.some((each) => each.equals(packet))
  const told = strange
    .slice(0, 5)
    .map((packet) => `${isCopy(packet) ? 'once more ' : ''}${packet.toString('hex', 0, 72)}`)
  expect(told).toEqual([])
  expect(missing.length - lost.length).toBe(0)
  expect(lost.length).toBeLessThan(wanted.length / 100)
}

/** Headers are compressed where a path carries less than 200 Mbit/s. */
const SLOW_MBIT = 50

describe.each([
  { client: true, server: true, links: 'fast' },
  { client: true, server: false, links: 'fast' },
  { client: false, server: true, links: 'fast' },
  { client: false, server: false, links: 'fast' },
  { client: true, server: true, links: 'slow' },
  { client: true, server: false, links: 'slow' },
])(
  'offloads at the client: $client, at the server: $server, links: $links',
  ({ links, ...offload }) => {
    it('carries everything as it is', async () => {
      await hosts.limit(links === 'slow' ? SLOW_MBIT : undefined)
      const tunnel = await openTunnel(hosts, {
        clientWords: [...BEYOND_WORDS, ...(offload.client ? [] : ['--no-offload'])],
        serverWords: offload.server ? [] : ['--no-offload'],
      })
      const { inner, client, server } = tunnel
      await Promise.all([client, server].map(({ side, tun }) => hosts.deepenQueue(side, tun)))
      const [clientOut, clientIn, serverOut, serverIn, lanIn] = await Promise.all([
        capture(hosts, 'client', client.tun, 'out'),
        capture(hosts, 'client', client.tun, 'in'),
        capture(hosts, 'server', server.tun, 'out'),
        capture(hosts, 'server', server.tun, 'in'),
        capture(hosts, BEYOND, 'lan', 'in'),
      ])
      const taps = { clientOut, clientIn, serverOut, serverIn, third: lanIn }
      const families = [
        { beyond: BEYOND_4, atClient: inner.client.ipv4, atServer: inner.server.ipv4 },
        { beyond: BEYOND_6, atClient: inner.client.ipv6, atServer: inner.server.ipv6 },
      ]
      await Promise.all(
        families.map(async ({ beyond, atClient, atServer }, index) => {
          const bulkPort = BULK_PORT + index
          await bulk('client', BEYOND, beyond, bulkPort)
          await bulk(BEYOND, 'client', atClient, bulkPort)
          await bulk('client', 'server', atServer, bulkPort)
          await bulk('server', 'client', atClient, bulkPort)
        }),
      )
      await Promise.all(
        families.map(async ({ beyond, atClient }, index) => {
          await echo('client', BEYOND, beyond, ECHO_PORT + index)
          await pings('client', beyond)
          await pings(BEYOND, atClient)
        }),
      )
      const seen = Object.fromEntries(
        await Promise.all(Object.entries(taps).map(async ([name, tap]) => [name, await tap.end()])),
      ) as Record<keyof typeof taps, Buffer[]>
      const beyond = [BEYOND_4, BEYOND_6].map(hexOf)
      const near = Object.values(inner.client).map(hexOf)
      const far = Object.values(inner.server).map(hexOf)

      const third = between(seen.third, near, beyond)
      expect(third.map(fault).filter((each) => each !== undefined)).toEqual([])
      const sent = singled(between(seen.clientOut, near, beyond), third).map(forwarded)
      expectSame('client to third host', sent, third)

      const entered = between(seen.serverOut, beyond, near)
      expect(entered.map(fault).filter((each) => each !== undefined)).toEqual([])
      const left = singled(between(seen.clientIn, beyond, near), entered)
      expectSame('third host to client', entered, left)

      // Without offloads there is nothing that a capture on the far host itself could not see whole.
      for (const [ends, isOn, out, into, from, to] of [
        ['client to server', offload.server, seen.clientOut, seen.serverIn, near, far],
        ['server to client', offload.client, seen.serverOut, seen.clientIn, far, near],
      ] as const) {
        if (isOn) continue
        const arrived = between(into, from, to)
        expect(arrived.map(fault).filter((each) => each !== undefined)).toEqual([])
        expect(Math.max(...arrived.map(({ length }) => length))).toBeLessThanOrEqual(
          TUNNEL_MTU_BYTES,
        )
        expectSame(ends, singled(between(out, from, to), arrived), arrived)
      }

      for (const [daemon, isOn] of [
        [client, offload.client],
        [server, offload.server],
      ] as const) {
        const { counters, peers } = await daemon.status()
        const compressed = peers[0]?.repair?.compressed ?? 0
        const runs = (name: string) => counters[name] ?? 0
        const { tun } = daemon
        say(
          `${tun}: super-packets read ${runs('tunReadRuns')}, written ${runs('tunWrittenRuns')}; runs of datagrams sent ${runs('udpSentRuns')}, read ${runs('udpReadRuns')}; compressed ${compressed}`,
        )
        expect(runs('dropContext')).toBe(0)
        if (links === 'slow') {
          expect(compressed).toBeGreaterThan(BULK_BYTES / TUNNEL_MTU_BYTES)
          continue
        }
        const isJoined = offload.client && offload.server
        expect(runs('tunReadRuns') > 0).toBe(isOn)
        expect(runs('udpSentRuns') > 0).toBe(isOn)
        expect(runs('tunWrittenRuns') > 0).toBe(isJoined)
        if (isJoined || !isOn) expect(runs('udpReadRuns') > 0).toBe(isOn)
      }
      await tunnel.close()
    })
  },
)
