/**
 * Vectors of compressed headers, made by the peer that was written from PROTOCOL.md alone.
 * test/native/compression_vectors_test.c holds the product's own against them. WRITE_VECTORS=1 writes them anew.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  compress,
  contextOf,
  expand,
  HeaderContexts,
  readProposal,
  writeProposal,
} from '../peer/compression.js'
import { seeded } from './handshake_fixture.js'

const FILE = new URL('../vectors/compression.json', import.meta.url)
const [TCP, UDP] = [6, 17]

interface Vector {
  name: string
  generation: number
  /** FLOW_FLAG.partialChecksum of the first packet, and of the second: 0 or 1. */
  firstPartial: number
  partial: number
  firstFlowSeq: number
  flowSeq: number
  /** A packet whose header is proposed, and the body of the context message; empty where it does not compress. */
  first: string
  context: string
  /** A later packet of the bucket, and the body of the compressed message; empty where it does not fit. */
  packet: string
  compressed: string
}

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
const octets = (text: string) => Buffer.from(text, 'hex')

/** RFC 1071 over 16-bit words, not complemented. */
function fold(words: readonly number[]): number {
  return words.reduce((sum, word) => {
    const next = sum + word
    return next > 0xffff ? next - 0xffff : next
  }, 0)
}

const wordsOf = (part: Buffer) =>
  Array.from({ length: part.length / 2 }, (_, index) => part.readUInt16BE(2 * index))

/** From where to behind where. */
type Span = readonly [from: number, to: number]

interface Kind {
  ipv6?: boolean
  protocol?: number
  timed?: boolean
  partial?: boolean
}

/** Random wherever it may be, and of one flow for one `flow`. */
function packetOf(
  random: (count: number) => Uint8Array,
  flow: Buffer,
  kind: Kind,
  payload: number,
) {
  const { ipv6 = false, protocol = UDP, timed = false, partial = false } = kind
  const transport = ipv6 ? 40 : 20
  const own = protocol === UDP ? 8 : timed ? 32 : 20
  const packet = Buffer.from(random(transport + own + payload))
  if (ipv6) {
    packet.set([0x60, flow[0]!, flow[1]!, flow[2]!])
    packet.writeUInt16BE(own + payload, 4)
    packet.set([protocol, 64], 6)
    flow.copy(packet, 8, 8, 40)
  } else {
    packet.set([0x45, flow[0]!])
    packet.writeUInt16BE(packet.length, 2)
    packet.set([0x40, 0, 63, protocol, 0, 0], 6)
    flow.copy(packet, 12, 8, 16)
    packet.writeUInt16BE(0xffff - fold(wordsOf(packet.subarray(0, 20))), 10)
  }
  flow.copy(packet, transport, 4, 8)
  if (protocol === UDP) packet.writeUInt16BE(own + payload, transport + 4)
  else {
    packet[transport + 12] = (own / 4) << 4
    packet.set([0, 0], transport + 18)
    if (timed) packet.set([1, 1, 8, 10], transport + 20)
  }
  if (partial) {
    const addresses = wordsOf(packet.subarray(ipv6 ? 8 : 12, transport))
    const at = transport + (protocol === UDP ? 6 : 16)
    packet.writeUInt16BE(fold([...addresses, protocol, own + payload]), at)
  }
  return packet
}

const PARTIAL = { partial: true }
const V6 = { ipv6: true }
const CASES: readonly (readonly [string, Kind, Partial<Kind>?, number?])[] = [
  ['UDP over IPv4', {}],
  ['UDP over IPv4, a partial checksum', PARTIAL],
  ['UDP over IPv6', V6],
  ['UDP over IPv6, a partial checksum', { ...V6, ...PARTIAL }],
  ['TCP over IPv4', { protocol: TCP }],
  ['TCP over IPv4, a partial checksum', { protocol: TCP, ...PARTIAL }],
  ['TCP with timestamps over IPv4', { protocol: TCP, timed: true }],
  ['TCP with timestamps over IPv4, a partial checksum', { protocol: TCP, timed: true, ...PARTIAL }],
  ['TCP over IPv6', { ...V6, protocol: TCP }],
  ['TCP with timestamps over IPv6', { ...V6, protocol: TCP, timed: true }],
  [
    'TCP with timestamps over IPv6, a partial checksum',
    { ...V6, protocol: TCP, timed: true, ...PARTIAL },
  ],
  ['a whole checksum behind a partial one', PARTIAL, { partial: false }],
  ['a partial checksum behind a whole one', { protocol: TCP }, PARTIAL],
  ['an odd number of octets', {}, {}, 37],
  ['no payload', { protocol: TCP, timed: true }, {}, 0],
  ['as long as a packet may be', V6, {}, 1968 - 48],
  ['timestamps behind none do not fit', { protocol: TCP }, { timed: true }],
  ['none behind timestamps does not fit', { protocol: TCP, timed: true }, { timed: false }],
  ['TCP behind UDP does not fit', {}, { protocol: TCP }],
]

