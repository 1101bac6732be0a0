/** Meters of the uplinks that cost money: what each has used, and whether something of its budget is left. */
import { Meter, type Usage } from './budget.js'
import type { Context } from './context.js'
import type { Uplink } from './uplink.js'

/** A day or a month may have begun for an uplink whose budget is used up. */
const LOOK_US = 60_000_000

export class Meters {
  readonly #context: Context
  /** By name of the uplink; one that was taken away and comes back goes on where it was. */
  readonly #meters = new Map<string, Meter>()
  #lookAtUs = Number.POSITIVE_INFINITY

  /** @param usage of before, by name of the uplink. */
  constructor(context: Context, usage: Readonly<Record<string, Usage>>) {
    this.#context = context
    for (const [name, used] of Object.entries(usage)) this.#meters.set(name, new Meter(used))
  }

  /** By name of the uplink: to be kept across restarts. */
  usage(): Record<string, Usage> {
    const used = [...this.#meters].flatMap(([name, { usage }]) =>
      usage === undefined ? [] : [[name, usage] as const],
    )
    return Object.fromEntries(used)
  }

  /** What a metered uplink has used, for people; undefined where there is no budget. */
  told(uplink: Uplink): string | undefined {
    const { budget, isMetered } = uplink.terms
    if (!isMetered) return undefined
    return this.#meterOf(uplink.name).told(this.#context.options.wallUs(), budget)
  }

  /** Counts octets on the wire. True when its budget is used up by them, or no longer. */
  count(nowUs: number, uplink: Uplink, bytes: number): boolean {
    const { budget, isMetered } = uplink.terms
    if (!isMetered || bytes === 0) return false
    this.#meterOf(uplink.name).count(this.#context.options.wallUs(), bytes, budget.resetDay)
    return this.judge(nowUs, uplink)
  }

  /** Marks the uplink as spent, or no longer. True when that is news. */
  judge(nowUs: number, { name, terms }: Uplink): boolean {
    const { budget, isMetered, spent: before } = terms
    const wallUs = this.#context.options.wallUs()
    terms.spent = isMetered ? this.#meterOf(name).spent(wallUs, budget) : undefined
    const isSpent = terms.spent !== undefined
    if (isSpent) this.#lookAtUs = Math.min(this.#lookAtUs, nowUs + LOOK_US)
    if (isSpent === (before !== undefined)) return false
    this.#context.fact({ kind: 'budget', uplink: name, isSpent, why: terms.spent ?? '' })
    return true
  }

  /** Looks whether a spent uplink has something again. True when one has. */
  handleTimeout(nowUs: number, uplinks: Iterable<Uplink>): boolean {
    if (nowUs < this.#lookAtUs) return false
    this.#lookAtUs = Number.POSITIVE_INFINITY
    return [...uplinks].map((uplink) => this.judge(nowUs, uplink)).includes(true)
  }

  nextTimeout(): number {
    return this.#lookAtUs
  }

  #meterOf(name: string): Meter {
    const known = this.#meters.get(name) ?? new Meter()
    this.#meters.set(name, known)
    return known
  }
}
