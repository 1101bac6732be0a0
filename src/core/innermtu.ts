/** The MTU inside the tunnel: what passes every path of a peer whole. */
import { FEATURE, LIMIT } from '../wire.js'
import {
  type Family,
  HEADER_BYTES,
  innerBytes,
  LARGEST_PATH_MTU_BYTES,
  PathMtu,
} from './pathmtu.js'
import type { Peer } from './peer.js'

/** What fits into the MTU of an Ethernet under IPv6 and IPv4: until more is known. */
export const BASE_MTU_BYTES = innerBytes(LARGEST_PATH_MTU_BYTES - HEADER_BYTES[6])
/** What is found at most. */
export const LARGEST_MTU_BYTES = innerBytes(LARGEST_PATH_MTU_BYTES - HEADER_BYTES[4])

/** A path that comes and goes is not probed anew each time: on a metered one that would cost. */
const AGAIN_AFTER_US = 60_000_000

interface Probed {
  readonly search: PathMtu
  readonly sinceUs: number
  readonly family: Family
  /** Of the search before, until this one has come to an end. */
  bytes: number | undefined
}

export class InnerMtu {
  readonly #peer: Peer
  readonly #paths = new Map<number, Probed>()

  constructor(peer: Peer) {
    this.#peer = peer
  }

  /**
   * Undefined until some path has shown what it passes. One that does not even pass the least MTU counts for nothing:
   * with it as well a full packet would go there in two fragments.
   */
  get bytes(): number | undefined {
    const known = [...this.#paths.values()].flatMap(({ bytes }) => bytes ?? [])
    return known.length === 0 ? undefined : Math.min(...known)
  }

  /** A sentence for people about a path that passes less than such paths usually do. */
  told(path: number): string | undefined {
    const probed = this.#paths.get(path)
    if (probed === undefined) return undefined
    const { bytes, family, search } = probed
    if (bytes === undefined) {
      if (!search.isSettled) return undefined
      return `has passed no inner packet of ${LIMIT.leastMtu.value} octets whole: full ones go in fragments there, if at all`
    }
    const usual = innerBytes(LARGEST_PATH_MTU_BYTES - HEADER_BYTES[family])
    if (bytes >= usual) return undefined
    return `passes inner packets of up to ${bytes} octets whole`
  }

  /** The path works in both directions, by addresses of this family. */
  handleAlive(nowUs: number, path: number, family: Family): void {
    if (((this.#peer.epochs.features ?? 0) & FEATURE.sizes.value) === 0) return
    const before = this.#paths.get(path)
    const isSame = before?.family === family
    if (isSame && nowUs < before.sinceUs + AGAIN_AFTER_US) return
    const search = new PathMtu(nowUs, family)
    this.#paths.set(path, { search, sinceUs: nowUs, family, bytes: before?.bytes })
  }

  handleEcho(path: number, octets: number): void {
    const probed = this.#paths.get(path)
    if (probed === undefined) return
    probed.search.handleEcho(octets)
    take(probed)
  }

  removePath(path: number): void {
    this.#paths.delete(path)
  }

  handleTimeout(nowUs: number): void {
    for (const [path, probed] of this.#paths) {
      const octets = probed.search.poll(nowUs)
      take(probed)
      if (octets !== undefined) this.#peer.probeSize(path, octets)
    }
  }

  nextTimeout(): number {
    const searches = [...this.#paths.values()].map(({ search }) => search.nextTimeout())
    return Math.min(Number.POSITIVE_INFINITY, ...searches)
  }
}

function take(probed: Probed): void {
  const { search } = probed
  if (search.isSettled || probed.bytes === undefined) probed.bytes = search.bytes ?? probed.bytes
}
