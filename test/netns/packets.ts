/** IP packets as a test sees them: their checksums, their segments, and what forwarding changes. */

const TCP = 6
const UDP = 17
const ICMP = 1
const ICMPV6 = 58
const FRAGMENT = 44
const TCP_PSH_FIN = 0x09
const TCP_FLAGS = 0x3f
const TCP_ACK = 0x10
const TCP_CWR = 0x80

export type Family = 4 | 6

export interface View {
  readonly version: Family
  readonly source: string
  readonly destination: string
  readonly protocol: number
  /** Where the transport header begins. */
  readonly transport: number
  readonly isFragment: boolean
}

/** Looks at a packet without extension headers; a fragment's of IPv6 is the only one known. */
export function view(packet: Buffer): View {
  const version = packet[0]! >> 4
  if (version === 4) {
    return {
      version,
      source: packet.toString('hex', 12, 16),
      destination: packet.toString('hex', 16, 20),
      protocol: packet[9]!,
      transport: (packet[0]! & 15) * 4,
      isFragment: (packet.readUInt16BE(6) & 0x3fff) !== 0,
    }
  }
  if (version !== 6) throw new Error(`IP version ${version}`)
  const protocol = packet[6]!
  return {
    version,
    source: packet.toString('hex', 8, 24),
    destination: packet.toString('hex', 24, 40),
    protocol,
    transport: 40,
    isFragment: protocol === FRAGMENT,
  }
}

/** Of TCP: what bears no data and says no more than how far the other side has come. */
export function isAcknowledgement(packet: Buffer): boolean {
  const { protocol, transport, isFragment } = view(packet)
  if (protocol !== TCP || isFragment) return false
  return (
    (packet[transport + 13]! & TCP_FLAGS) === TCP_ACK &&
    packet.length === transport + (packet[transport + 12]! >> 4) * 4
  )
}

/** Whether a later acknowledgement of the same flow came, which says all that this one does. */
export function isSuperseded(packet: Buffer, came: readonly Buffer[]): boolean {
  const { version, transport } = view(packet)
  const flow = (of: Buffer) => of.subarray(version === 4 ? 12 : 8, transport + 4)
  const acknowledged = packet.readUInt32BE(transport + 8)
  return came.some(
    (each) =>
      view(each).version === version &&
      isAcknowledgement(each) &&
      flow(each).equals(flow(packet)) &&
      ((each.readUInt32BE(transport + 8) - acknowledged) | 0) > 0,
  )
}

