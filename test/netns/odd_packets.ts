/** Packets that a network can be given and hardly ever is, from a seed. */

import {
  completed,
  type Family,
  partialSegments,
  segmented,
  view,
  writeHeaderSum,
} from './packets.js'

/** What packet_writer is given, and what has to leave the far TUN for it. */
export interface Oddity {
  readonly record: Buffer
  /** Empty: it has to be dropped. */
  readonly leaves: readonly Buffer[]
}

/** linux/virtio_net.h */
const VNET_BYTES = 10
const NEEDS_CSUM = 1
const GSO = { none: 0, tcp4: 1, tcp6: 4, udp: 5, ecn: 0x80 } as const

const MTU_BYTES = 1420
const TCP = 6
const UDP = 17
const CWR = 0x80
/** Next headers of IPv6 that can be walked: RFC 8200, section 4.1, and RFC 4302. */
const EXTENSIONS = [0, 43, 60, 51, 44, 59, 135, 139]

/** xorshift32: the same seed, the same packets. Odd ones differ: of nothing but zeros nothing would come. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 1
  }

  /** From 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % limit
  }

  octets(length: number): Buffer {
    const octets = Buffer.alloc(length)
    for (let i = 0; i < length; i++) octets[i] = this.below(256)
    return octets
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }

  happens(percent: number): boolean {
    return this.below(100) < percent
  }
}

/** Addresses in octets. */
export interface Ends {
  readonly source: Buffer
  readonly destination: Buffer
}

export type EndsOf = Readonly<Record<Family, Ends>>

/** An IP header of any fields in front of `body`. */
function wrapped(chance: Chance, ends: EndsOf, family: Family, protocol: number, body: Buffer) {
  const { source, destination } = ends[family]
  if (family === 6) {
    const header = Buffer.alloc(40)
    header.writeUInt32BE((6 << 28) | chance.below(1 << 28), 0)
    header.writeUInt16BE(body.length, 4)
    header[6] = protocol
    header[7] = 2 + chance.below(250)
    return Buffer.concat([header.subarray(0, 8), source, destination, body])
  }
  const options = chance.happens(15) ? chance.octets(4 * (1 + chance.below(10))) : Buffer.alloc(0)
  const header = Buffer.alloc(20)
  header[0] = 0x45 + options.length / 4
  header[1] = chance.below(256)
  header.writeUInt16BE(20 + options.length + body.length, 2)
  header.writeUInt16BE(chance.below(0x10000), 4)
  header.writeUInt16BE(chance.oneOf([0, 0, 0x4000, 0x4000, 0x8000, 0xc000]), 6)
  header[8] = 2 + chance.below(250)
  header[9] = protocol
  source.copy(header, 12)
  destination.copy(header, 16)
  const packet = Buffer.concat([header, options, body])
  // One of twenty has a sum that is wrong, which is for the far host to find.
  if (!chance.happens(5)) writeHeaderSum(packet)
  return packet
}

interface TcpFields {
  readonly ports?: Buffer
  readonly sequence?: number
  readonly flags?: number
  readonly options?: Buffer
  readonly rest?: Buffer
}

function tcpSegment(chance: Chance, payload: Buffer, fields: TcpFields = {}): Buffer {
  const options = fields.options ?? chance.octets(4 * chance.oneOf([0, 0, 3, 3, 5, 10]))
  const header = Buffer.alloc(20)
  chance.octets(20).copy(header)
  fields.ports?.copy(header)
  fields.rest?.copy(header, 8)
  if (fields.sequence !== undefined) header.writeUInt32BE(fields.sequence >>> 0, 4)
  header[12] = ((5 + options.length / 4) << 4) | chance.oneOf([0, 0, 0, 1, 15])
  header[13] = fields.flags ?? chance.below(256)
  return Buffer.concat([header, options, payload])
}

function udpDatagram(chance: Chance, payload: Buffer): Buffer {
  const header = chance.octets(8)
  header.writeUInt16BE(8 + payload.length, 4)
  return Buffer.concat([header, payload])
}

/** With what the kernel leaves in a checksum that the device is to complete. */
const partial = (packet: Buffer): Buffer => partialSegments(packet, packet.length)[0]!

