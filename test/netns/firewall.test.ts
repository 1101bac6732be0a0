/** A server that masquerades where not all is forwarded: it says so, and what helps, and lets nobody wait for an answer. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'
import { until } from '../../bench/throughput/until.js'
import { BEYOND_4, BEYOND_6, BEYOND_WORDS, ThreeHosts } from './three_hosts.js'

/** As ufw and Docker make it. */
const FIREWALL =
  'table ip filter { chain FORWARD { type filter hook forward priority filter; policy drop; }; }'

let hosts: ThreeHosts
let tunnel: Tunnel<ThreeHosts>

beforeAll(async () => {
  hosts = await ThreeHosts.open('firewall')
  await hosts.exec('server', ['nft', FIREWALL])
  tunnel = await openTunnel(hosts, {
    serverWords: ['--nat'],
    clientWords: BEYOND_WORDS,
  })
})

afterAll(async () => {
  await tunnel?.client.end()
  await tunnel?.server.end()
  await hosts?.close()
})

const complaints = () => tunnel.server.logs().match(/nat\.incomplete .*firewall.*/g) ?? []

async function reaches(): Promise<boolean> {
  const ping = ['ping', '-c', '2', '-i', '0.2', '-W', '1', BEYOND_4]
  return (await hosts.exec('client', ping, { check: false })).code === 0
}

it('is told by a line of the log what to do, and content when that is done', async () => {
  expect(await reaches()).toBe(false)
  expect(complaints()).toHaveLength(1)
  const [remedy = ''] = /nft insert .* accept/.exec(complaints()[0]!) ?? []
  await hosts.exec('server', ['sh', '-ec', remedy])
  expect(await reaches()).toBe(true)
  await tunnel.server.end()
  tunnel.server.start()
  await tunnel.server.until('it to run', () => true)
  expect(complaints()).toHaveLength(1)
})

it('refuses IPv6 as long as the host does not forward it', async () => {
  const connect = `
    const started = Date.now()
    const socket = require('node:net').connect(9, '${BEYOND_6}')
    socket.on('error', ({ code }) => console.log(code, Date.now() - started))
    setTimeout(() => process.exit(), 2000).unref()`
  const tried = async () => {
    const { stdout } = await hosts.exec('client', [process.execPath, '-e', connect])
    const [code = '', ms = 'Infinity'] = stdout.trim().split(' ')
    return { code, isAtOnce: Number(ms) < 500 }
  }
  const forward = (value: 0 | 1) =>
    hosts.exec('server', ['sysctl', '-w', `net.ipv6.conf.all.forwarding=${value}`])
  // The host beyond has no such port and says so: its word comes back through the tunnel, once that is there again.
  await until('the tunnel', async () => (await tried()).code !== '')
  expect(await tried()).toEqual({ code: 'ECONNREFUSED', isAtOnce: true })
  await forward(0)
  await until('IPv6 to be refused', async () => (await tried()).code !== '')
  expect(await tried()).toEqual({ code: 'ENETUNREACH', isAtOnce: true })
  await forward(1)
  await until('IPv6 to be forwarded', async () => (await tried()).code === 'ECONNREFUSED')
})
