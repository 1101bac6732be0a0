/** Sealed datagrams and the packets in them: sections 6 and 11 of PROTOCOL.md. */

/** Octets in front of the ciphertext of every sealed datagram. The first eight are clear and authenticated, the rest is sealed. */
export const HEADER = [
  { name: 'type', type: 'u8', doc: 'a MESSAGE value of a sealed kind' },
  { name: 'path', type: 'u8', doc: 'path id, chosen by the client, below LIMIT.paths' },
  {
    name: 'receiver',
    type: 'u16',
    doc: "the receiver's index of the epoch, as it told in the handshake",
  },
  {
    name: 'pathSeq',
    type: 'u32',
    doc: 'low 32 bits of the path sequence: counts from 0 per path, epoch and direction',
  },
  {
    name: 'sendTime',
    type: 'u24',
    unit: 'us',
    doc: "low 24 bits of the sender's monotonic clock; never runs back",
  },
  { name: 'flow', type: 'u16', doc: 'low ten bits: flow bucket; the others: FLOW_FLAG' },
  {
    name: 'flowSeq',
    type: 'u24',
    doc: 'order within the bucket: counts from 0 per session, modulo 2^24',
  },
] as const

export const SEAL = {
  /** Clear octets of HEADER: the associated data. */
  clearBytes: 8,
  headerBytes: 16,
  tagBytes: 16,
  keyBytes: 32,
  /** Path id (u32) and path sequence (u64), little-endian. */
  nonceBytes: 12,
} as const

/** Bits of HEADER.flow above the bucket. Zero in this version but for those named. */
export const FLOW_FLAG = {
  partialChecksum: {
    value: 1 << 10,
    doc: 'the checksum of the inner TCP or UDP header covers its pseudo-header alone; needs FEATURE.partialChecksum',
  },
  duplicate: { value: 1 << 11, doc: 'a deliberate copy of a packet sent on another path' },
  resent: { value: 1 << 12, doc: 'sent again after a suspected loss' },
  repaired: {
    value: 1 << 13,
    doc: 'the sender keeps the packet and sends it again when it is lost: the receiver reports, and waits; needs FEATURE.repair',
  },
  unordered: {
    value: 1 << 14,
    doc: 'to be delivered when it comes; flowSeq counts such packets of the bucket by themselves; needs FEATURE.repair',
  },
  brief: {
    value: 1 << 15,
    doc: 'to wait briefly for what is missing before it: an unordered one, which else does not wait, for the one right before it, on a slower path; one in order, which else waits long, for repairs; needs FEATURE.repair',
  },
} as const

/** Body of a compressed message: this, then the fields of its context's profile, then the payload. */
export const COMPRESSED = [
  { name: 'generation', type: 'u8', doc: 'of the context, as its message told it' },
] as const

/** Of a compressed packet of TCP: bits of the octet before its other fields, which it need not bring. */
export const SAME = {
  identification: {
    value: 1,
    doc: "IPv4's, as far ahead of flowSeq as that of the context's packet",
  },
  sequence: { value: 2, doc: 'octets 4 to 7 of TCP' },
  acknowledgement: { value: 4, doc: 'octets 8 to 11' },
  high: { value: 8, doc: 'octets 4 and 8, the high ones of both numbers' },
  flags: { value: 16, doc: 'octet 13' },
  push: {
    value: 32,
    doc: 'of the flags all but PSH (0x08), which is the other way round; needs SAME.flags',
  },
  window: { value: 64, doc: 'octets 14 and 15' },
  times: { value: 128, doc: 'octets 24, 25, 28 and 29, the high ones of both timestamps' },
} as const

/** Body of a kept message, whose HEADER.flow has the bucket. */
export const KEPT = [
  { name: 'generation', type: 'u8', doc: 'of the context that is kept' },
] as const
