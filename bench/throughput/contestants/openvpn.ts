/** OpenVPN in userspace: TLS between two pinned certificates, AES-256-GCM for the packets. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../lab/namespaces.js'
import { Program } from '../program.js'
import { INNER_MTU_BYTES, type Wire } from '../wire.js'
import type { Carrier, Contestant } from './contestant.js'
import { openPair } from './pair.js'
import { packageVersion } from './version.js'

const PORT = '1194'
const CLIENT = '10.79.0.2'
const SERVER = '10.79.0.1'
const DEVICE = 'ovpn0'

export const openvpn: Contestant = {
  id: 'openvpn',
  title: 'OpenVPN',
  kind: 'peer',
  cipher: 'AES-256-GCM',
  links: 1,
  version: () => packageVersion('openvpn'),
  open,
}

interface Identity {
  readonly keyFile: string
  readonly certificateFile: string
  readonly fingerprint: string
}

async function open(wire: Wire): Promise<Carrier> {
  const own = {
    server: await makeIdentity(wire, 'server'),
    client: await makeIdentity(wire, 'client'),
  }
  const { server: serverAddress } = wire.first
  const programs = [
    new Program(wire, 'server', [
      ...words(own.server, own.client, SERVER, CLIENT),
      ...['--tls-server', '--dh', 'none', '--lport', PORT, '--local', serverAddress],
    ]),
    new Program(wire, 'client', [
      ...words(own.client, own.server, CLIENT, SERVER),
      ...['--tls-client', '--nobind', '--remote', serverAddress, PORT],
    ]),
  ]
  return openPair(wire, programs, { client: CLIENT, server: SERVER })
}

function words(own: Identity, other: Identity, address: string, peer: string): string[] {
  return [
    ...['openvpn', '--dev', DEVICE, '--dev-type', 'tun', '--proto', 'udp4'],
    ...['--ifconfig', address, peer, '--tun-mtu', String(INNER_MTU_BYTES), '--mssfix', '0'],
    ...['--data-ciphers', 'AES-256-GCM', '--disable-dco', '--fast-io', '--verb', '1'],
    ...['--cert', own.certificateFile, '--key', own.keyFile],
    ...['--peer-fingerprint', other.fingerprint],
  ]
}

async function makeIdentity(wire: Wire, name: string): Promise<Identity> {
  const keyFile = join(wire.directory, `${name}.key`)
  const certificateFile = join(wire.directory, `${name}.crt`)
  writeFileSync(keyFile, '', { mode: 0o600 })
  await run([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
    ...[
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      keyFile,
      '-out',
      certificateFile,
    ],
  ])
  const { stdout } = await run([
    ...['openssl', 'x509', '-noout', '-fingerprint', '-sha256', '-in', certificateFile],
  ])
  return { keyFile, certificateFile, fingerprint: stdout.trim().split('=')[1] ?? '' }
}
