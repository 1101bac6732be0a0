/** A server that masquerades behind a firewall which forwards nothing: it says so, and what helps. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'
import { BEYOND_4, ThreeHosts } from './three_hosts.js'

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
    clientWords: ['--route', '10.99.0.0/24'],
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
