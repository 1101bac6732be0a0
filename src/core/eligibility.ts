/**
 * Which paths bulk may use in the mode adaptive. Any path with room takes the next packet, so one that is far
 * slower than the others, or loses most of what it gets, must not be among them. A path that was left out is
 * looked at again: what is measured without use is watched, everything else is tried out, ever more rarely.
 */
import type { Candidate } from './candidate.js'

/** A bulk flow has the delay of the slowest path that it uses. Beyond this the inner TCP's own timers (200 ms at least) come near. */
const MOST_SKEW_US = 150_000
/** And so much less before it is used again, so that nothing flaps. */
const MENDED_SKEW_US = 120_000
/** For this share of the pause that a try would have to wait for. */
const MENDED_SHARE = 0.2
/** Stops and losses are those of so long. */
const COUNTED_US = 10_000_000
/** In ten seconds; LTE and Starlink pause several times a minute as a matter of routine. */
const MOST_SUSPICIONS = 4
/**
 * What each more of them costs, of all that goes through in ten seconds: what has come on the other paths waits
 * for what stopped. A path that stops nine times, for 200 ms each, beside 40 Mbit/s with 10 ms, is worth it to CUBIC
 * from 10 Mbit/s on, and to BBR from 6 on; one that stops five times from 4 and 3 on (simulation).
 */
const STOP_SHARE = 0.02
/** A lost packet costs another path as much as it would have brought: at half nothing is gained. */
const MOST_LOSS = 0.3
const LEAST_REPORTED = 100

/** The first try after so long, each next one after twice as long as the one before. */
const FIRST_PAUSE_US = 10_000_000
const LONGEST_PAUSE_US = 300_000_000
/** A path that stayed for so long has made up for what was. */
const FORGIVEN_AFTER_US = 60_000_000

interface Rule {
  /** Why the path breaks the rule, for people; undefined when it does not. */
  readonly why: (path: Candidate, all: readonly Candidate[]) => string | undefined
  /** It is left out when the rule was broken for so long. */
  readonly patienceUs: number
  /** Not before it could show what it can: windows have to open. */
  readonly graceUs: number
  /** For what is measured also while it carries nothing. */
  readonly isMended?: (path: Candidate, all: readonly Candidate[]) => boolean
  /** Thin flows are better off without it, too. */
  readonly isUnfit: boolean
}

const RULES: readonly Rule[] = [
  {
    why: (path, all) => {
      const { label, skewUs } = quickest(all)
      const laterUs = path.skewUs - skewUs
      return laterUs <= MOST_SKEW_US
        ? undefined
        : `${Math.round(laterUs / 1000)} ms slower than ${label}`
    },
    isMended: (path, all) => path.skewUs - quickest(all).skewUs <= MENDED_SKEW_US,
    patienceUs: 1_000_000,
    graceUs: 0,
    isUnfit: false,
  },
  {
    why: (path, all) => {
      const others = all.filter((each) => each !== path)
      // Where all of them stop it is one of the two machines that does, or what the paths have in common.
      const own = path.suspicions - Math.min(...others.map(({ suspicions }) => suspicions))
      const sum = all.reduce((before, { broughtBytesPerS }) => before + broughtBytesPerS, 0)
      if (own <= MOST_SUSPICIONS || path.broughtBytesPerS >= STOP_SHARE * own * sum)
        return undefined
      return `it stopped ${path.suspicions} times in ten seconds`
    },
    // A link that fades carries little, and stops, for some seconds: it has all of it again before a try would come.
    patienceUs: 5_000_000,
    // The count is of the last ten seconds: those of before its return are none of it.
    graceUs: COUNTED_US,
    isUnfit: true,
  },
  {
    why: ({ reported: { expected, lost } }) =>
      expected >= LEAST_REPORTED && lost > MOST_LOSS * expected
        ? `${Math.round((100 * lost) / expected)}% of its packets are lost`
        : undefined,
    patienceUs: 1_000_000,
    // Tried again, one that passes small packets alone takes half of CUBIC's rate for as long as this lasts.
    graceUs: 0,
    isUnfit: true,
  },
]

interface Exclusion {
  readonly rule: Rule
  why: string
  readonly sinceUs: number
  readonly pauseUs: number
}

