/**
 * The mode adaptive, as far as it is policy: which paths bulk may use and which thin flows may, anew with each
 * sample of what C measured. Everything that happens per packet or per round trip is C's (native/adaptive.h).
 *
 *   tiers         which are in use at all
 *   eligibility   which of them bulk may use, by delay, rate, pauses and loss
 *   guard         whether bulk goes better with them than without
 */
import type { Candidate, Load } from './candidate.js'
import { Eligibility } from './eligibility.js'
import { Guard } from './guard.js'
import { Tiers } from './tiers.js'

export interface Admission {
  /** Ids of paths for bulk, at least one; all of them are among those for thin flows. */
  readonly bulk: readonly number[]
  readonly thin: readonly number[]
  /** Of paths for thin flows that bulk does not use: why, the rest of a sentence. */
  readonly left: ReadonlyMap<number, string>
}

export class Adaptive {
  readonly #tiers = new Tiers()
  readonly #eligibility = new Eligibility()
  readonly #guard = new Guard()

  /** Takes a sample: these paths, and what there is to carry. */
  observe(nowUs: number, paths: readonly Candidate[], load: Load): void {
    if (paths.length === 0) return
    this.#tiers.observe(nowUs, paths, load)
    const open = this.#tiers.open(paths)
    this.#eligibility.observe(nowUs, open)
    this.#guard.observe(
      nowUs,
      open.filter(({ path }) => this.#isEligible(path)),
      load,
    )
  }

  /** What follows for these paths, at least one, from the samples until now. */
  admit(paths: readonly Candidate[]): Admission {
    const open = this.#tiers.open(paths)
    const eligible = open.filter(({ path }) => this.#isEligible(path))
    const guarded = eligible.filter(({ path }) => this.#guard.why(path) === undefined)
    const bulk = [guarded, eligible].find(({ length }) => length > 0) ?? [leastBad(open)]
    const isFit = (each: Candidate) => bulk.includes(each) || !this.#eligibility.isUnfit(each.path)
    const thin = open.filter(isFit)
    const left = open.flatMap(({ path }) => {
      const why = this.#eligibility.why(path) ?? this.#guard.why(path)
      const isLeft = why !== undefined && !bulk.some((each) => each.path === path)
      return isLeft ? [[path, why] as const] : []
    })
    return { bulk: idsOf(bulk), thin: idsOf(thin), left: new Map(left) }
  }

  /** Packets are smaller from now on. */
  handleSmaller(nowUs: number): void {
    this.#eligibility.handleSmaller(nowUs)
  }

  /** The path is gone, and its number another's from here on. */
  forget(path: number): void {
    this.#eligibility.forget(path)
    this.#guard.forget(path)
  }

  #isEligible(path: number): boolean {
    return this.#eligibility.why(path) === undefined
  }
}

function idsOf(paths: readonly Candidate[]): number[] {
  return paths.map(({ path }) => path)
}

/** Of paths that all have something against them. */
function leastBad(paths: readonly Candidate[]): Candidate {
  return paths.reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a))
}

function lossOf({ reported: { expected, lost }, suspicions }: Candidate): number {
  return lost / Math.max(1, expected) + suspicions
}
