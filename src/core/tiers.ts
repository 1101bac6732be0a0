/**
 * Tiers of uplinks in the mode adaptive: the preferred ones are filled, and the next tier joins when they
 * are full. What a backup is to MPTCP (RFC 8684, section 3.3.8), but by demand.
 */
import { type Candidate, type Load, sumOfRates } from './candidate.js'

/** What waits for so long, for so long, finds the tiers in use full. Longer than a burst that CoDel lets pass. */
const FULL_BACKLOG_US = 50_000
const FULL_FOR_US = 500_000
/** A tier that was not needed for so long leaves. */
const IDLE_FOR_US = 5_000_000
/** It is not needed while the tiers before it would carry everything with this to spare. */
const SPARE_SHARE = 0.8

export class Tiers {
  /** The last tier that has joined; undefined: none but the first. */
  #joined: number | undefined
  #fullSinceUs: number | undefined
  #idleSinceUs: number | undefined

  /** Those of the paths whose tier is in use; at least one, where there is one. */
  open<P extends { readonly tier: number }>(paths: readonly P[]): P[] {
    const last = this.#last(paths)
    return paths.filter(({ tier }) => tier <= last)
  }

  /** Lets the next tier join, or the last one leave. Call with each sample. */
  observe(nowUs: number, paths: readonly Candidate[], load: Load): void {
    const last = this.#last(paths)
    this.#joined = Number.isFinite(last) ? last : undefined
    const isFull = load.backlogUs > FULL_BACKLOG_US
    this.#fullSinceUs = isFull ? (this.#fullSinceUs ?? nowUs) : undefined
    const isNeedless = !isFull && isEnough(before(paths, last), load)
    this.#idleSinceUs = isNeedless ? (this.#idleSinceUs ?? nowUs) : undefined

    const isStuck = this.open(paths).every(({ suspect }) => suspect)
    if (isStuck || nowUs - (this.#fullSinceUs ?? nowUs) >= FULL_FOR_US) {
      const next = Math.min(...tiersOf(paths).filter((tier) => tier > last))
      if (Number.isFinite(next)) this.#join(next)
    } else if (nowUs - (this.#idleSinceUs ?? nowUs) >= IDLE_FOR_US) {
      this.#join(Math.max(...tiersOf(before(paths, last))))
    }
  }

  #join(tier: number): void {
    this.#joined = tier
    this.#fullSinceUs = undefined
    this.#idleSinceUs = undefined
  }

  /** Of the tiers that there are; the first always carries. */
  #last(paths: readonly { readonly tier: number }[]): number {
    const tiers = tiersOf(paths)
    const joined = tiers.filter((tier) => tier <= (this.#joined ?? Number.NEGATIVE_INFINITY))
    return Math.max(Math.min(...tiers), ...joined)
  }
}

function tiersOf(paths: readonly { readonly tier: number }[]): number[] {
  return paths.map(({ tier }) => tier)
}

function before(paths: readonly Candidate[], tier: number): Candidate[] {
  return paths.filter((each) => each.tier < tier)
}

/** Whether these paths alone would carry the load. Of one that was never full nothing says that they would not. */
function isEnough(paths: readonly Candidate[], { sentBytesPerS }: Load): boolean {
  if (paths.every(({ suspect }) => suspect)) return false
  const canBytesPerS = sumOfRates(paths)
  return canBytesPerS === undefined || sentBytesPerS <= SPARE_SHARE * canBytesPerS
}
