/**
 * How much of its budget an uplink has used, by day and by month of the contract. Days and months are those of the
 * machine's own time zone, as people and bills count them.
 */
import { dataSize } from './quantity.js'

export interface Budget {
  /** Bytes; 0: no budget. */
  readonly dayBytes: number
  readonly monthBytes: number
  /** Day on which the month of the contract begins, 1 to 31; in shorter months their last day. */
  readonly resetDay: number
}

/** What is kept across restarts. */
export interface Usage {
  /** First days of the day and of the month that are counted, as 2026-01-31. */
  readonly day: string
  readonly dayBytes: number
  readonly month: string
  readonly monthBytes: number
}

/** Routers begin in 1970 and learn the time later: a clock of before this program is not believed. */
export const FIRST_YEAR = 2020
/**
 * A day before the one that is counted is believed when the clock has come so far since: then it was ahead before. Until
 * then it is behind, as that of a machine is which starts on the day on which its system was built.
 */
const PROOF_US = 86_400_000_000

/** Counts what one uplink carries. */
export class Meter {
  #usage: Usage | undefined
  /** The earliest time of day that lay before the day that is counted. */
  #behindUs = Number.POSITIVE_INFINITY

  constructor(usage?: Usage) {
    this.#usage = usage
  }

  /** Nothing: it has never counted. */
  get usage(): Usage | undefined {
    return this.#usage
  }

  /** Adds what was carried now. `wallUs`: the time of day, microseconds since 1970. */
  count(wallUs: number, bytes: number, resetDay: number): void {
    const { day, dayBytes, month, monthBytes } = this.#at(wallUs, resetDay)
    this.#usage = { day, dayBytes: dayBytes + bytes, month, monthBytes: monthBytes + bytes }
  }

  /** Why the budget is used up, for people; undefined when something is left. */
  spent(wallUs: number, budget: Budget): string | undefined {
    const { day, dayBytes, monthBytes } = this.#at(wallUs, budget.resetDay)
    const isSpent = (used: number, most: number) => most > 0 && used >= most
    if (isDayBefore(wallUs, day) && isSpent(monthBytes, budget.monthBytes)) {
      return `its ${dataSize(budget.monthBytes)} of the month of ${day} are used up; the clock of this machine is behind`
    }
    if (isDayBefore(wallUs, day) && isSpent(dayBytes, budget.dayBytes)) {
      return `its ${dataSize(budget.dayBytes)} of ${day} are used up; the clock of this machine is behind`
    }
    if (isSpent(monthBytes, budget.monthBytes)) {
      const next = isoDate(monthAfter(new Date(wallUs / 1000), budget.resetDay))
      return `its ${dataSize(budget.monthBytes)} of this month are used up; the next month begins on ${next}`
    }
    if (isSpent(dayBytes, budget.dayBytes)) {
      return `its ${dataSize(budget.dayBytes)} of today are used up; the next day begins at midnight`
    }
    return undefined
  }

  /** What was used, for people: the rest of a sentence. Undefined without a budget. */
  told(wallUs: number, budget: Budget): string | undefined {
    const { dayBytes, monthBytes } = this.#at(wallUs, budget.resetDay)
    const part = (used: number, most: number, when: string) =>
      most === 0 ? [] : [`${dataSize(used)} of ${dataSize(most)} ${when}`]
    const parts = [
      ...part(dayBytes, budget.dayBytes, 'today'),
      ...part(monthBytes, budget.monthBytes, 'this month'),
    ]
    return parts.length === 0 ? undefined : `has used ${parts.join(' and ')}`
  }

  /** The counts as of now: zero where a day or a month has begun since. */
  #at(wallUs: number, resetDay: number): Usage {
    const now = new Date(wallUs / 1000)
    const day = isoDate(now)
    const month = isoDate(monthOf(now, resetDay))
    const before = this.#usage
    if (before === undefined) return { day, dayBytes: 0, month, monthBytes: 0 }
    if (this.#isBehind(wallUs, before.day)) return before
    // Of another reset day it is not known what was used since then: all counts, until a month begins.
    const isSameMonth = month === before.month || (month <= before.day && before.day <= day)
    return {
      day,
      dayBytes: day === before.day ? before.dayBytes : 0,
      month,
      monthBytes: isSameMonth ? before.monthBytes : 0,
    }
  }

  #isBehind(wallUs: number, counted: string): boolean {
    if (new Date(wallUs / 1000).getFullYear() < FIRST_YEAR) return true
    if (!isDayBefore(wallUs, counted)) {
      this.#behindUs = Number.POSITIVE_INFINITY
      return false
    }
    this.#behindUs = Math.min(this.#behindUs, wallUs)
    return wallUs < this.#behindUs + PROOF_US
  }
}

function isDayBefore(wallUs: number, counted: string): boolean {
  return isoDate(new Date(wallUs / 1000)) < counted
}

/** The day on which the month of the contract began. */
function monthOf(now: Date, resetDay: number): Date {
  const begin = beginning(now.getFullYear(), now.getMonth(), resetDay)
  return begin <= now ? begin : beginning(now.getFullYear(), now.getMonth() - 1, resetDay)
}

function monthAfter(now: Date, resetDay: number): Date {
  const begin = monthOf(now, resetDay)
  return beginning(begin.getFullYear(), begin.getMonth() + 1, resetDay)
}

function beginning(year: number, month: number, resetDay: number): Date {
  const days = new Date(year, month + 1, 0).getDate()
  return new Date(year, month, Math.min(resetDay, days))
}

function isoDate(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}
