/** What records of both directions begin with, and where datagrams go and come from. */
import type { RecordOf } from '../layout.js'

/** Where a datagram goes or came from. */
export const ENDPOINT = [
  { name: 'port', type: 'u8', doc: 'our UDP socket' },
  { name: 'family', type: 'u8', doc: '4 or 6' },
  { name: 'remotePort', type: 'u16', doc: 'UDP port, host order' },
  { name: 'remote', type: 'bytes', length: 16, doc: 'address; IPv4 in the first four octets' },
  { name: 'scope', type: 'u32', doc: 'IPv6 scope id, else 0' },
  { name: 'local', type: 'bytes', length: 16, doc: 'our address, all zero: the kernel chooses' },
] as const

export const OF_KIND = [{ name: 'kind', type: 'u16', doc: 'which record this is' }] as const

export const OF_PEER = [
  ...OF_KIND,
  { name: 'peer', type: 'u16', doc: 'slot chosen by TypeScript, below CROSSING.peers' },
] as const

export const OF_PATH = [...OF_PEER, { name: 'path', type: 'u8', doc: 'path id' }] as const

/** Where a datagram goes or came from, as records carry it. */
export type Endpoint = RecordOf<typeof ENDPOINT>
