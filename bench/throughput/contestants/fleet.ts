/**
 * A server with many clients. Its state and theirs are written as invite and join would leave them, and
 * all clients are in one process, so that a hundred of them fit the machine; only the server counts.
 */

import { basename, join } from 'node:path'
import { openStore, ownKey } from '#mptun/commands/state.js'
import type { Mode } from '#mptun/core/policy.js'
import { addressAt, formatAddress, parseCidr } from '#mptun/net/address.js'
import { Daemon, MPTUN } from '../../lab/daemon.js'
import { run } from '../../lab/namespaces.js'
import { repositoryPath } from '../../lab/repository.js'
import { SERVER_ADDRESS } from '../../lab/topology.js'
import { SERVER_ENDPOINT } from '../../lab/tunnel.js'
import { Program } from '../program.js'
import { until } from '../until.js'
import type { Wire } from '../wire.js'
import type { Carrier, Contestant } from './contestant.js'
import { MTU_WORDS, mptun } from './mptun.js'

const POOL = parseCidr('10.77.0.0/24')!
const POOL6 = parseCidr('fd6d:7074:756e:77::/64')!
const CLIENTS = repositoryPath('dist', 'bench', 'throughput', 'clients.js')

/** In the mode that the server wants for all of them. */
export function fleet(count: number, mode: Mode = 'adaptive'): Contestant {
  const clients = count === 1 ? 'one client' : `${count} clients`
  return {
    id: mode === 'adaptive' ? `clients-${count}` : `clients-${count}-${mode}`,
    title: mode === 'adaptive' ? clients : `${clients}, ${mode}`,
    kind: 'mptun',
    cipher: mptun.cipher,
    links: 1,
    version: mptun.version,
    open: (wire) => open(wire, count, mode),
  }
}

async function open(wire: Wire, count: number, mode: Mode): Promise<Carrier> {
  const server = new Daemon(wire, {
    role: 'server',
    tun: 'mps0',
    program: [...wire.apart, ...MPTUN],
    words: ['--listen', SERVER_ENDPOINT, '--mode', mode, ...MTU_WORDS],
  })
  await forgetNearness(wire)
  const addresses = await enrolAll(wire, server, count)
  server.start()
  await server.until('the server to run', () => true)
  const clients = new Program(wire, 'client', [
    ...[process.execPath, CLIENTS, wire.first.device, MTU_WORDS[1]!],
    ...addresses.map((_, index) => clientDir(wire, index)),
  ])
  let inUse = 0
  await until(
    `${count} clients in use`,
    async () => {
      const { peers } = await server.status()
      inUse = peers.filter(({ paths }) =>
        paths.some((path) => path.state === 'up' && path.inUse),
      ).length
      return inUse === count
    },
    () => `found ${inUse}\n${clients.said}\n${server.logs()}`,
  )
  const devices = addresses.map((_, index) => basename(clientDir(wire, index)))
  await until('the addresses of all clients', async () => {
    const { stdout } = await run(['ip', '-n', wire.namespace('client'), '-o', '-4', 'address'])
    return addresses.every((address) => stdout.includes(` ${address}/`))
  })
  return {
    clients: addresses,
    clientDevices: devices,
    packetsTaken: async () => (await server.status()).counters.tunReadPackets ?? 0,
    server: formatAddress(addressAt(POOL, 1n)),
    pids: [server.pid!],
    async close() {
      await clients.end()
      await server.end()
    },
  }
}

/**
 * To a peer that is nearer than some milliseconds the kernel hands over more at once, up to whole buffers
 * (tcp_tso_autosize of tcp_output.c, since Linux 5.18). Clients of a server are not so near; and here that
 * would hang on how soon a hundred of them get their turn on one core.
 */
async function forgetNearness(wire: Wire): Promise<void> {
  const words = ['sysctl', '-qw', 'net.ipv4.tcp_tso_rtt_log=0']
  await wire.exec('server', words, { check: false })
}

/** Returns the clients' inner addresses. */
async function enrolAll(wire: Wire, server: Daemon, count: number): Promise<string[]> {
  const store = await openStore(server.stateDir)
  const { publicKey } = await ownKey(store)
  store.keepPool6(POOL6)
  const [, port = ''] = SERVER_ENDPOINT.split(':')
  const endpoints = [{ host: SERVER_ADDRESS, port: Number(port) }]
  const addresses: string[] = []
  for (let index = 0; index < count; index++) {
    const name = `client${index}`
    const client = await openStore(clientDir(wire, index))
    const own = await ownKey(client)
    client.writeServer({ publicKey, endpoints, name, secret: undefined })
    // The first address is the server's.
    const number = BigInt(index + 2)
    const ipv4 = addressAt(POOL, number)
    const record = { publicKey: own.publicKey, ipv4, ipv6: addressAt(POOL6, number), created: 0 }
    store.writePeer(name, record)
    addresses.push(formatAddress(ipv4))
  }
  return addresses
}

const clientDir = (wire: Wire, index: number) => join(wire.directory, `client${index}`)
