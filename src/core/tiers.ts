/**
 * Tiers of uplinks in the mode adaptive: the preferred ones are filled, and the next tier joins when they
 * are full. What a backup is to MPTCP (RFC 8684, section 3.3.8), but by demand.
 */
import { type Candidate, type Load, sumOfRates } from './candidate.js'

/** What waits for so long, for so long, finds the tiers in use full. Longer than a burst that CoDel lets pass. */
const FULL_BACKLOG_US = 50_000
const FULL_FOR_US = 500_000
/**
 * A flow with congestion control lets little wait, CoDel sees to that, and BBR next to nothing: so does whatever fills this
 * share of what the tiers deliver, for so long.
 */
const FULL_SHARE = 0.95
const FILLED_FOR_US = 2_000_000
/** A tier that was not needed for so long leaves. */
const IDLE_FOR_US = 5_000_000
/** It is not needed while the tiers before it would carry everything with this to spare. */
const SPARE_SHARE = 0.8

export class Tiers {
  /** The last tier that has joined; undefined: none but the first. */
  #joined: number | undefined
  #backlogSinceUs: number | undefined
  #filledSinceUs: number | undefined
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
    const open = this.open(paths)
    const since = (isTrue: boolean, beforeUs: number | undefined) =>
      isTrue ? (beforeUs ?? nowUs) : undefined
    const hasBacklog = load.backlogUs > FULL_BACKLOG_US
    this.#backlogSinceUs = since(hasBacklog, this.#backlogSinceUs)
    this.#filledSinceUs = since(isFilled(open, load), this.#filledSinceUs)
    const isNeedless = !hasBacklog && isEnough(before(paths, last), load)
    this.#idleSinceUs = since(isNeedless, this.#idleSinceUs)

    const isFull =
      nowUs - (this.#backlogSinceUs ?? nowUs) >= FULL_FOR_US ||
      nowUs - (this.#filledSinceUs ?? nowUs) >= FILLED_FOR_US
    if (isFull || open.every(({ suspect }) => suspect)) {
      const next = Math.min(...tiersOf(paths).filter((tier) => tier > last))
      if (Number.isFinite(next)) this.#join(next)
    } else if (nowUs - (this.#idleSinceUs ?? nowUs) >= IDLE_FOR_US) {
      this.#join(Math.max(...tiersOf(before(paths, last))))
    }
  }

  #join(tier: number): void {
    this.#joined = tier
    this.#backlogSinceUs = undefined
    this.#filledSinceUs = undefined
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

/** Whether the load is about all that these paths deliver. */
function isFilled(paths: readonly Candidate[], { sentBytesPerS }: Load): boolean {
  const canBytesPerS = sumOfRates(paths)
  return canBytesPerS !== undefined && sentBytesPerS >= FULL_SHARE * canBytesPerS
}

/** Whether these paths alone would carry the load. Of one that was never full nothing says that they would not. */
function isEnough(paths: readonly Candidate[], { sentBytesPerS }: Load): boolean {
  if (paths.every(({ suspect }) => suspect)) return false
  const canBytesPerS = sumOfRates(paths)
  return canBytesPerS === undefined || sentBytesPerS <= SPARE_SHARE * canBytesPerS
}
