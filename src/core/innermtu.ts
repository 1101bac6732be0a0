/** The MTU inside the tunnel: what passes every path of a peer whole. */
import { FEATURE, LIMIT } from '../wire.js'
import { Confirmation } from './confirmation.js'
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
/** PMTU_RAISE_TIMER of RFC 8899, section 5.1.1. Where 1428 pass it costs 40 kB, of a path that is in use. */
const RAISE_AFTER_US = 600_000_000

interface Probed {
  readonly search: PathMtu
  readonly confirmation: Confirmation
  readonly sinceUs: number
  readonly family: Family
  /** Of the search before, until this one has come to an end. */
  bytes: number | undefined
  /** That does not pass any more: whatever this one finds first takes its place. */
  isRefuted: boolean
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
    if (bytes >= usual(family)) return undefined
    return `passes inner packets of up to ${bytes} octets whole`
  }

  /** The path works in both directions, by addresses of this family. */
  handleAlive(nowUs: number, path: number, family: Family): void {
    if (((this.#peer.epochs.features ?? 0) & FEATURE.sizes.value) === 0) return
    const before = this.#paths.get(path)
    before?.confirmation.restart(nowUs)
    const isSame = before?.family === family
    if (isSame && nowUs < before.sinceUs + AGAIN_AFTER_US) return
    this.#search(nowUs, path, family, false)
  }

  /** Nothing passes, of whatever size. */
  handleLost(nowUs: number, path: number): void {
    const probed = this.#paths.get(path)
    if (probed === undefined) return
    probed.confirmation.restart(nowUs)
    probed.isRefuted = false
  }

  /** The path has carried so many octets, in both directions together. */
  handleCarried(nowUs: number, path: number, bytes: number): void {
    const probed = this.#paths.get(path)
    if (probed?.search.isSettled) probed.confirmation.handleCarried(nowUs, bytes)
  }

  handleEcho(nowUs: number, path: number, octets: number): void {
    const probed = this.#paths.get(path)
    if (probed === undefined) return
    const { search, confirmation } = probed
    search.handleEcho(octets)
    take(probed)
    if (!search.isSettled || octets !== search.octets) return
    confirmation.restart(nowUs)
    this.#raiseIfDue(nowUs, path, probed)
  }

  removePath(path: number): void {
    this.#paths.delete(path)
  }

  handleTimeout(nowUs: number): void {
    for (const [path, probed] of this.#paths) {
      const { search, confirmation, family } = probed
      const octets = search.poll(nowUs)
      take(probed)
      if (octets !== undefined) this.#peer.probeSize(path, octets)
      if (confirmation.poll(nowUs)) this.#confirm(nowUs, path, probed)
      if (confirmation.isRefuted) this.#search(nowUs, path, family, true)
    }
  }

  nextTimeout(): number {
    const timeouts = [...this.#paths.values()].flatMap(({ search, confirmation }) => [
      search.nextTimeout(),
      confirmation.nextTimeout(),
    ])
    return Math.min(Number.POSITIVE_INFINITY, ...timeouts)
  }

  #confirm(nowUs: number, path: number, probed: Probed): void {
    const { search, confirmation } = probed
    if (search.octets !== undefined) {
      this.#peer.probeSize(path, search.octets)
      return
    }
    confirmation.restart(nowUs)
    this.#raiseIfDue(nowUs, path, probed)
  }

  #raiseIfDue(nowUs: number, path: number, { search, sinceUs, family }: Probed): void {
    const isLess = search.bytes === undefined || search.bytes < usual(family)
    if (isLess && nowUs >= sinceUs + RAISE_AFTER_US) this.#search(nowUs, path, family, false)
  }

  #search(nowUs: number, path: number, family: Family, isRefuted: boolean): void {
    this.#paths.set(path, {
      search: new PathMtu(nowUs, family),
      confirmation: new Confirmation(nowUs),
      sinceUs: nowUs,
      family,
      bytes: this.#paths.get(path)?.bytes,
      isRefuted,
    })
  }
}

const usual = (family: Family) => innerBytes(LARGEST_PATH_MTU_BYTES - HEADER_BYTES[family])

function take(probed: Probed): void {
  const { search, bytes, isRefuted } = probed
  const isWanted = search.isSettled || isRefuted || bytes === undefined
  if (isWanted) probed.bytes = search.bytes ?? (search.isSettled && isRefuted ? undefined : bytes)
}
