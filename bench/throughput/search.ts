/** The highest rate at which little enough is lost, found in few trials. */

/** Between two rates next to each other: as near as two runs of one program are on a quiet machine. */
const STEP = 1.1
const LOWEST_PER_S = 5000
const HIGHEST_PER_S = 4e6
const TOP = Math.floor(Math.log(HIGHEST_PER_S / LOWEST_PER_S) / Math.log(STEP))

const rateOf = (rung: number) => LOWEST_PER_S * STEP ** rung

/** The rung at or below a rate. */
const rungOf = (perS: number) =>
  Math.max(0, Math.min(TOP, Math.floor(Math.log(perS / LOWEST_PER_S) / Math.log(STEP) + 1e-9)))

/** A machine that does other things too stops for some milliseconds now and then: a rate gets a second chance. */
const TRIES = 2

export interface Trial {
  /** Where the sender is the slowest of all, more is asked in vain, and what it sent arrives. */
  readonly receivedPerS: number
  /** Of what was sent, 0 to 1. */
  readonly loss: number
}

/** Trials at many rates, each made once and good for every question. */
export class RateSearch {
  readonly #trial: (perS: number) => Promise<Trial>
  /** The best at each rung. */
  readonly #trials = new Map<number, Trial>()

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
    let leastLoss = this.#trials.get(rung)?.loss ?? 1
    for (let tries = 0; tries < TRIES && leastLoss > mostLoss; tries++) {
      const trial = await this.#trial(rateOf(rung))
      if (trial.loss < leastLoss) this.#trials.set(rung, trial)
      leastLoss = Math.min(leastLoss, trial.loss)
    }
    return leastLoss <= mostLoss
  }
}