interface State {
  /** When each rule began to be broken. */
  readonly brokenUs: Map<Rule, number>
  /** First and later times that it was let in. */
  isFirst: boolean
  sinceUs: number
  /** What was counted before packets became smaller is none of what makes it unfit. */
  countsFromUs: number
  pauseUs: number
  out: Exclusion | undefined
  mendedUs: number | undefined
}

export class Eligibility {
  readonly #states = new Map<number, State>()

  /** Judges the paths anew. Call with each sample. */
  observe(nowUs: number, paths: readonly Candidate[]): void {
    for (const path of paths) {
      const state = this.#stateOf(nowUs, path.path)
      if (state.out === undefined) this.#judge(nowUs, state, path, paths)
      else this.#retry(nowUs, state, state.out, path, paths)
    }
  }

  /** Packets are smaller from now on: what was lost on a path, or stopped there, may have been too large for it. */
  handleSmaller(nowUs: number): void {
    for (const state of this.#states.values()) {
      if (state.out?.rule.isUnfit) this.#admit(nowUs, state)
      state.countsFromUs = nowUs + COUNTED_US
    }
  }

  /** Why bulk must not use this path, for people; undefined when it may. */
  why(path: number): string | undefined {
    return this.#states.get(path)?.out?.why
  }

  /** Thin flows should not use it either. */
  isUnfit(path: number): boolean {
    return this.#states.get(path)?.out?.rule.isUnfit ?? false
  }

  /** The path is gone, and its number another's from here on. */
  forget(path: number): void {
    this.#states.delete(path)
  }

  #stateOf(nowUs: number, path: number): State {
    const known = this.#states.get(path)
    if (known !== undefined) return known
    const state: State = {
      brokenUs: new Map(),
      isFirst: true,
      sinceUs: nowUs,
      countsFromUs: nowUs,
      pauseUs: FIRST_PAUSE_US,
      out: undefined,
      mendedUs: undefined,
    }
    this.#states.set(path, state)
    return state
  }

  #judge(nowUs: number, state: State, path: Candidate, paths: readonly Candidate[]): void {
    const inUs = nowUs - state.sinceUs
    if (inUs >= FORGIVEN_AFTER_US) state.pauseUs = FIRST_PAUSE_US
    const present = this.#present(path, paths)
    for (const rule of RULES) {
      const isVoid = rule.isUnfit && nowUs < state.countsFromUs
      const isEarly = isVoid || (inUs < rule.graceUs && !(state.isFirst && rule.isUnfit))
      const why = isEarly ? undefined : rule.why(path, present)
      if (why === undefined) {
        state.brokenUs.delete(rule)
        continue
      }
      const sinceUs = state.brokenUs.get(rule) ?? nowUs
      state.brokenUs.set(rule, sinceUs)
      if (nowUs - sinceUs < rule.patienceUs) continue
      state.out = { rule, why, sinceUs: nowUs, pauseUs: state.pauseUs }
      state.pauseUs = Math.min(LONGEST_PAUSE_US, 2 * state.pauseUs)
      state.brokenUs.clear()
      return
    }
  }

  #retry(
    nowUs: number,
    state: State,
    out: Exclusion,
    path: Candidate,
    paths: readonly Candidate[],
  ): void {
    const { isMended } = out.rule
    if (isMended === undefined) {
      if (nowUs - out.sinceUs >= out.pauseUs) this.#admit(nowUs, state)
      return
    }
    const present = this.#present(path, paths)
    out.why = out.rule.why(path, present) ?? out.why
    state.mendedUs = isMended(path, present) ? (state.mendedUs ?? nowUs) : undefined
    const mendedForUs = nowUs - (state.mendedUs ?? nowUs)
    if (mendedForUs >= MENDED_SHARE * out.pauseUs) this.#admit(nowUs, state)
  }

  /** The path and those beside it that are not left out. */
  #present(path: Candidate, paths: readonly Candidate[]): Candidate[] {
    return paths.filter((each) => each === path || this.why(each.path) === undefined)
  }

  #admit(nowUs: number, state: State): void {
    state.out = undefined
    state.mendedUs = undefined
    state.isFirst = false
    state.sinceUs = nowUs
  }
}

function quickest(paths: readonly Candidate[]): Candidate {
  return paths.reduce((best, each) => (each.skewUs < best.skewUs ? each : best))
}