const TIMED = { protocol: TCP, timed: true }
const ALL_OF_TCP: readonly Span[] = [
  [4, 12],
  [13, 16],
  [24, 26],
  [28, 30],
]
/** Octets of the second packet's TCP that are as in the first, and whether its identification counts packets. */
const ALIKE: readonly (readonly [string, Kind, readonly Span[], boolean?])[] = [
  ['the identification', TIMED, [], true],
  ['the sequence number', TIMED, [[4, 8]]],
  ['the acknowledgement number', TIMED, [[8, 12]]],
  ['the high octet of one number', TIMED, [[4, 5]]],
  [
    'the high octets of both numbers',
    TIMED,
    [
      [4, 5],
      [8, 9],
    ],
  ],
  [
    'the sequence number and the high octet of the other',
    TIMED,
    [
      [4, 8],
      [8, 9],
    ],
  ],
  ['the flags', TIMED, [[13, 14]]],
  ['the window', TIMED, [[14, 16]]],
  ['half of one timestamp', TIMED, [[24, 26]]],
  [
    'halves of the timestamps',
    TIMED,
    [
      [24, 26],
      [28, 30],
    ],
  ],
  ['all of it', TIMED, ALL_OF_TCP, true],
  ['all of it, a partial checksum', { ...TIMED, ...PARTIAL }, ALL_OF_TCP, true],
  ['all of it over IPv6', { ...V6, ...TIMED }, ALL_OF_TCP],
  ['all of it without timestamps', { protocol: TCP }, ALL_OF_TCP.slice(0, 2), true],
  ['the identification, of UDP', {}, [], true],
]

/** Where the second packet differs from one that would fit: octet and what is added to it. */
const MISFITS: readonly (readonly [string, Kind, number, number])[] = [
  ['another port', {}, 21, 1],
  ['another address', V6, 23, 1],
  ['another flow label', V6, 3, 1],
  ['another hop limit', V6, 7, 1],
  ['the urgent pointer', { protocol: TCP }, 39, 1],
  ['a reserved bit of TCP', { protocol: TCP }, 32, 1],
  ['options of TCP in another order', { protocol: TCP, timed: true }, 40, 7],
  ['a length of UDP that is not that of the rest', {}, 25, 1],
  ['a checksum of IPv4 that does not hold', {}, 11, 1],
  ['a next header that is an extension', V6, 6, 43 - UDP],
]

/** A first packet that does not compress. */
const REFUSED: readonly (readonly [string, Kind, number, number])[] = [
  ['ICMP', {}, 9, 1 - UDP],
  ['options of IPv4', {}, 0, 1],
  ['a fragment', {}, 6, 0x20 - 0x40],
]

function make(): Vector[] {
  const random = seeded('compression vectors')
  let generation = 1
  const drawFlowSeqs = (): [number, number] => {
    const octets = Buffer.from(random(6))
    return [octets.readUIntLE(0, 3), octets.readUIntLE(3, 3)]
  }
  const vector = (
    name: string,
    first: Buffer,
    packet: Buffer,
    from: Kind,
    to: Kind,
    [firstFlowSeq, flowSeq] = drawFlowSeqs(),
  ): Vector => {
    generation += 1
    const [firstPartial, partial] = [from.partial === true, to.partial === true]
    const context = contextOf(first, firstPartial, generation, firstFlowSeq)
    const compressed = context && compress(context, packet, partial, flowSeq)
    return {
      name,
      generation,
      firstPartial: Number(firstPartial),
      partial: Number(partial),
      firstFlowSeq,
      flowSeq,
      first: hex(first),
      context: context === undefined ? '' : hex(writeProposal(first, generation)),
      packet: hex(packet),
      compressed: compressed === undefined ? '' : hex(compressed),
    }
  }
  const withId = (packet: Buffer, id: number) => {
    packet.writeUInt16BE(id, 4)
    packet.writeUInt16BE(0, 10)
    packet.writeUInt16BE(0xffff - fold(wordsOf(packet.subarray(0, 20))), 10)
    return packet
  }
  const altered = (packet: Buffer, at: number, by: number) => {
    const copy = Buffer.from(packet)
    copy[at] = (copy[at]! + by) & 0xff
    const isIpv4 = packet[0]! >> 4 === 4
    if (isIpv4 && at < 20 && at !== 11) {
      copy.writeUInt16BE(0, 10)
      copy.writeUInt16BE(0xffff - fold(wordsOf(copy.subarray(0, 20))), 10)
    }
    return copy
  }
  const draw = (kind: Kind, flow: Buffer, payload = 24) => packetOf(random, flow, kind, payload)
  return [
    ...CASES.map(([name, kind, change = {}, payload]) => {
      const flow = Buffer.from(random(40))
      const to = { ...kind, ...change }
      return vector(name, draw(kind, flow), draw(to, flow, payload), kind, to)
    }),
    ...ALIKE.map(([name, kind, spans, isCounted = false]) => {
      const flow = Buffer.from(random(40))
      const [firstFlowSeq, flowSeq] = drawFlowSeqs()
      const [first, packet] = [draw(kind, flow), draw(kind, flow)]
      const transport = kind.ipv6 === true ? 40 : 20
      for (const [from, to] of spans) {
        first.copy(packet, transport + from, transport + from, transport + to)
      }
      const id = first.readUInt16BE(4) + flowSeq - firstFlowSeq
      const counted = isCounted ? withId(packet, id & 0xffff) : packet
      return vector(`alike: ${name}`, first, counted, kind, kind, [firstFlowSeq, flowSeq])
    }),
    ...[0x08, 0x10].map((flag) => {
      const flow = Buffer.from(random(40))
      const [first, packet] = [draw(TIMED, flow), draw(TIMED, flow)]
      packet[33] = first[33]! ^ flag
      const name = flag === 0x08 ? 'alike: the flags but PSH' : 'another flag than PSH'
      return vector(name, first, packet, TIMED, TIMED)
    }),
    ...MISFITS.map(([name, kind, at, by]) => {
      const flow = Buffer.from(random(40))
      const packet = altered(draw(kind, flow), at, by)
      return vector(`does not fit: ${name}`, draw(kind, flow), packet, kind, kind)
    }),
    ...REFUSED.map(([name, kind, at, by]) => {
      const flow = Buffer.from(random(40))
      const first = altered(draw(kind, flow), at, by)
      return vector(`does not compress: ${name}`, first, draw(kind, flow), kind, kind)
    }),
  ]
}

