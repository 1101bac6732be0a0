/** CLOCK_MONOTONIC in milliseconds, as the programs tell it that carry the traffic. */
export const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000

/** The same of a time since 1970, as long as nobody sets the clock. */
export const monotonicMs = (atMs: number) => atMs - Date.now() + nowMs()
