/** Section 11 of PROTOCOL.md: headers that the other side knows are not sent. */

const [TCP, UDP] = [6, 17]
const TIMESTAMPS = Buffer.of(1, 1, 8, 10)
const REST_MS = 10_000
/** Of a kind no 128 generations fall into the time for which keys live. */
const TRY_AFTER_MS = 1500
/** One of each kind; any would do. */
const FIRST_GENERATIONS = [254, 1] as const
const PSH = 0x08

/** Bits of the first field of TCP. */
const SAME = {
  identification: 1,
  sequence: 2,
  acknowledgement: 4,
  high: 8,
  flags: 16,
  push: 32,
  window: 64,
  times: 128,
} as const

/** Octets of a header, from where to behind where. */
type Span = readonly [from: number, to: number]

/** What PROTOCOL.md calls the profile of a packet. */
interface Profile {
  isIpv4: boolean
  protocol: number
  /** Where the header of TCP or UDP begins, and where it ends. */
  transport: number
  end: number
  checksum: number
  isTimed: boolean
  /** The fields, in the order of the packet, the checksum of TCP or UDP among them. */
  fields: readonly Span[]
  /** What follows from the rest. */
  derived: readonly Span[]
}

/** RFC 1071, folded and not complemented. */
function sum(octets: Buffer, start = 0): number {
  let total = start
  for (let at = 0; at < octets.length; at += 2) {
    total += (octets[at]! << 8) | (octets[at + 1] ?? 0)
  }
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
  return total
}

/** With zero in place of the checksum itself. */
function ipv4Checksum(header: Buffer): number {
  const copy = Buffer.from(header.subarray(0, 20))
  copy.writeUInt16BE(0, 10)
  return 0xffff - sum(copy)
}

function pseudoSum(header: Buffer, { isIpv4, protocol, transport }: Profile, length: number) {
  const addresses = header.subarray(isIpv4 ? 12 : 8, transport)
  return sum(addresses, protocol + length - transport)
}

function lay(isIpv4: boolean, protocol: number, transportBytes: number): Profile {
  const transport = isIpv4 ? 20 : 40
  const end = transport + transportBytes
  const isTimed = protocol === TCP && transportBytes === 32
  const span = (from: number, to: number): Span => [transport + from, transport + to]
  const fields: Span[] = isIpv4 ? [[4, 6]] : []
  const derived: Span[] = isIpv4
    ? [
        [2, 4],
        [10, 12],
      ]
    : [[4, 6]]
  if (protocol === UDP) {
    derived.push(span(4, 6))
    fields.push(span(6, 8))
  } else {
    fields.push(span(4, 8), span(8, 12), span(13, 14), span(14, 16), span(16, 18))
    if (isTimed) fields.push(span(24, 28), span(28, 32))
  }
  const checksum = transport + (protocol === UDP ? 6 : 16)
  return { isIpv4, protocol, transport, end, checksum, isTimed, fields, derived }
}

/** Undefined where the packet does not compress. */
function profileOf(packet: Buffer, partial: boolean): Profile | undefined {
  const version = (packet[0] ?? 0) >> 4
  const isIpv4 = packet[0] === 0x45
  if ((!isIpv4 && version !== 6) || packet.length < (isIpv4 ? 20 : 40)) return undefined
  if (isIpv4) {
    if (packet.readUInt16BE(2) !== packet.length) return undefined
    if ((packet.readUInt16BE(6) & 0x3fff) !== 0) return undefined
    if (packet.readUInt16BE(10) !== ipv4Checksum(packet)) return undefined
  } else if (packet.readUInt16BE(4) !== packet.length - 40) {
    return undefined
  }
  const transport = packet.subarray(isIpv4 ? 20 : 40)
  const protocol = packet[isIpv4 ? 9 : 6]!
  const octets = protocol === UDP ? 8 : protocol === TCP ? tcpOctets(transport) : undefined
  if (octets === undefined || transport.length < octets) return undefined
  if (protocol === UDP && transport.readUInt16BE(4) !== transport.length) return undefined
  const profile = lay(isIpv4, protocol, octets)
  const { checksum } = profile
  const follows = packet.readUInt16BE(checksum) === pseudoSum(packet, profile, packet.length)
  return partial && !follows ? undefined : profile
}

function tcpOctets(transport: Buffer): number | undefined {
  if (transport.length < 20) return undefined
  const octets = (transport[12]! >> 4) * 4
  if (octets === 20) return octets
  return octets === 32 && transport.subarray(20, 24).equals(TIMESTAMPS) ? octets : undefined
}

