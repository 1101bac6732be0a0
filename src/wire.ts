/**
 * The network contract: everything that two peers must agree on. PROTOCOL.md says it in words and a test keeps the two equal.
 * A change that an old peer would misread bumps WIRE.version.
 */

export const WIRE = {
  /** Carried by every handshake message; another value is refused. */
  version: 2,
  /** The Noise protocol, as in revision 34 of its specification. */
  noise: 'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b',
  /** Noise prologue, ASCII. */
  prologue: 'mptun 2',
  /** Key derivation labels of mac1 and of the cookie (WireGuard paper, 5.4.4 and 5.4.7), ASCII. */
  mac1Label: 'mptun mac1',
  cookieLabel: 'mptun cookie',
} as const

/** First octet of every datagram. Numbers are never used again for something else. */
export const MESSAGE = {
  initiation: { value: 1, doc: 'first handshake message, client to server' },
  response: { value: 2, doc: 'second handshake message, server to client' },
  cookie: { value: 3, doc: 'answer of a loaded server to an initiation' },
  data: { value: 4, doc: 'sealed: an inner IP packet' },
  probe: { value: 5, doc: 'sealed: asks for an echo on the same path, at once' },
  echo: { value: 6, doc: 'sealed: answers a probe' },
  control: { value: 7, doc: 'sealed: agreement between the cores (policy, close)' },
  feedback: { value: 8, doc: 'sealed: what arrived of the data that asked for it' },
  sizeProbe: {
    value: 9,
    doc: 'sealed: asks for a sizeEcho of its own length on the same path; needs FEATURE.sizes',
  },
  sizeEcho: { value: 10, doc: 'sealed: answers a sizeProbe' },
  context: {
    value: 11,
    doc: 'sealed: an inner IP packet whose header the receiver is to keep, for those that follow; needs FEATURE.compression',
  },
  compressed: {
    value: 12,
    doc: 'sealed: an inner IP packet without what its context says; needs FEATURE.compression',
  },
  kept: { value: 13, doc: 'sealed: answers a context that is kept' },
} as const

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

/** Body of a compressed message: this, then the fields of its context's profile, then the payload. */
export const COMPRESSED = [
  { name: 'generation', type: 'u8', doc: 'of the context, as its message told it' },
] as const

/** Body of a kept message, whose HEADER.flow has the bucket. */
export const KEPT = [
  { name: 'generation', type: 'u8', doc: 'of the context that is kept' },
] as const

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

/** Body of probe and echo, of equal length, so that no answer is larger than its question. */
export const PROBE = [
  { name: 'id', type: 'u32', doc: 'counts probes of one path; an echo copies it' },
  {
    name: 'time',
    type: 'u64',
    unit: 'us',
    doc: "the prober's clock when it sent the probe; an echo copies it",
  },
  {
    name: 'hold',
    type: 'u32',
    unit: 'us',
    doc: 'echo: time between receiving the probe and sending the echo',
  },
  {
    name: 'owd',
    type: 'u32',
    unit: 'us',
    doc: 'echo: arrival of the probe on the clock of the echoing side minus `time`, modulo 2^32',
  },
  {
    name: 'heard',
    type: 'u16',
    doc: 'bit p: the sender hears the other side on path p',
  },
  {
    name: 'carrying',
    type: 'u16',
    doc: "bit p: path p is in the sender's present plan, so that packets may be on it",
  },
  {
    name: 'expected',
    type: 'u32',
    doc: 'datagrams the sender of this message should have received on this path, modulo 2^32',
  },
  {
    name: 'received',
    type: 'u32',
    doc: 'datagrams it did receive and accept on this path, modulo 2^32',
  },
] as const

/** Body of a feedback message: this, then FEEDBACK_PATH and its FEEDBACK_GAPs for each path. */
export const FEEDBACK = [
  { name: 'paths', type: 'u8', doc: 'number of FEEDBACK_PATH that follow' },
] as const

