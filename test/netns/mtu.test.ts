/** The inner MTU with real packets, over a link that swallows what is too large for it. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Side } from '../../bench/lab/site.js'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'
import { until } from '../../bench/throughput/until.js'
import { BEYOND, BEYOND_4, BEYOND_6, BEYOND_WORDS, ThreeHosts } from './three_hosts.js'

/** Of many mobile networks. */
const NARROW_MTU_BYTES = 1428
const INNER_MTU_BYTES = NARROW_MTU_BYTES - 28 - 32
/** In front of the payload of a ping. */
const ICMP_BYTES = { 4: 20 + 8, 6: 40 + 8 } as const

let hosts: ThreeHosts
let tunnel: Tunnel<ThreeHosts>

beforeAll(async () => {
  hosts = await ThreeHosts.open('mtu')
  // Only the far end of the wire is narrow: it drops what is larger, and nobody is told.
  await hosts.exec('server', ['ip', 'link', 'set', 'wan1', 'mtu', String(NARROW_MTU_BYTES)])
  tunnel = await openTunnel(hosts, { clientWords: BEYOND_WORDS })
})

afterAll(async () => {
  await hosts?.close()
})

/** Of the server. */
const routes = async () => (await hosts.exec('server', ['ip', 'route', 'show'])).stdout

it('is what the narrower link passes, on the device of the client', async () => {
  const device = () => hosts.exec('client', ['ip', 'link', 'show', tunnel.client.tun])
  const wanted = `mtu ${INNER_MTU_BYTES} `
  await until('the MTU to be found', async () => (await device()).stdout.includes(wanted))
  const { mtuBytes, peers } = await tunnel.client.status()
  expect(mtuBytes).toBe(INNER_MTU_BYTES)
  const notes = peers[0]!.paths.map((path) => path.notes.join())
  expect(notes).toEqual(['', `passes inner packets of up to ${INNER_MTU_BYTES} octets whole`])
})

/** One ping whose packet has this size and must not be split; what `ping` says. */
async function ping(from: Side, to: string, packetBytes: number): Promise<string> {
  const payload = String(packetBytes - ICMP_BYTES[to.includes(':') ? 6 : 4])
  const words = ['ping', '-M', 'do', '-c', '1', '-W', '5', '-s', payload, to]
  return (await hosts.exec(from, words, { check: false })).stdout
}

it('is kept to in both directions, and whoever sends more is told so', async () => {
  const { ipv4, ipv6 } = tunnel.inner.client
  await until('the server to have a route', async () => (await routes()).includes('mtu'))
  for (const [from, to] of [
    ['client', BEYOND_4],
    ['client', BEYOND_6],
    [BEYOND, ipv4],
    [BEYOND, ipv6],
  ] as const) {
    expect(await ping(from, to, INNER_MTU_BYTES), `${from} to ${to}`).toContain(' 0% packet loss')
    expect(await ping(from, to, INNER_MTU_BYTES + 1)).toContain(' 100% packet loss')
  }
  // The kernel keeps what routers have told it.
  const { stdout } = await hosts.exec(BEYOND, ['ip', 'route', 'get', ipv4])
  expect(stdout).toContain(`mtu ${INNER_MTU_BYTES}`)
})

it('spares the links fragments', async () => {
  for (const side of ['client', 'server'] as const) {
    const { stdout } = await hosts.exec(side, ['nstat', '-asz', 'IpFragCreates', 'Ip6FragCreates'])
    expect([...stdout.matchAll(/FragCreates\s+(\d+)/g)].map(([, count]) => count)).toEqual([
      '0',
      '0',
    ])
  }
})

it('leaves no route to a peer that was revoked', async () => {
  expect(await routes()).toContain(`mtu ${INNER_MTU_BYTES}`)
  const { server } = tunnel
  await server.command('revoke', 'home', '--run-dir', server.runDir, '--tun', server.tun)
  await until('the routes to go', async () => !(await routes()).includes('mtu'))
})
