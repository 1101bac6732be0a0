/** What the modes promise when links lose or die, with real processes and real packets. */

import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { StreamReport } from '../../bench/lab/arrivals.js'
import { Daemon } from '../../bench/lab/daemon.js'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { setNameServer } from '../../bench/lab/namespaces.js'
import { startStream } from '../../bench/lab/stream.js'
import { enrol, innerOf, openTunnel, SERVER_ENDPOINT, type Tunnel } from '../../bench/lab/tunnel.js'

const say = (claim: string) => console.log(`  ${claim}`)
const percent = (ratio: number) => `${(ratio * 100).toFixed(2)} %`
const PROBE_MS = 100

let lab: Lab | undefined
let tunnel: Tunnel | undefined
/** Of a test that opens no tunnel. */
const daemons: Daemon[] = []

async function open(links: Record<string, string>, ...clientWords: string[]): Promise<Tunnel> {
  const list = Object.entries(links).map(([name, description]) => ({ name, description }))
  lab = await createLab({ name: 'fail', links: list, seed: 9 })
  // Of active-backup one path carries at a time.
  const paths = clientWords.includes('active-backup') ? 1 : list.length
  tunnel = await openTunnel(lab, { clientWords, paths })
  return tunnel
}

/** A stream each way, and something that happens meanwhile. */
async function streams(
  over: Tunnel,
  packetsPerS: number,
  count: number,
  meanwhile = async () => {},
) {
  const both = await Promise.all([
    startStream(over.lab, over.up, { packetsPerS, count, port: 7000 }),
    startStream(over.lab, over.down, { packetsPerS, count, port: 7001 }),
  ])
  await meanwhile()
  return Promise.all(both.map((stream) => stream.finish()))
}

const told = ({ sent, lost, outOfOrder, duplicates, longestGapUs }: StreamReport) =>
  `${lost} of ${sent} lost, ${outOfOrder} out of order, ${duplicates} twice, longest gap ${longestGapUs / 1000} ms`

afterEach(async () => {
  await tunnel?.close()
  tunnel = undefined
  for (const daemon of daemons.splice(0)) if (daemon.pid !== undefined) await daemon.end()
  await lab?.close()
  lab = undefined
})

describe('broadcast', () => {
  it('loses 4 % where both links lose 20 %, and delivers no copy', async () => {
    const lossy = { dsl: 'rate=20,delay=10,loss=20', lte: 'rate=20,delay=25,loss=20' }
    const over = await open(lossy, '--mode', 'broadcast')
    // Of so many the share that is lost has a standard deviation of 0.12 %.
    for (const [i, report] of (await streams(over, 2500, 25_000)).entries()) {
      say(`broadcast, 20 % loss on both, way ${i}: ${percent(report.lost / report.sent)} lost`)
      expect(report.lost / report.sent).toBeLessThanOrEqual(0.045)
      expect(report.lost / report.sent).toBeGreaterThan(0.03)
      expect(report.duplicates).toBe(0)
    }
  })

  it.each(['dsl', 'lte'])('loses nothing when %s is cut', async (name) => {
    const links = { dsl: 'rate=20,delay=10', lte: 'rate=20,delay=25' }
    const over = await open(links, '--mode', 'broadcast')
    const reports = await streams(over, 500, 2000, async () => {
      await pause(1000)
      await over.lab.cutLink(name)
    })
    for (const report of reports) {
      say(`broadcast, ${name} cut: ${told(report)}`)
      expect(report.lost + report.duplicates).toBe(0)
    }
  })
})

describe('active-backup', () => {
  it('loses at most three probe intervals to a silent cut', async () => {
    const links = { dsl: 'rate=20,delay=10', lte: 'rate=20,delay=20' }
    const over = await open(links, '--mode', 'active-backup', '--primary', 'dsl')
    const reports = await streams(over, 100, 400, async () => {
      await pause(1000)
      await over.lab.cutLink('dsl')
    })
    for (const report of reports) {
      say(`active-backup, silent cut, 100 packets/s: ${told(report)}`)
      // What was under way is lost with the link: 10 ms are one packet.
      expect(report.lost).toBeLessThanOrEqual((3 * PROBE_MS) / 10 + 1)
    }
  })
})

const daemonOf = (role: 'server' | 'client', tun: string, ...words: string[]) => {
  const daemon = new Daemon(lab!, { role, tun, words })
  daemons.push(daemon)
  daemon.start()
  return daemon
}

describe('a name server that does not answer', () => {
  it('keeps no client from its end', async () => {
    lab = await createLab({ name: 'fail', links: [{ name: 'dsl', description: 'rate=20' }] })
    const deaf = "require('node:dgram').createSocket('udp4').bind(53, '127.0.0.53')"
    lab.spawn('client', [process.execPath, '-e', deaf])
    setNameServer(lab.namespace('client'), '127.0.0.53', 30)
    const server = daemonOf('server', 'mps0', '--listen', SERVER_ENDPOINT)
    await server.until('the server to run', () => true)
    const words = ['--uplink', 'dsl', '--server', 'mptun.example:5000']
    const client = new Daemon(lab, { role: 'client', tun: 'mpc0', words })
    daemons.push(client)
    await enrol(server, client, 'home')
    client.start()
    await client.until('the client to ask for the server', ({ peers }) =>
      peers.some(({ paths: [dsl] }) => dsl?.why === 'the address of the server is not known yet'),
    )
    expect(await client.end()).toEqual({ code: 0, signal: null })
  })
})

describe('a network of the tunnel that a machine has already', () => {
  const serverOf = (tun: string, pool: string) =>
    daemonOf('server', tun, '--listen', SERVER_ENDPOINT, '--pool', pool)

  it('stops a server at its start, and cuts no client off from its uplink', async () => {
    lab = await createLab({ name: 'fail', links: [{ name: 'dsl', description: 'rate=20' }] })
    const refused = serverOf('mps1', '198.51.100.0/24')
    await expect(refused.until('nothing', () => false)).rejects.toThrow(
      'overlaps 198.51.100.1/32 of lo',
    )

    const server = serverOf('mps0', '192.168.10.0/24')
    await server.until('the server to run', () => true)
    const client = new Daemon(lab, { role: 'client', tun: 'mpc0', words: ['--uplink', 'dsl'] })
    daemons.unshift(client)
    await enrol(server, client, 'home')
    client.start()
    await client.untilPaths(1)
    const inner = await innerOf(client)
    expect(inner.ipv4).toBe('')
    const [peer] = (await client.status()).peers
    expect(peer?.warning).toContain('would cut off 192.168.10.2, which the uplink dsl needs')
    const ping = ['ping', '-q', '-c', '2', '-i', '0.1', '-W', '2']
    await lab.exec('client', [...ping, '192.168.10.1'])
    await lab.exec('client', [...ping, (await innerOf(server)).ipv6])

    await lab.exec('client', ['ip', 'route', 'delete', 'default', 'dev', 'dsl'])
    await lab.exec('client', ['ip', 'address', 'add', '192.168.99.2/24', 'dev', 'dsl'])
    await lab.exec('client', ['ip', 'address', 'delete', '192.168.10.2/24', 'dev', 'dsl'])
    const { peers } = await client.until('its IPv4 address', ({ addresses }) =>
      addresses.some((address) => address.startsWith('192.168.10.')),
    )
    expect(peers[0]?.warning).toBe('')
  })
})
