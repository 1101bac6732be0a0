/** Readers of single values: text as people write it, in people's units, to what the program uses. */

import { HOST_PORT, type HostPort, parseHostPort } from '../core/hostport.js'
import { isPeerName, PEER_NAME } from '../core/peername.js'
import { configError } from '../errors.js'
import {
  type Cidr,
  formatCidr,
  leadsOutside,
  networkOf,
  parseAddress,
  parseCidr,
} from '../net/address.js'
import { sameOctets } from '../octets.js'
import { suggestion } from './spelling.js'

/** A value is refused; the message says what was found and what is accepted, the catcher says where it stood. */
export class Unacceptable extends Error {}

export type Reader<T> = (text: string) => T

/** Reads one value that stands at `key`: an argument or an option of the command line. MPTUN_E_CONFIG_VALUE. */
export function accept<T>(reader: Reader<T>, text: string, key: string): T {
  try {
    return reader(text)
  } catch (error) {
    if (error instanceof Unacceptable) throw configError('VALUE', `${key}: ${error.message}`, key)
    throw error
  }
}

/** Refuses with one manner of sentence. */
export function refuse(found: string, accepted: string): never {
  throw new Unacceptable(`found ${JSON.stringify(found)}, accepted is ${accepted}`)
}

export function choice<T extends string>(words: readonly T[]): Reader<T> {
  return (text) => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    throw new Unacceptable(
      `found ${JSON.stringify(text)}, accepted is ${words.join(', ')}${suggestion(text, words)}`,
    )
  }
}

export function integer(least: number, most: number, unit = ''): Reader<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return value
    return refuse(text, `a whole number${unit} from ${least} to ${most}`)
  }
}

/** Milliseconds to microseconds. */
export function milliseconds(leastMs: number, mostMs: number): Reader<number> {
  const read = integer(leastMs, mostMs, ' of milliseconds')
  return (text) => read(text.replace(/ ?ms$/, '')) * 1000
}

/** updelay and downdelay. An hour at most: longer ones are a mistake of units. */
export const pathDelay: Reader<number> = milliseconds(0, 3_600_000)

/** Seconds to microseconds. */
export function seconds(leastS: number, mostS: number): Reader<number> {
  const read = integer(leastS, mostS, ' of seconds')
  return (text) => read(text.replace(/ ?s$/, '')) * 1_000_000
}

const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** `24h` to microseconds: how long an invitation is good for. */
export const lifetime: Reader<number> = (text) => {
  const [, digits, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const lifetimeS = Number(digits) * (UNIT_S[unit] ?? Number.NaN)
  if (lifetimeS >= 1 && lifetimeS <= 366 * 86_400) return lifetimeS * 1_000_000
  return refuse(text, 'a number and s, m, h or d, such as 24h, at most 366d')
}

const POWER: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 }

/** `none`, or a rate as lines are sold, to bytes per second; none is 0. The wire has 32 bits for it. */
export const bitRate: Reader<number> = (text) => {
  if (text === 'none') return 0
  const [, digits, power = ''] =
    /^(\d{1,10}(?:\.\d{1,3})?) ?([kmg])bit(?:\/s|ps)?$/i.exec(text) ?? []
  const bytesPerS = Math.round((Number(digits) * (POWER[power.toLowerCase()] ?? Number.NaN)) / 8)
  if (bytesPerS >= 1250 && bytesPerS < 2 ** 32) return bytesPerS
  return refuse(text, 'a rate from 10kbit to 34Gbit such as 20Mbit or 2.5Mbit, or none')
}

/** `none`, or an amount of data as contracts have it, to bytes; none is 0. */
export const dataAmount: Reader<number> = (text) => {
  if (text === 'none') return 0
  const [, digits, power = ''] = /^(\d{1,10}(?:\.\d{1,3})?) ?([mgt])B$/i.exec(text) ?? []
  const bytes = Math.round(Number(digits) * (POWER[power.toLowerCase()] ?? Number.NaN))
  if (bytes >= 1e6 && bytes <= 1e15) return bytes
  return refuse(text, 'an amount from 1MB to 1000TB such as 500MB or 2.5GB, or none')
}

export const peerName: Reader<string> = (text) =>
  isPeerName(text) ? text : refuse(text, PEER_NAME)

/** IFNAMSIZ without the zero at the end. */
const MOST_NAME_BYTES = 15

/** The name of a network device: what dev_valid_name of the kernel takes, without the characters of our own syntax. */
export const deviceName: Reader<string> = (text) => {
  const isName = /^[^\s\p{Cc}/:,=%"'\\]+$/u.test(text) && !/^(\.{1,2}$|[-[])/.test(text)
  if (isName && Buffer.byteLength(text) <= MOST_NAME_BYTES) return text
  return refuse(
    text,
    `the name of a network device: 1 to ${MOST_NAME_BYTES} octets, as \`ip link\` shows it`,
  )
}

/** A directory or a file. */
export const path: Reader<string> = (text) => {
  if (text.length > 0 && !text.includes('\0')) return text
  return refuse(text, 'a path')
}

/** A server as people name it. */
export const hostPort: Reader<HostPort> = (text) => parseHostPort(text) ?? refuse(text, HOST_PORT)

export interface Listen {
  readonly address: Uint8Array
  readonly port: number
}

/** Where a server listens. */
export const listen: Reader<Listen> = (text) => {
  const found = parseHostPort(text)
  const address = found && parseAddress(found.host)
  if (address !== undefined) return { address, port: found!.port }
  return refuse(text, 'ADDRESS:PORT of this machine such as 0.0.0.0:5000 or [::]:5000')
}

/** A network, without bits behind its prefix. */
export const network: Reader<Cidr> = (text) => {
  const cidr = parseCidr(text)
  if (cidr === undefined) return refuse(text, 'a network such as 192.0.2.0/24 or 2001:db8::/32')
  const whole = networkOf(cidr)
  if (sameOctets(whole.address, cidr.address)) return cidr
  return refuse(text, `a network: this address lies in ${formatCidr(whole)}`)
}

/** Addresses for the server and its clients. */
export const pool: Reader<Cidr> = (text) => {
  const cidr = network(text)
  if (cidr.family === 4 && cidr.prefix >= 8 && cidr.prefix <= 30 && leadsOutside(cidr.address)) {
    return cidr
  }
  return refuse(text, 'an IPv4 network of unicast addresses from /8 to /30 such as 10.77.0.0/24')
}

/** As pool; unique local addresses (RFC 4193) unless the user has a prefix of its own. */
export const pool6: Reader<Cidr> = (text) => {
  const cidr = network(text)
  if (cidr.family === 6 && cidr.prefix >= 48 && cidr.prefix <= 120 && leadsOutside(cidr.address)) {
    return cidr
  }
  return refuse(
    text,
    'an IPv6 network of unicast addresses from /48 to /120 such as fd12:3456:789a::/64',
  )
}

const ROUTE = 'default, or a network such as 192.0.2.0/24 or 2001:db8::/32'
/** `default` is everything, as two halves of each family: they win over the machine's own default route without replacing it. */
const EVERYTHING = ['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1'].map((text) => parseCidr(text)!)

/** Destinations that go into the tunnel. */
export const route: Reader<readonly Cidr[]> = (text) =>
  text === 'default'
    ? EVERYTHING
    : [parseCidr(text) === undefined ? refuse(text, ROUTE) : network(text)]
