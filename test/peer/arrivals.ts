/** Sections 6, 9 and 13 of PROTOCOL.md: what was accepted of what came, and what is told of it. */

import type { Header } from './datagram.js'
import { writeFeedback } from './feedback.js'

const WINDOW = 4096n
const PROBE_OCTETS = 32

/** Of one epoch, by path: the window against replays. */
export type Windows = Map<number, { newest: bigint; seen: Set<bigint> }>

export class Arrivals {
  /** Of the session, by path. */
  readonly #counts: { expected: number; received: number }[]
  /** Path sequence that is reported missing, by path. */
  readonly #missing = new Map<number, number>()
  /** Reports the next packet as missing, though it comes. */
  isDeaf = false

  constructor(paths: number) {
    this.#counts = Array.from({ length: paths }, () => ({ expected: 0, received: 0 }))
  }

  /** The window of section 6, and the counts of section 9. False for what is to be dropped. */
  accept(windows: Windows, { path, pathSeq }: Header): boolean {
    const before = windows.get(path) ?? { newest: -1n, seen: new Set<bigint>() }
    windows.set(path, before)
    if (before.seen.has(pathSeq) || pathSeq + WINDOW <= before.newest) return false
    before.seen.add(pathSeq)
    before.seen.delete(pathSeq - WINDOW)
    const counts = this.#counts[path]
    if (counts === undefined) return false
    if (pathSeq > before.newest) {
      counts.expected += Number(pathSeq - before.newest)
      before.newest = pathSeq
    }
    counts.received += 1
    return true
  }

  /** What probes and echoes both tell; the octets before it are zero. */
  probeBody(path: number): Buffer {
    const { expected, received } = this.#counts[path]!
    const body = Buffer.alloc(PROBE_OCTETS)
    const all = 2 ** this.#counts.length - 1
    body.writeUInt16LE(all, 20)
    body.writeUInt16LE(all, 22)
    body.writeUInt32LE(expected % 2 ** 32, 24)
    body.writeUInt32LE(received % 2 ** 32, 28)
    return body
  }

  /** The report on a packet that was accepted just now; none of one that is to seem lost. */
  feedbackBody(receiver: number, windows: Windows, { path, pathSeq }: Header): Buffer | undefined {
    if (this.isDeaf) {
      this.isDeaf = false
      this.#missing.set(path, Number(pathSeq))
      // A gap has something newer behind it: the next packet's report tells of it.
      return undefined
    }
    const newest = Number(windows.get(path)?.newest ?? 0n)
    const missing = this.#missing.get(path)
    const gaps = missing === undefined ? [] : [{ received: newest - missing, missing: 1 }]
    const { received: datagrams } = this.#counts[path]!
    const told = { path, receiver, newest, holdUs: 0, delayUs: 0, octets: 0, datagrams, gaps }
    return writeFeedback([told])
  }
}