/** An address as packets carry it. */
export function octetsOf(address: string): Buffer {
  if (address.includes('.')) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const zeros = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(zeros).fill('0'), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

/** RFC 1071, folded and not complemented. */
function sum(octets: Buffer, start = 0): number {
  let total = start
  for (let i = 0; i + 1 < octets.length; i += 2) total += octets.readUInt16BE(i)
  if (octets.length % 2 === 1) total += octets[octets.length - 1]! << 8
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return total
}

/** RFC 9293, section 3.1, and RFC 8200, section 8.1. */
function pseudoSum(packet: Buffer, { version, protocol, transport }: View): number {
  const addresses = version === 4 ? packet.subarray(12, 20) : packet.subarray(8, 40)
  return sum(addresses, protocol + packet.length - transport)
}

/** Where the checksum is, from the transport header; undefined where there is none of the Internet's. */
function checksumOffset({ protocol, isFragment }: View): number | undefined {
  if (isFragment) return undefined
  return { [TCP]: 16, [UDP]: 6, [ICMP]: 2, [ICMPV6]: 2 }[protocol]
}

/** What is wrong with the checksums of a packet that a wire has carried; undefined: nothing. */
export function fault(packet: Buffer): string | undefined {
  const seen = view(packet)
  const { version, protocol, transport } = seen
  const length = version === 4 ? packet.readUInt16BE(2) : packet.readUInt16BE(4) + 40
  if (length !== packet.length) return `length field ${length}, packet ${packet.length}`
  if (version === 4 && sum(packet.subarray(0, transport)) !== 0xffff) return 'IPv4 header checksum'
  const offset = checksumOffset(seen)
  if (offset === undefined || packet.length < transport + offset + 2) return undefined
  if (protocol === UDP && version === 4 && packet.readUInt16BE(transport + 6) === 0)
    return undefined
  const pseudo = protocol === ICMP ? 0 : pseudoSum(packet, seen)
  return sum(packet.subarray(transport), pseudo) === 0xffff ? undefined : `checksum of ${protocol}`
}

/** Writes the checksum of an IPv4 header. */
export function writeHeaderSum(packet: Buffer): void {
  packet.writeUInt16BE(0, 10)
  packet.writeUInt16BE(0xffff - sum(packet.subarray(0, (packet[0]! & 15) * 4)), 10)
}

/** A copy in which a transport checksum that covers the pseudo-header alone covers everything. */
export function completed(packet: Buffer): Buffer {
  const seen = view(packet)
  const { transport, protocol } = seen
  const offset = checksumOffset(seen)
  const copy = Buffer.from(packet)
  if (offset === undefined || (protocol !== TCP && protocol !== UDP)) return copy
  if (packet.length < transport + offset + 2) return copy
  if (packet.readUInt16BE(transport + offset) !== pseudoSum(packet, seen)) return copy
  const whole = 0xffff - sum(packet.subarray(transport))
  copy.writeUInt16BE(whole === 0 ? 0xffff : whole, transport + offset)
  return copy
}

/** Of TCP and UDP: how many octets of payload, and behind how many of headers. */
function payloadOf(packet: Buffer): { header: number; payload: number } {
  const { protocol, transport } = view(packet)
  const own = protocol === TCP ? (packet[transport + 12]! >> 4) * 4 : 8
  return { header: transport + own, payload: packet.length - transport - own }
}

/**
 * The segments of a super-packet of TCP or UDP, whole: tcp_gso_segment, __udp_gso_segment and
 * inet_gso_segment of Linux.
 */
export function segmented(packet: Buffer, payloadBytes: number): Buffer[] {
  return partialSegments(packet, payloadBytes).map(completed)
}

/** The same, with checksums of the pseudo-header alone. */
export function partialSegments(packet: Buffer, payloadBytes: number): Buffer[] {
  const { version, protocol, transport } = view(packet)
  const { header, payload } = payloadOf(packet)
  const count = Math.max(1, Math.ceil(payload / payloadBytes))
  return Array.from({ length: count }, (_, index) => {
    const from = header + index * payloadBytes
    const part = packet.subarray(from, Math.min(from + payloadBytes, packet.length))
    const segment = Buffer.concat([packet.subarray(0, header), part])
    if (version === 4) {
      segment.writeUInt16BE(segment.length, 2)
      segment.writeUInt16BE((packet.readUInt16BE(4) + index) & 0xffff, 4)
      writeHeaderSum(segment)
    } else {
      segment.writeUInt16BE(segment.length - 40, 4)
    }
    if (protocol === TCP) {
      const sequence = packet.readUInt32BE(transport + 4) + index * payloadBytes
      segment.writeUInt32BE(sequence >>> 0, transport + 4)
      const off = (index > 0 ? TCP_CWR : 0) | (index < count - 1 ? TCP_PSH_FIN : 0)
      segment[transport + 13]! &= ~off
    } else {
      segment.writeUInt16BE(segment.length - transport, transport + 4)
    }
    const at = transport + (protocol === TCP ? 16 : 6)
    segment.writeUInt16BE(pseudoSum(segment, view(segment)), at)
    return segment
  })
}

/** A copy as a router sends it on. */
export function forwarded(packet: Buffer): Buffer {
  const copy = Buffer.from(packet)
  if (view(packet).version === 6) {
    copy[7]!--
    return copy
  }
  copy[8]!--
  writeHeaderSum(copy)
  return copy
}

/** What segments of one super-packet have in common with it, and with no other: its beginning. */
function flowPlace(packet: Buffer): string {
  const { version, source, destination, protocol, transport } = view(packet)
  const ports = packet.readUInt32BE(transport)
  const place =
    protocol === TCP
      ? packet.readUInt32BE(transport + 4)
      : `${version === 4 ? packet.readUInt16BE(4) : ''} ${packet.toString('hex', transport + 8, transport + 24)}`
  return [protocol, source, destination, ports, place].join(' ')
}

/** Whether it is TCP or UDP with whole headers behind a plain IP header: no other is cut or joined. */
function isPlain(packet: Buffer): boolean {
  const { protocol, transport, isFragment } = view(packet)
  if (isFragment || (protocol !== TCP && protocol !== UDP)) return false
  if (packet.length < transport + (protocol === TCP ? 20 : 8)) return false
  const { header, payload } = payloadOf(packet)
  return payload >= 0 && header >= transport + (protocol === TCP ? 20 : 8)
}

/**
 * The packets of a capture, single and whole. Super-packets are cut as long as the reference, which has
 * single packets only, shows of the same place.
 */
export function singled(packets: readonly Buffer[], reference: readonly Buffer[]): Buffer[] {
  const lengths = new Map<string, number>()
  for (const packet of reference.filter(isPlain)) {
    const place = flowPlace(packet)
    lengths.set(place, Math.max(lengths.get(place) ?? 0, payloadOf(packet).payload))
  }
  return packets.flatMap((packet) => {
    if (!isPlain(packet)) return [completed(packet)]
    const { payload } = payloadOf(packet)
    const payloadBytes = lengths.get(flowPlace(packet)) ?? payload
    return payload > payloadBytes && payloadBytes > 0
      ? segmented(packet, payloadBytes)
      : [completed(packet)]
  })
}

/**
 * Of TCP 0x0000 and 0xffff are one checksum (RFC 1624, section 3). Linux writes the first into segments that
 * it cuts (gso_make_checksum), the second into single packets (skb_checksum_help).
 */
function withOneZero(packet: Buffer): Buffer {
  const { protocol, transport, isFragment } = view(packet)
  const at = transport + 16
  if (protocol !== TCP || isFragment || packet.length < at + 2) return packet
  if (packet.readUInt16BE(at) !== 0) return packet
  const copy = Buffer.from(packet)
  copy.writeUInt16BE(0xffff, at)
  return copy
}

const CE = 3

/**
 * A copy that says that congestion was experienced (RFC 3168, section 5; of IPv4 with the checksum of RFC 1624,
 * section 3); undefined: it cannot be told so, or says it already.
 */
export function marked(packet: Buffer): Buffer | undefined {
  const { version } = view(packet)
  const shift = version === 4 ? 0 : 4
  const codepoint = (packet[1]! >> shift) & CE
  if (codepoint === 0 || codepoint === CE) return undefined
  const copy = Buffer.from(packet)
  copy[1]! |= CE << shift
  if (version === 4) {
    const total =
      0xffff - packet.readUInt16BE(10) + (0xffff - packet.readUInt16BE(0)) + copy.readUInt16BE(0)
    const folded = (total & 0xffff) + (total >> 16)
    copy.writeUInt16BE(0xffff - ((folded & 0xffff) + (folded >> 16)), 10)
  }
  return copy
}

/** What is in `found` and not in `wanted`, and the other way round, copies counted. */
export function difference(wanted: readonly Buffer[], found: readonly Buffer[]) {
  const keyOf = (packet: Buffer) => withOneZero(packet).toString('latin1')
  const counts = new Map<string, number>()
  for (const packet of wanted) {
    const key = keyOf(packet)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const strange = found.filter((packet) => {
    const key = keyOf(packet)
    const count = counts.get(key) ?? 0
    if (count > 0) counts.set(key, count - 1)
    return count === 0
  })
  const missing = [...counts].flatMap(([key, count]) =>
    Array.from({ length: count }, () => Buffer.from(key, 'latin1')),
  )
  return { strange, missing }
}
