/** A path that may carry data in the mode adaptive, as the rooms that judge it see it. */
import type { PathPolicy } from './policy.js'
import type { Loss, PathMeasurements } from './stats.js'

/** A path that sends so much of its cap is full, whatever its window says. */
const CAP_SHARE = 0.95

export interface Candidate {
  readonly path: number
  readonly label: string
  readonly tier: number
  /** One-way delay away from us above the quickest candidate's. */
  readonly skewUs: number
  /** Bytes per second that it can deliver; 0: not known, because it was not full lately. */
  readonly canBytesPerS: number
  /** Bytes per second that it has lately been given. */
  readonly carriesBytesPerS: number
  readonly suspect: boolean
  /** Of the last ten seconds: the mean of what it was given, how often C put it aside, and the packets that were reported missing. */
  readonly broughtBytesPerS: number
  readonly suspicions: number
  readonly reported: Loss
}

export interface Known {
  readonly policy: PathPolicy
  readonly label: string
  readonly measurements: PathMeasurements | undefined
}

/** Paths with delays above that of the quickest among them: C counts from the quickest of all. */
export function candidatesOf(known: readonly Known[]): Candidate[] {
  const skews = known.flatMap(({ measurements }) => measurements?.txSkewUs ?? [])
  const leastUs = skews.length === 0 ? 0 : Math.min(...skews)
  return known.map(({ policy: { path, tier, capBytesPerS }, label, measurements: of }) => ({
    path,
    label,
    tier,
    skewUs: (of?.txSkewUs ?? leastUs) - leastUs,
    canBytesPerS: of === undefined ? 0 : capacity(of, capBytesPerS),
    carriesBytesPerS: of?.recentTxBytesPerS ?? 0,
    suspect: of?.suspect ?? false,
    broughtBytesPerS: of?.txBytesPerS ?? 0,
    suspicions: of?.suspicionsInWindow ?? 0,
    reported: of?.reported ?? { expected: 0, lost: 0 },
  }))
}

function capacity(of: PathMeasurements, capBytesPerS: number): number {
  if (capBytesPerS > 0 && of.recentTxBytesPerS >= CAP_SHARE * capBytesPerS) return capBytesPerS
  return of.wasFull ? of.deliveryBytesPerS : 0
}

/** What a peer has to send and what of it goes out. */
export interface Load {
  /** Time that the oldest packet has waited in the queue in front of the paths. */
  readonly backlogUs: number
  /** Over the last second, without what was sent again. */
  readonly sentBytesPerS: number
}

/** What paths deliver together; undefined when this is not known of one of them. */
export function sumOfRates(paths: readonly Candidate[]): number | undefined {
  if (paths.some(({ canBytesPerS }) => canBytesPerS === 0)) return undefined
  return paths.reduce((sum, { canBytesPerS }) => sum + canBytesPerS, 0)
}
