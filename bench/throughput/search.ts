/** The highest rate at which little enough is lost, found in few trials. */

/** Between two rates next to each other: finer than two runs of one program agree. */
const STEP = 1.06
const LOWEST_PER_S = 5000
const HIGHEST_PER_S = 4e6
const TOP = Math.floor(Math.log(HIGHEST_PER_S / LOWEST_PER_S) / Math.log(STEP))

const rateOf = (rung: number) => LOWEST_PER_S * STEP ** rung

/** The rung at or below a rate. */
const rungOf = (perS: number) =>
  Math.max(0, Math.min(TOP, Math.floor(Math.log(perS / LOWEST_PER_S) / Math.log(STEP) + 1e-9)))

/** A machine that does other things too stops for some milliseconds now and then: a rate gets a second chance. */
const TRIES = 2
/** A sender that got so much less of the CPU shows that the machine has no more to give. */
const LEAST_SHARE_SENT = 0.95

export interface Trial {
  readonly sentPerS: number
  readonly receivedPerS: number
  /** Of what was sent, 0 to 1. */
  readonly loss: number
}

/** Trials at many rates, each made once and good for every question. */
export class RateSearch {
  readonly #trial: (perS: number) => Promise<Trial>
  /** The best at each rung. */
  readonly #trials = new Map<number, Trial>()
  /** Above it the sender is not quick enough. */
  #ceiling = TOP

  constructor(trial: (perS: number) => Promise<Trial>) {
    this.#trial = trial
  }

  /**
   * The highest rate that loses at most so much, 0 when none does. Starts at `guess`, goes up or down in
   * strides that double until the answer changes, and halves what is between.
   */
  async find(mostLoss: number, guessPerS: number): Promise<number> {
    const passes = (rung: number) => this.#passes(rung, mostLoss)
    let passed = -1
    let failed = TOP + 1
    const start = rungOf(guessPerS)
    if (await passes(start)) passed = start
    else failed = start
    for (let stride = 2; passed < 0 || failed > TOP; stride *= 2) {
      const next = failed > TOP ? Math.min(passed + stride, TOP) : Math.max(failed - stride, 0)
      if (next === passed || next === failed) break
      if (await passes(next)) passed = next
      else failed = next
    }
    while (failed - passed > 1) {
      const middle = Math.floor((passed + failed) / 2)
      if (await passes(middle)) passed = middle
      else failed = middle
    }
    return passed < 0 ? 0 : rateOf(passed)
  }

  /** Of all that was tried, the most that arrived in a second with at most so much loss. */
  greatest(mostLoss: number): number {
    const passed = [...this.#trials.values()].filter(({ loss }) => loss <= mostLoss)
    return Math.max(0, ...passed.map(({ receivedPerS }) => receivedPerS))
  }

  async #passes(rung: number, mostLoss: number): Promise<boolean> {
    if (rung > this.#ceiling) return false
    for (let tries = 0; tries < TRIES && !this.#isGood(rung, mostLoss); tries++) {
      const trial = await this.#trial(rateOf(rung))
      const best = this.#trials.get(rung)
      if (best === undefined || trial.loss < best.loss) this.#trials.set(rung, trial)
    }
    const { loss, sentPerS } = this.#trials.get(rung)!
    if (loss > mostLoss) return false
    if (sentPerS < rateOf(rung) * LEAST_SHARE_SENT) this.#ceiling = rung
    return true
  }

  /** Known to pass, with a sender that was quick enough. */
  #isGood(rung: number, mostLoss: number): boolean {
    const best = this.#trials.get(rung)
    if (best === undefined || best.loss > mostLoss) return false
    return rung === this.#ceiling || best.sentPerS >= rateOf(rung) * LEAST_SHARE_SENT
  }
}
