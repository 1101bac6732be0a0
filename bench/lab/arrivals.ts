/** What became of a stream of numbered datagrams. */

/** One datagram as the receiver saw it. */
export interface Arrival {
  /** Counts from 0 in the order of sending. */
  sequence: number
  /** One way, from the sending program to the receiving one. */
  delayUs: number
  /** CLOCK_MONOTONIC. */
  atUs: number
  from: string
  port: number
}

export interface Delays {
  p50: number
  p99: number
  max: number
}

export interface StreamReport {
  sent: number
  /** Different datagrams: copies are in `duplicates`. */
  received: number
  lost: number
  duplicates: number
  /** Arrived after one that was sent later: RFC 4737, section 3.3. */
  outOfOrder: number
  /** Between two arrivals next to each other in time. */
  longestGapUs: number
  /** CLOCK_MONOTONIC, one an arrival, copies too. */
  arrivedAtUs: readonly number[]
  /** The most datagrams in a row that never came. */
  longestLossRun: number
  delayUs: Delays
}

/** @param sent how many were sent: those after the last arrival are lost too. */
export function judgeStream(sent: number, arrivals: readonly Arrival[]): StreamReport {
  const seen = new Set<number>()
  let duplicates = 0
  let outOfOrder = 0
  let next = 0
  let longestGapUs = 0
  for (const [index, { sequence, atUs }] of arrivals.entries()) {
    if (index > 0) longestGapUs = Math.max(longestGapUs, atUs - arrivals[index - 1]!.atUs)
    if (seen.has(sequence)) {
      duplicates++
      continue
    }
    seen.add(sequence)
    if (sequence < next) outOfOrder++
    else next = sequence + 1
  }
  return {
    sent,
    received: seen.size,
    lost: sent - seen.size,
    duplicates,
    outOfOrder,
    longestGapUs,
    arrivedAtUs: arrivals.map(({ atUs }) => atUs),
    longestLossRun: longestLossRun(sent, seen),
    delayUs: delays(arrivals.map(({ delayUs }) => delayUs)),
  }
}

function longestLossRun(sent: number, seen: ReadonlySet<number>): number {
  let longest = 0
  let run = 0
  for (let sequence = 0; sequence < sent; sequence++) {
    run = seen.has(sequence) ? 0 : run + 1
    longest = Math.max(longest, run)
  }
  return longest
}

function delays(values: readonly number[]): Delays {
  const sorted = [...values].sort((a, b) => a - b)
  // The nearest rank: a value that was seen, never one between two.
  const rank = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
  return { p50: rank(0.5), p99: rank(0.99), max: rank(1) }
}
