/** When the octets of a transfer arrived, and what rates that makes. */

export interface Arrived {
  /** CLOCK_MONOTONIC, of the first bin. */
  readonly startUs: number
  readonly binUs: number
  /** Octets in each. */
  readonly bins: readonly number[]
}

/** Adds transfers into bins that begin at `startUs`; what came before goes into the first. */
export function sumOf(startUs: number, binUs: number, parts: readonly Arrived[]): Arrived {
  const bins: number[] = []
  for (const part of parts) {
    const shift = Math.round((part.startUs - startUs) / binUs)
    for (const [index, bytes] of part.bins.entries()) {
      const bin = Math.max(0, index + shift)
      while (bins.length <= bin) bins.push(0)
      bins[bin]! += bytes
    }
  }
  return { startUs, binUs, bins }
}

/** Mean rate between two times since the start; what lies beyond the last bin counts as silence. */
export function mbitBetween({ binUs, bins }: Arrived, fromS: number, toS: number): number {
  const [first, last] = [Math.round((fromS * 1e6) / binUs), Math.round((toS * 1e6) / binUs)]
  if (last <= first) return Number.NaN
  const bytes = bins.slice(first, last).reduce((sum, each) => sum + each, 0)
  return (bytes * 8) / ((last - first) * binUs)
}

/**
 * The first moment, in seconds after `fromS`, from which on a window of `windowS` carries at least `mbit`;
 * undefined when none before `toS` does.
 */
export function secondsUntil(
  arrived: Arrived,
  { mbit, fromS, toS, windowS }: { mbit: number; fromS: number; toS: number; windowS: number },
): number | undefined {
  const stepS = arrived.binUs / 1e6
  for (let step = 0; fromS + step * stepS + windowS <= toS; step++) {
    const atS = fromS + step * stepS
    if (mbitBetween(arrived, atS, atS + windowS) >= mbit) return step * stepS
  }
  return undefined
}
