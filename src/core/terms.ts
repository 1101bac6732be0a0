/** The terms on which an uplink is used: what the user wants of it, and what that comes to when its budget is used up. */
import type { Budget } from './budget.js'
import { DEFAULT_PATH_POLICY, type Intent, type Mode, type PathPolicy } from './policy.js'
import { bitRate } from './quantity.js'

/**
 * What becomes of an uplink whose budget is used up: nothing is on it, or what nothing else carries, or no more than
 * so many bytes per second in each direction.
 */
export const OVER_BUDGET = ['stop', 'standby'] as const
export type OverBudget = (typeof OVER_BUDGET)[number] | number

/** What the user wants of an uplink. */
export interface UplinkTraits {
  readonly intent: Intent
  /** Smaller is used first. */
  readonly tier: number
  /** 1 to LIMIT.weight. */
  readonly weight: number
  /** Each octet costs money; so it does where there is a budget. */
  readonly metered: boolean
  /** Bytes, both directions together; 0: no budget. */
  readonly budgetDayBytes: number
  readonly budgetMonthBytes: number
  /** Day of the month on which its month begins, 1 to 31. */
  readonly resetDay: number
  readonly overBudget: OverBudget
  /** Bytes per second that are sent on it, and that the server sends, at most; 0: no cap. */
  readonly rateUpBytesPerS: number
  readonly rateDownBytesPerS: number
  /** Queue to aim at, both directions; 0: from the round trip. */
  readonly targetUs: number
}

/** What is left out stays as it is. */
export type UplinkPolicy = Partial<UplinkTraits>

export const DEFAULT_UPLINK: UplinkTraits = {
  intent: DEFAULT_PATH_POLICY.intent,
  tier: DEFAULT_PATH_POLICY.tier,
  weight: DEFAULT_PATH_POLICY.weight,
  metered: false,
  budgetDayBytes: 0,
  budgetMonthBytes: 0,
  resetDay: 1,
  overBudget: 'stop',
  rateUpBytesPerS: 0,
  rateDownBytesPerS: 0,
  targetUs: 0,
}

export class Terms {
  readonly #path: number
  #traits: UplinkTraits = DEFAULT_UPLINK
  /** Why its budget is used up: a sentence for people; undefined when something is left. */
  spent: string | undefined

  constructor(path: number, wanted: UplinkPolicy) {
    this.#path = path
    this.change(wanted)
  }

  change(wanted: UplinkPolicy): void {
    this.#traits = { ...this.#traits, ...wanted }
  }

  /** How this side uses its path, and how the server is to, in this mode. */
  policies(mode: Mode): { readonly own: PathPolicy; readonly servers: PathPolicy } {
    const { intent, tier, weight, rateUpBytesPerS, rateDownBytesPerS, targetUs } = this.#traits
    const over = this.#overBudget(mode)
    const own = {
      path: this.#path,
      intent: over === 'standby' && intent === 'up' ? 'standby' : intent,
      tier,
      weight,
      metered: this.isMetered,
      spent: over === 'stop',
      capBytesPerS: slower(rateUpBytesPerS, over),
      targetUs,
    }
    return { own, servers: { ...own, capBytesPerS: slower(rateDownBytesPerS, over) } }
  }

  /** That it carries on at a lower rate, for people: the rest of a sentence. */
  slowed(mode: Mode): string | undefined {
    const over = this.#overBudget(mode)
    return typeof over === 'number' ? `is held to ${bitRate(over)}: ${this.spent}` : undefined
  }

  /** The cap that the server keeps to, for people: the rest of a sentence. This end's own is in its policy. */
  toldServer(mode: Mode): string | undefined {
    const { rateDownBytesPerS } = this.#traits
    if (mode !== 'adaptive' || rateDownBytesPerS === 0) return undefined
    return `is sent at most ${bitRate(rateDownBytesPerS)} by the server`
  }

  /** Undefined while something of its budget is left. No mode but adaptive keeps to a rate: there it stops. */
  #overBudget(mode: Mode): OverBudget | undefined {
    if (this.spent === undefined) return undefined
    const { overBudget } = this.#traits
    return typeof overBudget === 'number' && mode !== 'adaptive' ? 'stop' : overBudget
  }

  get isMetered(): boolean {
    const { metered, budgetDayBytes, budgetMonthBytes } = this.#traits
    return metered || budgetDayBytes > 0 || budgetMonthBytes > 0
  }

  get budget(): Budget {
    const { budgetDayBytes: dayBytes, budgetMonthBytes: monthBytes, resetDay } = this.#traits
    return { dayBytes, monthBytes, resetDay }
  }
}

/** The lesser of two caps, of which 0 is none. */
function slower(capBytesPerS: number, over: OverBudget | undefined): number {
  if (typeof over !== 'number') return capBytesPerS
  return capBytesPerS === 0 ? over : Math.min(capBytesPerS, over)
}