function record(packet: Buffer, fields: { flags?: number; gso?: number; bytes?: number } = {}) {
  const { flags = 0, gso = GSO.none, bytes = 0 } = fields
  const { transport, protocol } = view(packet)
  const header = Buffer.alloc(VNET_BYTES)
  header[0] = flags
  header[1] = gso
  if (flags & NEEDS_CSUM) {
    header.writeUInt16LE(transport, 6)
    header.writeUInt16LE(protocol === TCP ? 16 : 6, 8)
  }
  if (gso !== GSO.none) {
    header.writeUInt16LE(transport + (protocol === TCP ? (packet[transport + 12]! >> 4) * 4 : 8), 2)
    header.writeUInt16LE(bytes, 4)
  }
  return framed(Buffer.concat([header, packet]))
}

function framed(content: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16LE(content.length)
  return Buffer.concat([length, content])
}

/** One checksum in 65536 is the pseudo-header's by chance; a capture takes it for one left to the device. */
const asItIs = (packet: Buffer): Oddity => ({
  record: record(packet),
  leaves: [completed(packet)],
})

const familyOf = (chance: Chance): Family => chance.oneOf([4, 6] as const)
const lengthOf = (chance: Chance, most: number) => chance.oneOf([0, 1, chance.below(64), most])

type Kind = (chance: Chance, ends: EndsOf) => Oddity[]

/** Any flags, options, urgent pointers, reserved bits, and sums that are mostly wrong. */
const anyTcp: Kind = (chance, ends) => {
  const body = tcpSegment(chance, chance.octets(lengthOf(chance, 1200)))
  // Lengths of the header that cannot be: below 5 words, or beyond the packet.
  if (chance.happens(20)) body[12] = chance.below(256)
  return [asItIs(wrapped(chance, ends, familyOf(chance), TCP, body))]
}

/** Any lengths in the header, sums of zero, headers cut short. */
const anyUdp: Kind = (chance, ends) => {
  const body = udpDatagram(chance, chance.octets(lengthOf(chance, 1200)))
  if (chance.happens(30)) body.writeUInt16BE(chance.below(0x10000), 4)
  if (chance.happens(30)) body.writeUInt16BE(0, 6)
  const cut = chance.happens(20) ? chance.below(9) : body.length
  return [asItIs(wrapped(chance, ends, familyOf(chance), UDP, body.subarray(0, cut)))]
}

const anyProtocol: Kind = (chance, ends) => {
  const body = chance.octets(lengthOf(chance, 1300))
  return [asItIs(wrapped(chance, ends, familyOf(chance), chance.below(256), body))]
}

const fragmentOf4: Kind = (chance, ends) => {
  const body = chance.octets(8 * chance.below(150))
  const packet = wrapped(chance, ends, 4, chance.oneOf([TCP, UDP, 1]), body)
  packet.writeUInt16BE(chance.oneOf([0x2000, 0]) | chance.below(0x2000), 6)
  writeHeaderSum(packet)
  return [asItIs(packet)]
}

/** A chain of extension headers, their lengths not always right. */
const extensionsOf6: Kind = (chance, ends) => {
  const chain = Array.from({ length: 1 + chance.below(9) }, () => chance.oneOf(EXTENSIONS))
  const last = chance.oneOf([TCP, UDP, 58])
  const headers = chain.map((_, i) => {
    const words = chance.happens(80) ? 0 : chance.below(256)
    const header = chance.octets(8)
    header[0] = chain[i + 1] ?? last
    header[1] = words
    return header
  })
  const body = Buffer.concat([...headers, tcpSegment(chance, chance.octets(chance.below(900)))])
  return [asItIs(wrapped(chance, ends, 6, chain[0]!, body))]
}

/** What cannot be told where it ends is not carried. */
const badLength: Kind = (chance, ends) => {
  const family = familyOf(chance)
  const packet = wrapped(chance, ends, family, UDP, udpDatagram(chance, chance.octets(100)))
  const at = family === 4 ? 2 : 4
  const kind = chance.below(3)
  if (kind === 0) packet.writeUInt16BE(packet.readUInt16BE(at) + 1 + chance.below(1000), at)
  else if (kind === 1) packet.writeUInt16BE(packet.readUInt16BE(at) - 1 - chance.below(90), at)
  else packet[0] = (chance.oneOf([0, 1, 5, 7, 15]) << 4) | 5
  const header = Buffer.alloc(VNET_BYTES)
  return [{ record: framed(Buffer.concat([header, packet])), leaves: [] }]
}

