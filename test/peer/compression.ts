/** Section 11 of PROTOCOL.md: headers that the other side knows are not sent. */

const [TCP, UDP] = [6, 17]
const TIMESTAMPS = Buffer.of(1, 1, 8, 10)
const BEFORE_NEXT_MS = 10_000
/** Any would do. */
const FIRST_GENERATION = 254

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
    fields.push(span(4, 12), span(13, 16), span(16, 18))
    if (transportBytes === 32) fields.push(span(24, 32))
  }
  const checksum = transport + (protocol === UDP ? 6 : 16)
  return { isIpv4, protocol, transport, end, checksum, fields, derived }
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
  profile: Profile
  header: Buffer
}

export function contextOf(
  packet: Buffer,
  partial: boolean,
  generation: number,
): HeaderContext | undefined {
  const profile = profileOf(packet, partial)
  return profile && { generation, profile, header: staticOf(packet, profile) }
}

const told = ({ fields, checksum }: Profile, partial: boolean) =>
  fields.filter(([from]) => !partial || from !== checksum)

/** The body of a compressed message; undefined where the packet does not fit the context. */
export function compress(
  context: HeaderContext,
  packet: Buffer,
  partial: boolean,
): Buffer | undefined {
  const own = contextOf(packet, partial, context.generation)
  if (own === undefined || !own.header.equals(context.header)) return undefined
  const fields = told(own.profile, partial).map(([from, to]) => packet.subarray(from, to))
  return Buffer.concat([Buffer.of(context.generation), ...fields, packet.subarray(own.profile.end)])
}

/** The packet of a compressed message; undefined where that is too short. */
export function expand(
  { profile, header: known }: HeaderContext,
  body: Buffer,
  partial: boolean,
): Buffer | undefined {
  const { isIpv4, protocol, transport, end, checksum } = profile
  const header = Buffer.from(known)
  let at = 1
  for (const [from, to] of told(profile, partial)) {
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

/** What one side of a session keeps, by bucket. */
export class HeaderContexts {
  readonly #proposed = new Map<
    number,
    { context: HeaderContext; isKept: boolean; fittedMs: number }
  >()
  readonly #kept = new Map<number, HeaderContext>()

  /** What a packet is to be sent as. Proposes with each packet until the other side has answered. */
  choose(
    bucket: number,
    packet: Buffer,
    partial: boolean,
    nowMs: number,
  ): { type: 'data' | 'context' | 'compressed'; body: Buffer } {
    const whole = { type: 'data', body: packet } as const
    const proposed = this.#proposed.get(bucket)
    const body = proposed && compress(proposed.context, packet, partial)
    if (proposed !== undefined && body !== undefined) {
      proposed.fittedMs = nowMs
      if (proposed.isKept) return { type: 'compressed', body }
      return { type: 'context', body: writeProposal(packet, proposed.context.generation) }
    }
    if (proposed !== undefined && nowMs - proposed.fittedMs < BEFORE_NEXT_MS) return whole
    const generation = ((proposed?.context.generation ?? FIRST_GENERATION - 1) + 1) % 256
    const context = contextOf(packet, partial, generation)
    if (context === undefined) return whole
    this.#proposed.set(bucket, { context, isKept: false, fittedMs: nowMs })
    return { type: 'context', body: writeProposal(packet, generation) }
  }

  /** The other side's answer to a context. */
  handleKept(bucket: number, generation: number): void {
    const proposed = this.#proposed.get(bucket)
    if (proposed?.context.generation === generation) proposed.isKept = true
  }

  /** Whether the packet's header is kept now, and so to be answered. */
  keep(bucket: number, packet: Buffer, partial: boolean, generation: number): boolean {
    const context = contextOf(packet, partial, generation)
    const before = this.#kept.get(bucket)
    if (context === undefined) return false
    const ahead = before === undefined ? 0 : (before.generation - generation) & 0xff
    if (ahead >= 1 && ahead <= 128) return false
    this.#kept.set(bucket, context)
    return true
  }

  /** The packet of a compressed message; undefined where it is to be dropped. */
  expand(bucket: number, body: Buffer, partial: boolean): Buffer | undefined {
    const context = this.#kept.get(bucket)
    return context?.generation === body[0] ? expand(context!, body, partial) : undefined
  }
}
