/** What travels before there are keys: sections 4 and 5 of PROTOCOL.md. */

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
    value: 16,
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