/** Checksums left to the device, one packet at a time. */
const partialSum: Kind = (chance, ends) => {
  const protocol = chance.oneOf([TCP, UDP])
  const payload = chance.octets(lengthOf(chance, 1200))
  const body = protocol === TCP ? tcpSegment(chance, payload) : udpDatagram(chance, payload)
  if (protocol === TCP && chance.happens(20)) body[12] = chance.below(256)
  const packet = partial(wrapped(chance, ends, familyOf(chance), protocol, body))
  return [{ record: record(packet, { flags: NEEDS_CSUM }), leaves: [completed(packet)] }]
}

/** A super-packet of TCP, with every flag that a stack may put on one. */
const superTcp: Kind = (chance, ends) => {
  const family = familyOf(chance)
  const bytes = 200 + chance.below(1100)
  const count = 2 + chance.below(12)
  const payload = chance.octets(bytes * (count - 1) + 1 + chance.below(bytes))
  const flags = 0x10 | chance.oneOf([0, 0, 0x08, 0x01, 0x09, 0x20]) | chance.oneOf([0, 0x40, CWR])
  const options = chance.octets(4 * chance.below(6))
  const body = tcpSegment(chance, payload, { flags, options })
  const packet = partial(wrapped(chance, ends, family, TCP, body))
  const kind = (family === 4 ? GSO.tcp4 : GSO.tcp6) | (flags & CWR ? GSO.ecn : 0)
  return [
    {
      record: record(packet, { flags: NEEDS_CSUM, gso: kind, bytes }),
      leaves: segmented(packet, bytes),
    },
  ]
}

const superUdp: Kind = (chance, ends) => {
  const bytes = 16 + chance.below(1200)
  const count = 2 + chance.below(20)
  const payload = chance.octets(bytes * (count - 1) + 1 + chance.below(bytes))
  const packet = partial(wrapped(chance, ends, familyOf(chance), UDP, udpDatagram(chance, payload)))
  return [
    {
      record: record(packet, { flags: NEEDS_CSUM, gso: GSO.udp, bytes }),
      leaves: segmented(packet, bytes),
    },
  ]
}

/** Segments of one flow that follow each other and differ in one field, or in none: to be joined or not. */
const nearlyOneFlow: Kind = (chance, ends) => {
  const family = familyOf(chance)
  const payloads = Array.from({ length: 2 + chance.below(6) }, () =>
    chance.octets(chance.happens(85) ? 400 : 1 + chance.below(500)),
  )
  const options = chance.octets(4 * chance.below(4))
  // A header that claims fewer words than TCP has.
  const isTooShort = chance.happens(10)
  const words = chance.below(5)
  const ports = chance.octets(4)
  const rest = chance.octets(12)
  const first = wrapped(chance, ends, family, TCP, tcpSegment(chance, Buffer.alloc(1)))
  const { transport } = view(first)
  let sequence = chance.below(2 ** 32)
  return payloads.map((payload, index) => {
    const flags = chance.happens(80) ? 0x10 : chance.below(256)
    const body = tcpSegment(chance, payload, { ports, sequence, flags, options, rest })
    body[12] = (isTooShort ? words : body[12]! >> 4) << 4
    sequence += payload.length
    const packet = Buffer.concat([first.subarray(0, transport), body])
    packet.writeUInt16BE(family === 4 ? packet.length : packet.length - 40, family === 4 ? 2 : 4)
    if (family === 4) packet.writeUInt16BE((first.readUInt16BE(4) + index) & 0xffff, 4)
    // Acknowledgement, window, urgent pointer, an option, time to live, type of service.
    const fields = [transport + 8, transport + 14, transport + 18, transport + 20, 8, 1]
    if (chance.happens(20)) packet[chance.oneOf(fields)]! ^= 1
    if (family === 6) packet.set(first.subarray(8, 40), 8)
    if (family === 4) writeHeaderSum(packet)
    const left = partial(packet)
    return { record: record(left, { flags: NEEDS_CSUM }), leaves: [completed(left)] }
  })
}

const KINDS: readonly Kind[] = [
  ...[anyTcp, anyUdp, anyProtocol, fragmentOf4, extensionsOf6, badLength],
  ...[partialSum, superTcp, superUdp, nearlyOneFlow],
]

/** At least `count` of them. */
export function oddities(seed: number, count: number, ends: EndsOf): Oddity[] {
  const chance = new Chance(seed)
  const made: Oddity[] = []
  while (made.length < count) made.push(...chance.oneOf(KINDS)(chance, ends))
  for (const { leaves } of made) {
    if (leaves.some(({ length }) => length > MTU_BYTES)) throw new Error('an oddity is too large')
  }
  return made
}
