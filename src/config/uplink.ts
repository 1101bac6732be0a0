/** `NAME[,weight=N][,tier=N][,metered]...`: one way out, as the command line, the file and `mptun set` spell it. */

import type { Intent } from '../core/policy.js'
import { DEFAULT_UPLINK, OVER_BUDGET, type OverBudget, type UplinkTraits } from '../core/terms.js'
import { INTENT, LIMIT } from '../wire.js'
import { suggestion } from './spelling.js'
import {
  bitRate,
  dataAmount,
  deviceName,
  integer,
  milliseconds,
  type Reader,
  refuse,
  Unacceptable,
} from './values.js'

export interface UplinkConfig extends UplinkTraits {
  readonly name: string
}

export const INTENTS = Object.keys(INTENT) as Intent[]

/** A trait with a value: `WORD=SHAPE`. */
export interface Trait {
  readonly shape: string
  readonly doc: string
  readonly read: (text: string) => Partial<UplinkTraits>
}

type NumberTrait = {
  [K in keyof UplinkTraits]: UplinkTraits[K] extends number ? K : never
}[keyof UplinkTraits]

const numeric = (key: NumberTrait, reader: Reader<number>) => (text: string) => ({
  [key]: reader(text),
})

/** A queue of a second is what this option is there to avoid. */
const delayTarget = milliseconds(1, 500)
const target: Reader<number> = (text) => (text === 'auto' ? 0 : delayTarget(text))

const overBudget: Reader<OverBudget> = (text) => {
  if (/^\d/.test(text)) return bitRate(text)
  const word = OVER_BUDGET.find((each) => each === text)
  return word ?? refuse(text, `${OVER_BUDGET.join(', ')}, or a rate such as 512kbit`)
}

/** Those with a value, by word. */
export const TRAITS: Readonly<Record<string, Trait>> = {
  weight: {
    shape: 'N',
    doc: 'share in balance-rr and balance-xor, 1 to 256',
    read: numeric('weight', integer(1, LIMIT.weight.value)),
  },
  tier: {
    shape: 'N',
    doc: 'smaller tiers are used first; adaptive adds the next one while those before it are full',
    // One octet on the wire.
    read: numeric('tier', integer(0, 255)),
  },
  'budget-day': {
    shape: 'AMOUNT',
    doc: 'metered; carries no more than this a day, both directions together: 500MB, none',
    read: numeric('budgetDayBytes', dataAmount),
  },
  'budget-month': {
    shape: 'AMOUNT',
    doc: 'the same for a month: 10GB, none',
    read: numeric('budgetMonthBytes', dataAmount),
  },
  'reset-day': {
    shape: 'N',
    doc: 'day on which that month begins, 1 to 31',
    read: numeric('resetDay', integer(1, 31)),
  },
  'over-budget': {
    shape: 'WHAT',
    doc: 'when they are used up: stop, standby (only when no other uplink is left) or, in adaptive, a rate: 512kbit',
    read: (text) => ({ overBudget: overBudget(text) }),
  },
  'rate-up': {
    shape: 'RATE',
    doc: 'the most that adaptive sends on it: 20Mbit, none; not needed',
    read: numeric('rateUpBytesPerS', bitRate),
  },
  'rate-down': {
    shape: 'RATE',
    doc: 'the same for what comes from the server',
    read: numeric('rateDownBytesPerS', bitRate),
  },
  target: {
    shape: 'MS',
    doc: 'queue that adaptive aims at on it: 15ms, auto',
    read: numeric('targetUs', target),
  },
}

/** Those without. */
const SWITCHES: Readonly<Record<string, Partial<UplinkTraits>>> = {
  metered: { metered: true },
  unmetered: { metered: false },
  ...Object.fromEntries(INTENTS.map((intent) => [intent, { intent }])),
}

/** What the table [[uplink]] of the file takes. */
export const UPLINK_KEYS: readonly string[] = [
  'name',
  ...Object.keys(TRAITS),
  'intent',
  'standby',
  'metered',
]

/** What may stand behind the name of an uplink. */
const TRAIT_FORMS: readonly string[] = [
  ...Object.entries(TRAITS).map(([word, { shape }]) => `${word}=${shape}`),
  ...Object.keys(SWITCHES),
]

export const uplink: Reader<UplinkConfig> = (text) => {
  const [name = '', ...words] = text.split(',')
  return { name: deviceName(name), ...DEFAULT_UPLINK, ...readTraits(words) }
}

/** Reads `weight=3`, `tier=1`, `standby`; the same twice is refused. */
export function readTraits(words: readonly string[]): Partial<UplinkTraits> {
  let traits: Partial<UplinkTraits> = {}
  for (const word of words) {
    const read = readTrait(word)
    const twice = Object.keys(read).some((key) => Object.hasOwn(traits, key))
    if (twice) throw new Unacceptable(`${nameOf(word)} is given twice`)
    traits = { ...traits, ...read }
  }
  return traits
}

function readTrait(word: string): Partial<UplinkTraits> {
  const [key = '', value] = word.split(/=(.*)/s)
  if (value === undefined && Object.hasOwn(SWITCHES, key)) return SWITCHES[key]!
  if (value !== undefined && Object.hasOwn(TRAITS, key)) return named(key, TRAITS[key]!.read, value)
  const words = [...Object.keys(TRAITS), ...Object.keys(SWITCHES)]
  return refuse(word, `${TRAIT_FORMS.join(', ')}${suggestion(key, words)}`)
}

/** What a word is about, for refusals. */
function nameOf(word: string): string {
  const [key = ''] = word.split('=')
  return INTENTS.includes(key as Intent) ? 'intent' : key
}

/** Reads a value; a refusal says of what it is. */
export function named<F, T>(name: string, reader: (found: F) => T, found: F): T {
  try {
    return reader(found)
  } catch (error) {
    if (error instanceof Unacceptable) throw new Unacceptable(`${name}: ${error.message}`)
    throw error
  }
}
