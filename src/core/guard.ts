/**
 * The guard in the mode adaptive: is the use of a path worth it? Where more than one path carries bulk and less
 * goes through than all paths but one would carry, that one is tried for harm: some seconds with it, some
 * without, some with it again. When clearly more went through without it than both times with it, it is left out, and
 * tried again, ever more rarely.
 *
 * A sender that has no more to say looks the same as one that is held back; the trial tells them apart, and costs
 * nothing then: what goes through with and without the path is all that there is.
 */
import { type Candidate, type Load, sumOfRates } from './candidate.js'
import { bitRate } from './quantity.js'

/** Below this nobody would notice, and interactive flows alone make as much. */
const LEAST_BYTES_PER_S = 125_000
/** For so long less must go through than could before anything is tried. */
const DOUBT_US = 10_000_000
/** Inner flows grow for some seconds, for tens of them where delays jitter: nothing is tried while the second half of that time is so much better than the first. */
const GROWING = 1.15
/** Each part of a trial. Inner flows get used to it in the first part of it, the rest counts. */
const PHASE_US = 5_000_000
const SETTLE_US = 2_000_000
/** So much more without it: the rate of one TCP flow differs by as much from second to second. */
const CLEARLY_MORE = 1.15
/** Of what is sent: who carries less is not in use, and does neither good nor harm. */
const USED_SHARE = 0.01
/** From one trial of a path to the next, and the time that it is left out; doubles each time. */
const FIRST_PAUSE_US = 60_000_000
const LONGEST_PAUSE_US = 1_800_000_000

const PHASES = ['with', 'without', 'with again'] as const

interface Trial {
  readonly path: number
  /** Paths that carried bulk when it began. */
  readonly members: string
  phase: number
  sinceUs: number
  readonly rates: [number[], number[], number[]]
}

interface Doubt {
  readonly sinceUs: number
  readonly rates: [number[], number[]]
}

interface History {
  pauseUs: number
  /** No trial before. */
  nextUs: number
  out: { readonly why: string; readonly untilUs: number } | undefined
}

export class Guard {
  readonly #histories = new Map<number, History>()
  #trial: Trial | undefined
  #doubt: Doubt | undefined

  /** Why bulk must not use this path, for people; undefined when it may. */
  why(path: number): string | undefined {
    if (this.#trial?.path === path && PHASES[this.#trial.phase] === 'without') {
      return 'for some seconds, to see whether it does good'
    }
    return this.#histories.get(path)?.out?.why
  }

  /** Watches the paths that are good enough for bulk, those that it leaves out itself among them. Call with each sample. */
  observe(nowUs: number, paths: readonly Candidate[], load: Load): void {
    for (const history of this.#histories.values()) {
      if (history.out !== undefined && nowUs >= history.out.untilUs) history.out = undefined
    }
    const members = paths.filter(({ path }) => this.#histories.get(path)?.out === undefined)
    if (this.#trial !== undefined) {
      this.#continue(nowUs, this.#trial, members, load)
      return
    }
    const doubted = this.#doubted(nowUs, members, load)
    if (doubted === undefined) {
      this.#doubt = undefined
      return
    }
    this.#doubt ??= { sinceUs: nowUs, rates: [[], []] }
    const doubtUs = nowUs - this.#doubt.sinceUs
    this.#doubt.rates[doubtUs < DOUBT_US / 2 ? 0 : 1].push(load.sentBytesPerS)
    if (doubtUs < DOUBT_US) return
    const [first, second] = this.#doubt.rates.map(mean) as [number, number]
    this.#doubt = undefined
    if (second > GROWING * first) return
    const rates: Trial['rates'] = [[], [], []]
    this.#trial = { path: doubted, members: namesOf(members), phase: 0, sinceUs: nowUs, rates }
  }

  /** The path is gone, and its number another's from here on. */
  forget(path: number): void {
    this.#histories.delete(path)
    if (this.#trial?.path === path) this.#trial = undefined
  }

  /** The path without which more might go through, the slowest first; never the one that carries most. */
  #doubted(nowUs: number, members: readonly Candidate[], load: Load): number | undefined {
    if (members.length < 2 || load.sentBytesPerS < LEAST_BYTES_PER_S) return undefined
    const best = members.reduce((a, b) => (b.carriesBytesPerS > a.carriesBytesPerS ? b : a))
    const doubted = members
      .filter((each) => each !== best && nowUs >= this.#historyOf(each.path).nextUs)
      .filter((each) => each.carriesBytesPerS >= USED_SHARE * load.sentBytesPerS)
      .sort((a, b) => b.skewUs - a.skewUs || a.canBytesPerS - b.canBytesPerS)
      .find((each) => {
        const without = sumOfRates(members.filter((other) => other !== each))
        return without === undefined || load.sentBytesPerS < without
      })
    return doubted?.path
  }

  #continue(nowUs: number, trial: Trial, members: readonly Candidate[], load: Load): void {
    // Of a trial in which something else changed, nothing can be learnt.
    if (namesOf(members) !== trial.members || load.sentBytesPerS < LEAST_BYTES_PER_S / 2) {
      this.#trial = undefined
      this.#historyOf(trial.path).nextUs = nowUs + FIRST_PAUSE_US
      return
    }
    const inPhaseUs = nowUs - trial.sinceUs
    if (inPhaseUs > SETTLE_US) trial.rates[trial.phase]!.push(load.sentBytesPerS)
    if (inPhaseUs < PHASE_US) return
    trial.sinceUs = nowUs
    trial.phase++
    if (trial.phase < PHASES.length) return
    this.#trial = undefined
    this.#conclude(nowUs, trial)
  }

  #conclude(nowUs: number, { path, rates }: Trial): void {
    const history = this.#historyOf(path)
    const [before, without, after] = rates.map(mean) as [number, number, number]
    const withIt = Math.max(before, after)
    const untilUs = nowUs + history.pauseUs
    history.nextUs = untilUs
    history.pauseUs = Math.min(LONGEST_PAUSE_US, 2 * history.pauseUs)
    if (without <= CLEARLY_MORE * withIt) return
    const why = `${bitRate(without)} go through without it, ${bitRate(withIt)} with it`
    history.out = { why, untilUs }
  }

  #historyOf(path: number): History {
    const known = this.#histories.get(path)
    if (known !== undefined) return known
    const history: History = { pauseUs: FIRST_PAUSE_US, nextUs: 0, out: undefined }
    this.#histories.set(path, history)
    return history
  }
}

function namesOf(paths: readonly Candidate[]): string {
  return paths.map(({ path }) => path).join()
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
