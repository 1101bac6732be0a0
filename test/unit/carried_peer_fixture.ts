/** What the Carrier keeps of a peer, of its keys and of its paths. */
import type { Endpoint } from '../../src/boundary.js'

export interface Epoch {
  readonly localIndex: number
  readonly remoteIndex: number
  readonly sendKey: string
  readonly receiveKey: string
  readonly isFresh: boolean
  isConfirmed: boolean
}

export interface Path {
  endpoint: Endpoint
  isAllowed: boolean
  isHeard: boolean
  isHeardByPeer: boolean
  isAliveTold: boolean
  lastHeardUs: number
  askedUs: number | undefined
}

export interface CarriedPeer {
  readonly id: number
  everything: boolean
  ipv4: string
  ipv6: string
  epochs: Epoch[]
  sending: Epoch | undefined
  readonly paths: Map<number, Path>
  plan: Uint8Array | undefined
  intervalUs: number
  keepaliveUs: number
  silenceUs: number
  idleAfterUs: number
  isInitiator: boolean
  isInUse: boolean
  lastDataUs: number
  nextProbeUs: number
}

export const hex = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? []).toString('hex')

export const NOWHERE: Endpoint = {
  port: 0,
  family: 4,
  remotePort: 0,
  remote: new Uint8Array(16),
  scope: 0,
  local: new Uint8Array(16),
}

export function newPath(): Path {
  return {
    endpoint: NOWHERE,
    isAllowed: false,
    isHeard: false,
    isHeardByPeer: false,
    isAliveTold: false,
    lastHeardUs: 0,
    askedUs: undefined,
  }
}

export function newPeer(id: number): CarriedPeer {
  return {
    id,
    everything: false,
    ipv4: '',
    ipv6: '',
    epochs: [],
    sending: undefined,
    paths: new Map(),
    plan: undefined,
    intervalUs: 100_000,
    keepaliveUs: 20_000_000,
    silenceUs: 250_000,
    idleAfterUs: 10_000_000,
    isInitiator: false,
    isInUse: false,
    lastDataUs: 0,
    nextProbeUs: 0,
  }
}

export function isSamePlace(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.remotePort === b.remotePort && hex(a.remote) === hex(b.remote)
}
