/** Of an even count the mean of the middle two; NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Metric by metric, of those that have any. */
export function medianEach<Metric extends string>(
  metrics: readonly Metric[],
  samples: readonly Readonly<Partial<Record<Metric, number>>>[],
): Partial<Record<Metric, number>> {
  const medians: Partial<Record<Metric, number>> = {}
  for (const metric of metrics) {
    const numbers = samples.map((sample) => sample[metric]).filter((each) => each !== undefined)
    if (numbers.length > 0) medians[metric] = median(numbers)
  }
  return medians
}