export const FEEDBACK_PATH = [
  { name: 'path', type: 'u8', doc: 'path id' },
  {
    name: 'receiver',
    type: 'u16',
    doc: 'HEADER.receiver of the datagrams that are reported: path sequences begin anew with each epoch',
  },
  { name: 'newest', type: 'u32', doc: 'low 32 bits of the greatest path sequence accepted' },
  {
    name: 'hold',
    type: 'u32',
    unit: 'us',
    doc: 'time between its arrival and the sending of this message',
  },
  {
    name: 'delay',
    type: 'u32',
    unit: 'us',
    doc: "least arrival, on the clock of this message's sender, minus sendTime since the last report, modulo 2^32",
  },
  {
    name: 'octets',
    type: 'u32',
    unit: 'bytes',
    doc: 'UDP payload accepted on the path, modulo 2^32',
  },
  { name: 'datagrams', type: 'u32', doc: 'accepted on the path, modulo 2^32' },
  { name: 'gaps', type: 'u8', doc: 'number of FEEDBACK_GAP that follow, the newest first' },
] as const

/** Path sequences that have not been accepted, in front of the newest. */
export const FEEDBACK_GAP = [
  {
    name: 'received',
    type: 'u16',
    doc: 'accepted without a gap behind this one, down from the newest or from the gap before',
  },
  { name: 'missing', type: 'u16', doc: 'sequences of the gap' },
] as const

/** Body of a control message: this, then the body of its kind. */
export const CONTROL = [
  {
    name: 'id',
    type: 'u32',
    doc: 'counts the control messages of one side in one session; an ack copies it',
  },
  { name: 'kind', type: 'u8', doc: 'CONTROL_KIND' },
] as const

export const CONTROL_KIND = {
  ack: { value: 1, doc: 'empty: the message with this id was taken' },
  policy: {
    value: 2,
    doc: 'POLICY and then POLICY_PATH for each path: how the sender wishes both directions to be scheduled',
  },
  close: { value: 3, doc: 'CLOSE: the sender ends the session' },
  mtu: { value: 4, doc: 'MTU: the largest inner packet that the sender is to be sent' },
} as const

export const POLICY = [
  { name: 'mode', type: 'u8', doc: 'MODE' },
  { name: 'hash', type: 'u8', doc: 'XMIT_HASH, for balance-xor' },
  { name: 'primary', type: 'u8', doc: 'path id for active-backup, 255 for none' },
  { name: 'reselect', type: 'u8', doc: 'PRIMARY_RESELECT' },
  {
    name: 'updelay',
    type: 'u32',
    unit: 'us',
    doc: 'a path must be alive for so long before it is used again',
  },
  {
    name: 'downdelay',
    type: 'u32',
    unit: 'us',
    doc: 'a path that fell silent is used for so long after it was noticed',
  },
  { name: 'paths', type: 'u8', doc: 'number of POLICY_PATH that follow' },
] as const

export const POLICY_PATH = [
  { name: 'path', type: 'u8', doc: 'path id' },
  { name: 'intent', type: 'u8', doc: 'INTENT' },
  { name: 'tier', type: 'u8', doc: 'smaller is used first' },
  { name: 'weight', type: 'u16', doc: '1 to LIMIT.weight' },
  { name: 'flags', type: 'u8', doc: 'POLICY_PATH_FLAG' },
  {
    name: 'rate',
    type: 'u32',
    unit: 'bytes/s',
    doc: 'the receiver sends no faster on this path, in the mode adaptive; 0: no cap',
  },
  {
    name: 'target',
    type: 'u24',
    unit: 'us',
    doc: 'queue to aim at on this path, in the mode adaptive; 0: as the receiver thinks best',
  },
] as const

export const POLICY_PATH_FLAG = {
  metered: {
    value: 1,
    doc: 'each octet costs money: no copies, and no probes but the needed ones',
  },
  spent: { value: 2, doc: 'its budget is used up: carry nothing on it' },
} as const