/** The header of a packet with zeros for all that is not static. */
function staticOf(packet: Buffer, { end, fields, derived }: Profile): Buffer {
  const header = Buffer.from(packet.subarray(0, end))
  for (const [from, to] of [...fields, ...derived]) header.fill(0, from, to)
  return header
}

export interface HeaderContext {
  generation: number
  /** Of the message that brought it. */
  flowSeq: number
  profile: Profile
  header: Buffer
}

export function contextOf(
  packet: Buffer,
  partial: boolean,
  generation: number,
  flowSeq: number,
): HeaderContext | undefined {
  const profile = profileOf(packet, partial)
  const header = profile && Buffer.from(packet.subarray(0, profile.end))
  return profile && header && { generation, flowSeq, profile, header }
}

/** The identification that a packet of this flowSeq has, if it counts them. */
const countedId = ({ header, flowSeq }: HeaderContext, ofSeq: number) =>
  (header.readUInt16BE(4) + ofSeq - flowSeq) & 0xffff

/** All that may be left out of a packet that fits the context. */
function sameOf(context: HeaderContext, packet: Buffer, flowSeq: number): number {
  const { isIpv4, isTimed, protocol, transport } = context.profile
  if (protocol !== TCP) return 0
  const isSame = (from: number, to: number) =>
    packet
      .subarray(transport + from, transport + to)
      .equals(context.header.subarray(transport + from, transport + to))
  const flags = packet[transport + 13]! ^ context.header[transport + 13]!
  let same = 0
  if (isIpv4 && packet.readUInt16BE(4) === countedId(context, flowSeq)) same |= SAME.identification
  if (isSame(4, 8)) same |= SAME.sequence
  if (isSame(8, 12)) same |= SAME.acknowledgement
  if (isSame(4, 5) && isSame(8, 9)) same |= SAME.high
  if (flags === 0) same |= SAME.flags
  if (flags === PSH) same |= SAME.flags | SAME.push
  if (isSame(14, 16)) same |= SAME.window
  if (isTimed && isSame(24, 26) && isSame(28, 30)) same |= SAME.times
  return same
}

/** Of the fields what comes, by the bits. */
function told(profile: Profile, partial: boolean, same: number): Span[] {
  const { isIpv4, protocol, transport, checksum } = profile
  const has = (bit: number) => (same & bit) !== 0
  const skipped = new Map<number, number>()
  if (partial) skipped.set(checksum, 2)
  if (isIpv4 && has(SAME.identification)) skipped.set(4, 2)
  if (protocol === TCP) {
    skipped.set(transport + 4, has(SAME.sequence) ? 4 : has(SAME.high) ? 1 : 0)
    skipped.set(transport + 8, has(SAME.acknowledgement) ? 4 : has(SAME.high) ? 1 : 0)
    skipped.set(transport + 13, has(SAME.flags) ? 1 : 0)
    skipped.set(transport + 14, has(SAME.window) ? 2 : 0)
    for (const at of [24, 28]) skipped.set(transport + at, has(SAME.times) ? 2 : 0)
  }
  return profile.fields.map(([from, to]) => [from + (skipped.get(from) ?? 0), to])
}

/** The body of a compressed message; undefined where the packet does not fit the context. */
export function compress(
  context: HeaderContext,
  packet: Buffer,
  partial: boolean,
  flowSeq: number,
): Buffer | undefined {
  const profile = profileOf(packet, partial)
  if (profile === undefined || profile.end !== context.profile.end) return undefined
  if (!staticOf(packet, profile).equals(staticOf(context.header, profile))) return undefined
  const same = sameOf(context, packet, flowSeq)
  return Buffer.concat([
    Buffer.of(context.generation, ...(profile.protocol === TCP ? [same] : [])),
    ...told(profile, partial, same).map(([from, to]) => packet.subarray(from, to)),
    packet.subarray(profile.end),
  ])
}

/** Whether the bits are of fields that such a packet has. */
const mayBe = ({ isIpv4, isTimed }: Profile, same: number) =>
  (isIpv4 || (same & SAME.identification) === 0) &&
  (isTimed || (same & SAME.times) === 0) &&
  ((same & SAME.flags) !== 0 || (same & SAME.push) === 0)

