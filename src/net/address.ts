/** IP addresses and prefixes as octets, and the text that people and iproute2 use for them. */

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { formatHostPort } from '../core/hostport.js'
import { sameOctets } from '../octets.js'

export type Family = 4 | 6

/** A network of `prefix` bits: 4 or 16 octets, those behind the prefix zero. */
export interface Cidr {
  readonly family: Family
  readonly address: Uint8Array
  readonly prefix: number
}

/** Octets of a literal address without zone; undefined for all else, abbreviations such as `10.1` included. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (text.includes('%') || isIP(text) === 0) return undefined
  return Uint8Array.from(ipaddr.parse(text).toByteArray())
}

/** The canonical text (RFC 5952 for IPv6) of 4 or 16 octets. */
export function formatAddress(address: Uint8Array): string {
  const parsed = ipaddr.fromByteArray([...address])
  return parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString()
}

/** `address:port`, with brackets around IPv6 (RFC 3986, section 3.2.2). */
export function formatEndpoint(address: Uint8Array | string, port: number): string {
  return formatHostPort({
    host: typeof address === 'string' ? address : formatAddress(address),
    port,
  })
}

export function familyOf(address: Uint8Array): Family {
  return address.length === 4 ? 4 : 6
}

/** Reads `10.77.0.0/24`; undefined for anything else. Bits behind the prefix are kept: see networkOf. */
export function parseCidr(text: string): Cidr | undefined {
  const [, host = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const address = parseAddress(host)
  const prefix = Number(digits)
  if (address === undefined || prefix > address.length * 8) return undefined
  return { family: familyOf(address), address, prefix }
}

export function formatCidr({ address, prefix }: Cidr): string {
  return `${formatAddress(address)}/${prefix}`
}

/** The network that an address with a prefix lies in. */
export function networkOf({ family, address, prefix }: Cidr): Cidr {
  const masked = address.map((octet, i) => octet & maskOctet(prefix - i * 8))
  return { family, address: masked, prefix }
}

function maskOctet(bits: number): number {
  if (bits <= 0) return 0
  return bits >= 8 ? 255 : 256 - 2 ** (8 - bits)
}

export function contains(network: Cidr, address: Uint8Array): boolean {
  if (familyOf(address) !== network.family) return false
  return sameOctets(networkOf({ ...network, address }).address, network.address)
}

/** Whether two networks have an address in common. */
export function overlap(a: Cidr, b: Cidr): boolean {
  return contains(a, b.address) || contains(b, a.address)
}

/** Number of addresses in a network. */
export function sizeOf({ address, prefix }: Cidr): bigint {
  return 1n << BigInt(address.length * 8 - prefix)
}

/** The address `index` places behind the start of a network. */
export function addressAt(network: Cidr, index: bigint): Uint8Array {
  const bytes = Uint8Array.from(network.address)
  let carry = index
  for (let i = bytes.length - 1; i >= 0 && carry > 0n; i--) {
    carry += BigInt(bytes[i]!)
    bytes[i] = Number(carry & 0xffn)
    carry >>= 8n
  }
  return bytes
}

/** Loopback, link-local (RFC 3927, RFC 4291) and unspecified addresses lead to no server outside. */
export function leadsOutside(address: Uint8Array): boolean {
  const range = ipaddr.fromByteArray([...address]).range()
  return !['unspecified', 'loopback', 'linkLocal', 'multicast', 'broadcast'].includes(range)
}

/** Globally routed, so that it makes sense in an invitation for another place. */
export function isGlobal(address: Uint8Array): boolean {
  return ipaddr.fromByteArray([...address]).range() === 'unicast'
}
