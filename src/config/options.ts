/** Every word that a tunnel is configured with: the command line and the file are both made from this list. */

import { LARGEST_MTU_BYTES } from '../core/innermtu.js'
import { DEFAULT_POLICY } from '../core/policy.js'
import { AEAD, LIMIT } from '../wire.js'
import { BONDING_REFUSED, HASHES, MODES, RESELECTS, wordOf } from './bonding.js'
import { suggestion } from './spelling.js'
import { UPLINK_KEYS } from './uplink.js'

export type Role = 'server' | 'client'

export interface Option {
  readonly word: string
  readonly roles: readonly Role[]
  /** What stands behind it; nothing: a switch. */
  readonly value?: string
  /** A switch that is on: the command line has --no-WORD, the file WORD = false. */
  readonly on?: true
  /** May be given several times; an array in the file. */
  readonly many?: true
  /** A server that leaves it open follows each client. */
  readonly isWish?: true
  readonly doc: string
}

const BOTH: readonly Role[] = ['server', 'client']
const SERVER: readonly Role[] = ['server']
const CLIENT: readonly Role[] = ['client']

export const DEFAULT_TUN = 'mptun0'
export const DEFAULT_STATE_DIR = '/var/lib/mptun'
export const DEFAULT_RUN_DIR = '/run/mptun'
export const DEFAULT_POOL = '10.77.0.0/24'
export const DEFAULT_PORT = 5000

/** Of a daemon, and of commands that read its state or talk to it. */
export const STATE_DIR: Option = {
  word: 'state-dir',
  roles: BOTH,
  value: 'DIR',
  doc: `keys, peers and invitations, of one server and one client (default ${DEFAULT_STATE_DIR})`,
}
export const RUN_DIR: Option = {
  word: 'run-dir',
  roles: BOTH,
  value: 'DIR',
  doc: `control sockets of running daemons (default ${DEFAULT_RUN_DIR})`,
}
export const TUN: Option = {
  word: 'tun',
  roles: BOTH,
  value: 'NAME',
  doc: `the TUN device, one for each daemon (default ${DEFAULT_TUN})`,
}

export const OPTIONS: readonly Option[] = [
  {
    word: 'listen',
    roles: SERVER,
    value: 'ADDR:PORT',
    many: true,
    doc: `where clients reach the server, may be repeated (default 0.0.0.0:${DEFAULT_PORT}, and [::]:${DEFAULT_PORT} where there is IPv6)`,
  },
  {
    word: 'pool',
    roles: SERVER,
    value: 'CIDR',
    doc: `inner IPv4 addresses; the server takes the first (default ${DEFAULT_POOL})`,
  },
  {
    word: 'pool6',
    roles: SERVER,
    value: 'CIDR',
    doc: 'inner IPv6 addresses (default an fd00::/8 network of its own, made at the first start and kept)',
  },
  {
    word: 'nat',
    roles: BOTH,
    doc: "masquerade, on a server clients to the outside, on a client the machines behind it into the tunnel: an nftables table of the daemon's own, and net.ipv4.ip_forward while it runs",
  },
  {
    word: 'uplink',
    roles: CLIENT,
    value: 'NAME[,TRAIT...]',
    many: true,
    doc: 'a network device to use, with traits (see below), may be repeated; one that does not exist yet is waited for',
  },
  {
    word: 'route',
    roles: CLIENT,
    value: 'CIDR|default',
    many: true,
    doc: 'what goes into the tunnel, may be repeated; default is everything, as two halves of each family',
  },
  {
    word: 'server',
    roles: CLIENT,
    value: 'HOST:PORT',
    doc: 'reach the server here instead of where the invitation says',
  },
  {
    word: 'mode',
    roles: BOTH,
    value: 'MODE',
    isWish: true,
    doc: `${MODES.join(', ')}, or the bonding driver's number (default ${DEFAULT_POLICY.mode})`,
  },
  {
    word: 'xmit-hash-policy',
    roles: BOTH,
    value: 'POLICY',
    isWish: true,
    doc: `what makes a flow in balance-xor: ${HASHES.join(', ')} (default ${DEFAULT_POLICY.hash})`,
  },
  { word: 'primary', roles: CLIENT, value: 'NAME', doc: 'the favourite uplink of active-backup' },
  {
    word: 'primary-reselect',
    roles: BOTH,
    value: 'WHEN',
    isWish: true,
    doc: `when the primary takes over again: ${RESELECTS.join(', ')} (default ${DEFAULT_POLICY.reselect})`,
  },
  {
    word: 'updelay',
    roles: BOTH,
    value: 'MS',
    isWish: true,
    doc: `how long a path must be alive before it is used again (default ${DEFAULT_POLICY.updelayUs / 1000})`,
  },
  {
    word: 'downdelay',
    roles: BOTH,
    value: 'MS',
    isWish: true,
    doc: `how long a path is still used after its silence was noticed (default ${DEFAULT_POLICY.downdelayUs / 1000})`,
  },
  {
    word: 'probe-interval',
    roles: BOTH,
    value: 'MS',
    doc: 'how often a path in use is probed; it is out after two and a half silent intervals, in adaptive after 3 s (default 100)',
  },
  {
    word: 'keepalive',
    roles: BOTH,
    value: 'S',
    doc: 'how often an idle path is probed, which keeps NAT mappings alive (default 20)',
  },
  TUN,
  {
    word: 'mtu',
    roles: BOTH,
    value: 'BYTES',
    doc: `largest inner packet, ${LIMIT.leastMtu.value} to ${LIMIT.packetBytes.value} (default what passes every uplink whole, which the client finds out: at most ${LARGEST_MTU_BYTES})`,
  },
  {
    word: 'aead',
    roles: BOTH,
    value: 'NAME',
    doc: `seal with this alone: ${Object.keys(AEAD).join(', ')} (default the one that is faster on both ends)`,
  },
  {
    word: 'offload',
    roles: BOTH,
    on: true,
    doc: "packet by packet, without the kernel's offloads: slower; for odd kernels, and to find faults",
  },
  STATE_DIR,
  RUN_DIR,
  {
    word: 'log-format',
    roles: BOTH,
    value: 'text|json',
    doc: 'lines on stderr for people or for programs (default text)',
  },
]

export function optionsOf(role: Role): readonly Option[] {
  return OPTIONS.filter(({ roles }) => roles.includes(role))
}

/** What to say of an option of a daemon of this role. */
export function docFor({ doc, isWish }: Option, role: Role): string {
  const follows = role === 'server' && isWish === true
  return follows ? doc.replace(/\(default .*\)$/, '(default what each client wishes)') : doc
}

/** The option that a key of the file means, or why there is none: a sentence. */
export function findOption(role: Role, key: string): Option | string {
  const word = wordOf(key)
  const option = OPTIONS.find((each) => each.word === word)
  if (option?.roles.includes(role)) return option
  if (option !== undefined) return `"${key}" belongs to a ${option.roles[0]}, this is a ${role}`
  const reason = BONDING_REFUSED[word]
  if (reason !== undefined) return `the bonding driver's ${key} has no meaning here: ${reason}`
  if (UPLINK_KEYS.includes(word)) {
    return role === 'client'
      ? `"${key}" is said of an uplink; put it into the table [[uplink]] that has its name`
      : `"${key}" belongs to an uplink of a client, this is a server`
  }
  const words = optionsOf(role).map((each) => each.word)
  return `unknown key "${key}"${suggestion(word, words)}; accepted are ${words.join(', ')}`
}