/** The packet of a compressed message; undefined where it is to be dropped. */
export function expand(
  context: HeaderContext,
  body: Buffer,
  partial: boolean,
  flowSeq: number,
): Buffer | undefined {
  const { profile } = context
  const { isIpv4, protocol, transport, end, checksum } = profile
  const header = Buffer.from(context.header)
  let at = 1
  const same = protocol === TCP ? body[at++] : 0
  if (same === undefined || !mayBe(profile, same)) return undefined
  if (isIpv4) header.writeUInt16BE(countedId(context, flowSeq), 4)
  if ((same & SAME.push) !== 0) header[transport + 13]! ^= PSH
  for (const [from, to] of told(profile, partial, same)) {
    if (at + to - from > body.length) return undefined
    body.copy(header, from, at, at + to - from)
    at += to - from
  }
  const length = end + body.length - at
  if (isIpv4) {
    header.writeUInt16BE(length, 2)
    header.writeUInt16BE(ipv4Checksum(header), 10)
  } else {
    header.writeUInt16BE(length - 40, 4)
  }
  if (protocol === UDP) header.writeUInt16BE(length - transport, transport + 4)
  if (partial) header.writeUInt16BE(pseudoSum(header, profile, length), checksum)
  return Buffer.concat([header, body.subarray(at)])
}

const lengthAt = (packet: Buffer) => (packet[0]! >> 4 === 4 ? 2 : 4)

/** The body of a context message. */
export function writeProposal(packet: Buffer, generation: number): Buffer {
  const body = Buffer.from(packet)
  body.writeUInt16LE(generation, lengthAt(packet))
  return body
}

export function readProposal(body: Buffer): { packet: Buffer; generation: number } | undefined {
  if (body.length < 20 || (body[0]! >> 4 !== 4 && body.length < 40)) return undefined
  const packet = Buffer.from(body)
  const at = lengthAt(packet)
  packet.writeUInt16BE(at === 2 ? packet.length : packet.length - 40, at)
  return { packet, generation: body[at]! }
}

interface Proposal {
  context: HeaderContext
  isKept: boolean
  proposedMs: number
  /** When a packet last went by it, or proposed it. */
  usedMs: number
}

/** Of a packet the body that goes, or has come. */
interface Headed {
  bucket: number
  body: Buffer
  partial: boolean
  flowSeq: number
}

/** What one side of a session keeps, by bucket and kind. */
export class HeaderContexts {
  readonly #proposed = new Map<string, Proposal>()
  readonly #kept = new Map<string, HeaderContext>()

  /** What a packet is to be sent as. */
  choose(
    { bucket, body: packet, partial, flowSeq }: Headed,
    nowMs: number,
  ): { type: 'data' | 'context' | 'compressed'; body: Buffer } {
    const whole = { type: 'data', body: packet } as const
    const proposals = [0, 1].map((kind) => this.#proposed.get(keyOf(bucket, kind)))
    for (const proposal of proposals) {
      if (proposal?.isKept !== true) continue
      const body = compress(proposal.context, packet, partial, flowSeq)
      if (body === undefined) continue
      proposal.usedMs = nowMs
      return { type: 'compressed', body }
    }
    const kind = proposals.findIndex(
      (proposal) =>
        proposal === undefined ||
        nowMs - proposal.usedMs >= REST_MS ||
        (!proposal.isKept && nowMs - proposal.proposedMs >= TRY_AFTER_MS),
    )
    const isAsking = proposals.some(
      (proposal) => proposal?.isKept === false && nowMs - proposal.proposedMs < TRY_AFTER_MS,
    )
    if (kind < 0 || isAsking) return whole
    const before = proposals[kind]?.context.generation
    const generation = before === undefined ? FIRST_GENERATIONS[kind]! : (before + 2) % 256
    const context = contextOf(packet, partial, generation, flowSeq)
    if (context === undefined) return whole
    const [proposedMs, usedMs] = [nowMs, nowMs]
    this.#proposed.set(keyOf(bucket, kind), { context, isKept: false, proposedMs, usedMs })
    return { type: 'context', body: writeProposal(packet, generation) }
  }

  /** The other side's answer to a context. */
  handleKept(bucket: number, generation: number): void {
    const proposal = this.#proposed.get(keyOf(bucket, generation))
    if (proposal?.context.generation === generation) proposal.isKept = true
  }

  /** Whether the packet's header is kept now, and so to be answered. */
  keep({ bucket, body: packet, partial, flowSeq }: Headed, generation: number): boolean {
    const context = contextOf(packet, partial, generation, flowSeq)
    const before = this.#kept.get(keyOf(bucket, generation))
    if (context === undefined) return false
    if (before !== undefined && ((before.generation - generation) & 0xff) <= 128) return false
    this.#kept.set(keyOf(bucket, generation), context)
    return true
  }

  /** The packet of a compressed message; undefined where it is to be dropped. */
  expand({ bucket, body, partial, flowSeq }: Headed): Buffer | undefined {
    const context = this.#kept.get(keyOf(bucket, body[0] ?? 0))
    return context?.generation === body[0] ? expand(context!, body, partial, flowSeq) : undefined
  }
}

/** Generations are even or odd, and a bucket has a context of each kind. */
const keyOf = (bucket: number, generation: number) => `${bucket} ${generation % 2}`