if (process.env['WRITE_VECTORS'] !== undefined) {
  // One vector a line, so that C can read it without a parser.
  const lines = make().map((vector) => JSON.stringify(vector))
  writeFileSync(FILE, `{"vectors":[\n${lines.join(',\n')}\n]}\n`)
}
const { vectors } = JSON.parse(readFileSync(FILE, 'utf8')) as { vectors: Vector[] }

describe('the vectors of compression', () => {
  it('are what the peer compresses', () => {
    expect(vectors).toEqual(make())
  })

  it('are of packets that compress unless they say otherwise', () => {
    for (const { name, context, compressed } of vectors) {
      expect(context === '', name).toBe(name.startsWith('does not compress'))
      expect(compressed === '', name).toBe(/do(es)? not (fit|compress)/.test(name))
    }
  })

  it.each(vectors.filter(({ compressed }) => compressed !== ''))('$name expands', (vector) => {
    const proposed = readProposal(octets(vector.context))
    expect(hex(proposed!.packet)).toBe(vector.first)
    expect(proposed!.generation).toBe(vector.generation)
    const { firstPartial, generation, firstFlowSeq, partial, flowSeq } = vector
    const context = contextOf(proposed!.packet, firstPartial === 1, generation, firstFlowSeq)!
    const packet = expand(context, octets(vector.compressed), partial === 1, flowSeq)
    expect(hex(packet!)).toBe(vector.packet)
    expect(octets(vector.compressed).length).toBeLessThan(packet!.length)
  })
})

describe('what the peer keeps', () => {
  const random = seeded('contexts')
  const packet = packetOf(random, Buffer.from(random(40)), {}, 10)

  it.each([
    [5, 5, false],
    [5, 7, true],
    [5, 6, true],
    [255, 1, true],
    [5, 131, true],
    [5, 133, false],
    [5, 3, false],
    [0, 254, false],
    [0, 255, true],
  ])('of generation %i gives way to %i: %s', (before, after, isKept) => {
    const contexts = new HeaderContexts()
    const headed = { bucket: 1, body: packet, partial: false, flowSeq: 0 }
    expect(contexts.keep(headed, before)).toBe(true)
    expect(contexts.keep(headed, after)).toBe(isKept)
  })
})

describe('bits that say what is the same', () => {
  const random = seeded('bits')
  const [UDP_FIELDS, TCP_FIELDS] = [4, 23]
  const contextFor = (kind: Kind) =>
    contextOf(packetOf(random, Buffer.from(random(40)), kind, 10), false, 1, 0)!
  const body = (same: number, fields: number) => Buffer.from([1, same, ...random(fields)])

  it.each([
    ['times, without any', { protocol: TCP }, 128],
    ['an identification, over IPv6', { ...V6, ...TIMED }, 1],
    ['PSH, of flags that come', TIMED, 32],
  ])('are refused of %s', (_, kind, same) => {
    expect(expand(contextFor(kind), body(0, TCP_FIELDS), false, 0)).toBeDefined()
    expect(expand(contextFor(kind), body(same, TCP_FIELDS), false, 0)).toBeUndefined()
  })

  it('are none of UDP', () => {
    expect(expand(contextFor({}), body(255, UDP_FIELDS), false, 0)).toHaveLength(28 + 1)
  })

  it('leave a body that has nothing else', () => {
    const whole = contextFor(TIMED)
    expect(expand(whole, body(0xdf, 2 + 4), false, 0)).toHaveLength(52)
    expect(expand(whole, body(0xdf, 2 + 3), false, 0)).toBeUndefined()
    expect(expand(whole, Buffer.of(1), false, 0)).toBeUndefined()
  })
})
