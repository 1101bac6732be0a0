/**
 * Timestamps of initiations: the time of day, and yet greater each time, also after a restart of a machine that has no
 * clock of its own. PROTOCOL.md, "Handshake".
 */

/** What outlives this process of the greatest timestamp; the outside keeps it on disk. */
export interface TimestampMemory {
  /** No timestamp of before was greater. Microseconds; 0: nothing is known. */
  readonly keptUs: number
  /** Has this on disk when it returns; false when it could not. */
  readonly keep: (untilUs: number) => boolean
}

/** So far ahead of a clock that runs is kept, so that a flash card is written to no more often. */
const AHEAD_US = 600_000_000
/**
 * The same for one that has to catch up: a handshake takes 1 us then. Small, because each restart spends it, and a key
 * that has lost its memory is refused until its clock has passed what was spent.
 */
const AHEAD_COUNTS = 1_000_000
/**
 * The year 2112. A timestamp must stay below 2^53 and may never go back: a clock beyond this is not believed, which leaves
 * as many again to count through.
 */
const LATEST_US = 2 ** 52
/** No count comes so far. */
export const GREATEST_US: number = 2 ** 52 + 2 ** 51

const FORGETFUL: TimestampMemory = { keptUs: 0, keep: () => true }

export class Timestamps {
  readonly #memory: TimestampMemory
  /** The greatest that was used, or may have been. */
  #lastUs: number
  /** On disk. */
  #keptUs: number

  constructor(memory: TimestampMemory = FORGETFUL) {
    this.#memory = memory
    this.#lastUs = memory.keptUs
    this.#keptUs = memory.keptUs
  }

  /** Greater than any before. `wallUs`: the time of day, microseconds since 1970; need not be right. */
  next(wallUs: number): number {
    const isAhead = wallUs > this.#lastUs && wallUs <= LATEST_US
    this.#lastUs = isAhead ? wallUs : this.#lastUs + 1
    if (this.#lastUs > this.#keptUs) {
      const untilUs = this.#lastUs + (isAhead ? AHEAD_US : AHEAD_COUNTS)
      if (this.#memory.keep(untilUs)) this.#keptUs = untilUs
    }
    return this.#lastUs
  }
}
