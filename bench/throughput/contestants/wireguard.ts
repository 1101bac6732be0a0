/** WireGuard in userspace, keyed by wg(8). */

import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../lab/namespaces.js'
import { Program, untilDevice } from '../program.js'
import { until } from '../until.js'
import { INNER_MTU_BYTES, type Wire } from '../wire.js'
import type { Carrier, Contestant } from './contestant.js'
import { openPair } from './pair.js'
import { packageVersion } from './version.js'

const PORT = 51820
const CLIENT = '10.78.0.2'
const SERVER = '10.78.0.1'

export const wireguardGo: Contestant = {
  id: 'wireguard-go',
  title: 'wireguard-go',
  kind: 'peer',
  cipher: 'ChaCha20-Poly1305',
  links: 1,
  version: () => packageVersion('wireguard-go'),
  open,
}

/** Its control sockets are in one directory for all namespaces: names must differ. */
let count = 0

interface End {
  readonly side: 'client' | 'server'
  readonly device: string
  readonly address: string
  readonly keyFile: string
  readonly publicKey: string
}

async function open(wire: Wire): Promise<Carrier> {
  const number = `${process.pid}.${count++}`
  const server = await makeEnd(wire, 'server', `wgs${number}`, SERVER)
  const client = await makeEnd(wire, 'client', `wgc${number}`, CLIENT)
  const programs = [start(wire, server), start(wire, client)]
  return openPair(wire, programs, { client: CLIENT, server: SERVER }, async (tell) => {
    await setUp(wire, server, ['listen-port', String(PORT), ...peer(client)], tell)
    const endpoint = ['endpoint', `${wire.first.server}:${PORT}`]
    await setUp(wire, client, [...peer(server), ...endpoint], tell)
  })
}

async function makeEnd(
  wire: Wire,
  side: End['side'],
  device: string,
  address: string,
): Promise<End> {
  const { stdout: key } = await run(['wg', 'genkey'])
  const { stdout: publicKey } = await run(['wg', 'pubkey'], { input: key })
  const keyFile = join(wire.directory, `${device}.key`)
  writeFileSync(keyFile, key, { mode: 0o600 })
  return { side, device, address, keyFile, publicKey: publicKey.trim() }
}

const socketOf = (device: string) => `/var/run/wireguard/${device}.sock`

function start(wire: Wire, { side, device }: End): Program {
  wire.atEnd(() => rmSync(socketOf(device), { force: true }))
  return new Program(wire, side, ['wireguard-go', '-f', device], { LOG_LEVEL: 'error' })
}

const peer = ({ publicKey, address }: End) => ['peer', publicKey, 'allowed-ips', `${address}/32`]

async function setUp(
  wire: Wire,
  { side, device, address, keyFile }: End,
  words: readonly string[],
  tell: () => string,
): Promise<void> {
  await untilDevice(wire, side, device, tell)
  await until(socketOf(device), async () => existsSync(socketOf(device)), tell)
  await wire.exec(side, ['wg', 'set', device, 'private-key', keyFile, ...words])
  await wire.ip(
    side,
    `address add ${address}/24 dev ${device}`,
    `link set ${device} mtu ${INNER_MTU_BYTES} up`,
  )
}