export const MTU = [
  { name: 'mtu', type: 'u16', unit: 'bytes', doc: 'LIMIT.leastMtu to LIMIT.packetBytes' },
] as const

export const CLOSE = [{ name: 'reason', type: 'u8', doc: 'CLOSE_REASON' }] as const

export const CLOSE_REASON = {
  shutdown: { value: 1, doc: 'the sender stops; shake hands again when it is wanted back' },
  revoked: { value: 2, doc: 'this key is no longer welcome' },
} as const

export const MODE = {
  'balance-rr': { value: 0, doc: 'smooth weighted round-robin, per packet' },
  'active-backup': { value: 1, doc: 'one path carries all' },
  'balance-xor': { value: 2, doc: 'flow hash to path, by weight' },
  broadcast: { value: 3, doc: 'every packet on every path, the first copy wins' },
  adaptive: {
    value: 7,
    doc: 'each packet on the path where it arrives first, of those that have room for it; what is lost is sent again',
  },
} as const

export const XMIT_HASH = {
  'layer3+4': { value: 0, doc: 'addresses, protocol and ports' },
  layer3: { value: 1, doc: 'addresses only' },
} as const

export const PRIMARY_RESELECT = {
  always: { value: 0, doc: 'the primary takes over whenever it is up' },
  better: { value: 1, doc: 'the primary takes over when it is better than the active path' },
  failure: { value: 2, doc: 'the primary takes over only when the active path fails' },
} as const

export const INTENT = {
  up: { value: 0, doc: 'use it' },
  standby: { value: 1, doc: 'use it when no path of intent up is left' },
  down: { value: 2, doc: 'do not use it' },
} as const

/** Bit set in the handshake; the server picks one of the bits that the client offers. */
export const AEAD = {
  'chacha20-poly1305': { value: 1, doc: 'RFC 8439; every peer has it' },
  'aes-256-gcm': { value: 2, doc: 'preferred where both CPUs have AES instructions' },
} as const

/** Bits told by both sides in the handshake; a feature is used when both have it. */
export const FEATURE = {
  partialChecksum: { value: 1, doc: 'accepts FLOW_FLAG.partialChecksum' },
  repair: {
    value: 2,
    doc: 'understands FLOW_FLAG.repaired and unordered, and answers both with feedback',
  },
  sizes: { value: 4, doc: 'answers MESSAGE.sizeProbe' },
  compression: {
    value: 8,
    doc: 'understands MESSAGE.context and compressed, and answers the first',
  },
} as const

/** Handshake message 1. `static` and `payload` are Noise ciphertexts with their tags. */
export const INITIATION = [
  { name: 'type', type: 'u8', doc: 'MESSAGE.initiation' },
  { name: 'version', type: 'u8', doc: 'WIRE.version' },
  { name: 'ephemeral', type: 'bytes', length: 32, doc: 'Noise token e' },
  { name: 'static', type: 'bytes', length: 48, doc: 'Noise token s, sealed' },
  { name: 'payload', type: 'bytes', length: 57, doc: 'INITIATION_PAYLOAD, sealed' },
  { name: 'mac1', type: 'bytes', length: 16, doc: "proves knowledge of the server's public key" },
  {
    name: 'mac2',
    type: 'bytes',
    length: 16,
    doc: 'proves the source address under load; else zero',
  },
] as const

export const INITIATION_PAYLOAD = [
  { name: 'sender', type: 'u16', doc: "the client's index for the new epoch" },
  {
    name: 'timestamp',
    type: 'u64',
    unit: 'us',
    doc: 'since 1970, strictly increasing for one static key',
  },
  {
    name: 'instance',
    type: 'bytes',
    length: 8,
    doc: 'random per session of the client; the same again asks for new keys of that session',
  },
  {
    name: 'invite',
    type: 'bytes',
    length: 16,
    doc: 'id of the invitation whose secret is the psk, else zero',
  },
  { name: 'aeads', type: 'u8', doc: 'AEAD bits that the client accepts' },
  { name: 'preferred', type: 'u8', doc: 'AEAD bits that are fast on the client' },
  { name: 'features', type: 'u32', doc: 'FEATURE bits' },
  { name: 'reserved', type: 'u8', doc: 'zero' },
] as const

