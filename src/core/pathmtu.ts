/**
 * The path MTU of one path, by probing alone (RFC 8899): ICMP may be filtered, and probes of ordinary size
 * say nothing. Sizes are tried from the largest down until one passes whole; what did not may have
 * been lost by chance and is tried again.
 */
import { LIMIT, SEAL } from '../wire.js'

export type Family = 4 | 6

/** In front of the payload of a datagram: IPv4 (RFC 791) or IPv6 (RFC 8200), and UDP. */
export const HEADER_BYTES = { 4: 20 + 8, 6: 40 + 8 } as const

/** An Ethernet's. Larger ones are of local networks, which need no tunnel. */
export const LARGEST_PATH_MTU_BYTES = 1500
/** PPPoE, tunnels and modems take multiples of 4 to 8 from it: less than 0.6 % of a packet is given away. */
const STEP_BYTES = 8
/** A slow uplink of 1 Mbit/s has sent one size by then, and most round trips are shorter. */
const NEXT_SIZE_US = 100_000
/** After the last size: above every round trip that is worth it. */
const ANSWER_US = 1_000_000
/** MAX_PROBES of RFC 8899, section 5.1.2. */
const MOST_ROUNDS = 3

/** The largest inner packet that fits into a datagram of this payload. */
export const innerBytes = (octets: number) => octets - SEAL.headerBytes - SEAL.tagBytes

export class PathMtu {
  /** UDP payload of each size, from the largest down. */
  readonly #sizes: readonly number[]
  /** Index of the largest size that has passed; none: their number. */
  #best: number
  #next = 0
  #round = 0
  #probeAtUs: number

  constructor(nowUs: number, family: Family) {
    this.#sizes = sizesOf(family)
    this.#best = this.#sizes.length
    this.#probeAtUs = nowUs
  }

  /** Of the largest UDP payload that has passed whole; undefined as long as none has. */
  get octets(): number | undefined {
    return this.#sizes[this.#best]
  }

  /** The largest inner packet that passes whole; undefined as long as none is known to. */
  get bytes(): number | undefined {
    return this.octets === undefined ? undefined : innerBytes(this.octets)
  }

  get isSettled(): boolean {
    return this.#probeAtUs === Number.POSITIVE_INFINITY
  }

  /** The size to probe now, in octets of UDP payload, when one is due. */
  poll(nowUs: number): number | undefined {
    if (nowUs < this.#probeAtUs) return undefined
    if (this.#next >= this.#best) {
      this.#next = 0
      if (++this.#round === MOST_ROUNDS) {
        this.#probeAtUs = Number.POSITIVE_INFINITY
        return undefined
      }
    }
    const octets = this.#sizes[this.#next++]
    this.#probeAtUs = nowUs + (this.#next < this.#best ? NEXT_SIZE_US : ANSWER_US)
    return octets
  }

  /** A datagram of this size has passed in both directions. */
  handleEcho(octets: number): void {
    const index = this.#sizes.indexOf(octets)
    if (index < 0 || index >= this.#best) return
    this.#best = index
    if (index === 0) this.#probeAtUs = Number.POSITIVE_INFINITY
  }

  nextTimeout(): number {
    return this.#probeAtUs
  }
}

/** From an Ethernet's down to what carries the least MTU of IPv6 (RFC 8200, section 5) inside. */
function sizesOf(family: Family): number[] {
  const sizes: number[] = []
  const largest = LARGEST_PATH_MTU_BYTES - HEADER_BYTES[family]
  for (let octets = largest; innerBytes(octets) >= LIMIT.leastMtu.value; octets -= STEP_BYTES) {
    sizes.push(octets)
  }
  return sizes
}
