/** The lines of deploy/recipes.md do what the page says. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addNamespace,
  inNamespace,
  ipBatch,
  removeNamespaceSync,
  run,
} from '../../bench/lab/namespaces.js'
import { HOST_SYSCTLS, SERVER_ADDRESS } from '../../bench/lab/topology.js'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'
import { until } from '../../bench/throughput/until.js'
import { BEYOND, BEYOND_4, ThreeHosts } from './three_hosts.js'

const PAGE = new URL('../../deploy/recipes.md', import.meta.url)
/** On the server's side of the tunnel, and of each uplink. */
const OUTSIDE = '203.0.113.9'
const BEHIND = '192.168.1.10'
const UPLINK_ADDRESS = '192.168.11.2'

let hosts: ThreeHosts
let tunnel: Tunnel<ThreeHosts>
/** A machine behind the client. */
let behind: string
const over = new AbortController()
/** Programs that tell each who connects how they see him. */
const telling: Promise<unknown>[] = []

/** What the page calls by other names. */
const named = (text: string) =>
  text
    .replaceAll('wwan0', 'wan1')
    .replaceAll('192.168.8.', '192.168.11.')
    .replaceAll('eth0', 'lan')
    .replaceAll('mptun0', tunnel.client.tun)
    .replaceAll('10.77.0.2', tunnel.inner.client.ipv4)

async function follow(recipe: string, side: 'client' | 'server'): Promise<void> {
  const [, block] = readFileSync(PAGE, 'utf8').split(`\`\`\`sh ${recipe}\n`)
  const lines = named(block!.split('```')[0]!).trim().split('\n')
  for (const line of lines) {
    if (line.startsWith('mptun set ')) await tunnel.client.set(...line.split(' ').slice(2))
    else await hosts.exec(side, ['sh', '-ec', line])
  }
}

function tell(namespace: string, port: number): Promise<void> {
  const script = `require('net').createServer((s) => s.end(s.remoteAddress)).listen(${port}, '0.0.0.0')`
  const [program = '', ...args] = inNamespace(namespace, [process.execPath, '-e', script])
  telling.push(run([program, ...args], { check: false, signal: over.signal }))
  return until(`port ${port} to be open`, async () =>
    (await run(inNamespace(namespace, ['ss', '-Hltn', `sport = :${port}`]))).stdout.includes(
      String(port),
    ),
  )
}
/** How whoever answers there sees this namespace. */
async function seenFrom(namespace: string, address: string, port: number): Promise<string> {
  const script = `require('net').connect(${port}, '${address}').setTimeout(5000, () => process.exit(1)).pipe(process.stdout)`
  return (await run(inNamespace(namespace, [process.execPath, '-e', script]))).stdout
}

beforeAll(async () => {
  hosts = await ThreeHosts.open('recipes')
  const client = hosts.namespace('client')
  behind = `${client}-behind`
  await addNamespace(behind, HOST_SYSCTLS)
  await ipBatch(client, [
    `link add home type veth peer name home netns ${behind}`,
    'address add 192.168.1.1/24 dev home',
    'link set home up',
  ])
  await ipBatch(behind, [
    `address add ${BEHIND}/24 dev home`,
    'link set home up',
    'route add default via 192.168.1.1',
  ])
  await hosts.exec('server', ['ip', 'address', 'add', `${OUTSIDE}/32`, 'dev', 'lo'])
  tunnel = await openTunnel(hosts, {
    serverWords: ['--nat'],
    clientWords: ['--nat', '--route', 'default'],
  })
  await tell(hosts.namespace('server'), 7100)
  await tell(behind, 443)
})

afterAll(async () => {
  over.abort()
  await Promise.allSettled(telling)
  await tunnel?.client.end()
  await tunnel?.server.end()
  if (behind !== undefined) removeNamespaceSync(behind)
  await hosts?.close()
})

describe('the recipes', () => {
  it('lead from a port of the server to a machine behind the client, which sees who calls', async () => {
    await follow('forward-server', 'server')
    await follow('forward-client', 'client')
    expect(await seenFrom(hosts.namespace(BEYOND), SERVER_ADDRESS, 8443)).toBe(BEYOND_4)
  })

  it('make a second path over one device', async () => {
    await follow('second-path', 'client')
    await Promise.all([tunnel.client.untilPaths(3), tunnel.server.untilPaths(3)])
  })

  it('lead a network past the tunnel', async () => {
    const client = hosts.namespace('client')
    expect(await seenFrom(client, OUTSIDE, 7100)).toBe(tunnel.inner.client.ipv4)
    await follow('past-network', 'client')
    expect(await seenFrom(client, OUTSIDE, 7100)).toBe(UPLINK_ADDRESS)
    await hosts.exec('client', ['ip', 'route', 'delete', '203.0.113.0/24'])
  })

  it('lead a machine behind the client past the tunnel', async () => {
    expect(await seenFrom(behind, OUTSIDE, 7100)).toBe(tunnel.inner.client.ipv4)
    await follow('past-machine', 'client')
    expect(await seenFrom(behind, OUTSIDE, 7100)).toBe(UPLINK_ADDRESS)
  })
})
