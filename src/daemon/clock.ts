/** The clocks and the timer of this process. Everything else is told the time. */

export interface Clock {
  /** Monotonic, whole microseconds. */
  nowUs(): number
  /** The time of day, whole microseconds since 1970. */
  wallUs(): number
  /** Calls back once, not before so long; the result calls it off. */
  arm(delayUs: number, callback: () => void): () => void
}

/** The longest delay of a timer of Node's. */
const MOST_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  nowUs: () => Number(process.hrtime.bigint() / 1000n),
  wallUs: () => Date.now() * 1000,
  arm(delayUs, callback) {
    const timer = setTimeout(callback, Math.min(MOST_MS, Math.ceil(Math.max(0, delayUs) / 1000)))
    return () => clearTimeout(timer)
  },
}

export function sleep(clock: Clock, delayUs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.arm(delayUs, resolve)
  })
}