/** Handshake message 2. */
export const RESPONSE = [
  { name: 'type', type: 'u8', doc: 'MESSAGE.response' },
  { name: 'version', type: 'u8', doc: 'WIRE.version' },
  { name: 'receiver', type: 'u16', doc: "the client's index, from the initiation" },
  { name: 'ephemeral', type: 'bytes', length: 32, doc: 'Noise token e' },
  { name: 'payload', type: 'bytes', length: 73, doc: 'RESPONSE_PAYLOAD, sealed' },
  { name: 'mac1', type: 'bytes', length: 16, doc: "proves knowledge of the client's public key" },
] as const

export const RESPONSE_PAYLOAD = [
  { name: 'sender', type: 'u16', doc: "the server's index for the new epoch" },
  {
    name: 'instance',
    type: 'bytes',
    length: 8,
    doc: 'random per session of the server; another one means that all sequences start anew',
  },
  { name: 'aead', type: 'u8', doc: 'the one AEAD bit that both will use in this epoch' },
  { name: 'features', type: 'u32', doc: 'FEATURE bits' },
  { name: 'ipv4', type: 'bytes', length: 4, doc: "the client's inner address" },
  { name: 'ipv4Prefix', type: 'u8', doc: "prefix length of the server's pool" },
  { name: 'ipv6', type: 'bytes', length: 16, doc: "the client's inner address" },
  { name: 'ipv6Prefix', type: 'u8', doc: "prefix length of the server's pool" },
  { name: 'serverIpv4', type: 'bytes', length: 4, doc: "the server's inner address" },
  { name: 'serverIpv6', type: 'bytes', length: 16, doc: "the server's inner address" },
] as const

/** Cookie reply: XChaCha20-Poly1305 under BLAKE2b-256(cookieLabel, server public key), associated data the mac1 it answers. */
export const COOKIE = [
  { name: 'type', type: 'u8', doc: 'MESSAGE.cookie' },
  { name: 'version', type: 'u8', doc: 'WIRE.version' },
  { name: 'nonce', type: 'bytes', length: 24, doc: 'random' },
  {
    name: 'cookie',
    type: 'bytes',
    length: 32,
    doc: 'sealed: 16 octets, a mac of the source address',
  },
] as const

export const LIMIT = {
  paths: { value: 16, doc: 'paths of one peer' },
  buckets: { value: 1024, doc: 'flow buckets of one direction of one peer' },
  replayBits: { value: 4096, doc: 'anti-replay window per path and epoch; a power of two' },
  weight: { value: 256, doc: 'largest weight of a path' },
  leastMtu: { value: 1280, doc: 'smallest inner MTU, which is that of IPv6' },
  packetBytes: { value: 1968, doc: 'largest inner packet' },
  feedbackGaps: { value: 32, doc: 'most FEEDBACK_GAP of one path' },
  feedbackBytes: { value: 1200, doc: 'largest body of a feedback message' },
  controlBytes: { value: 256, doc: 'largest control body, CONTROL included' },
} as const

export const TIMER = {
  rekeyAfterUs: { value: 120_000_000, doc: 'the client shakes hands again' },
  rejectAfterUs: { value: 180_000_000, doc: 'keys of this age are erased' },
  cookieLifetimeUs: { value: 120_000_000, doc: 'a cookie is worth nothing after it' },
  keepaliveUs: { value: 20_000_000, doc: 'an idle path is probed so often' },
  probeUs: { value: 100_000, doc: 'a path in use is probed so often' },
  idleAfterUs: { value: 10_000_000, doc: 'a peer without data for so long is idle' },
} as const
