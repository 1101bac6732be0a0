/** `NAME[,weight=N][,tier=N][,standby]`: one way out, as the command line, the file and `mptun set` spell it. */

import { DEFAULT_PATH_POLICY, type Intent } from '../core/policy.js'
import { INTENT, LIMIT } from '../wire.js'
import { suggestion } from './spelling.js'
import { deviceName, integer, type Reader, refuse, Unacceptable } from './values.js'

export interface UplinkConfig {
  readonly name: string
  readonly weight: number
  /** Smaller is used first. */
  readonly tier: number
  readonly intent: Intent
}

export type UplinkTraits = Omit<UplinkConfig, 'name'>

export const INTENTS = Object.keys(INTENT) as Intent[]
const TRAITS = ['weight=N', 'tier=N', ...INTENTS]

export const weight = integer(1, LIMIT.weight.value)
/** One octet on the wire. */
export const tier = integer(0, 255)

export const uplink: Reader<UplinkConfig> = (text) => {
  const [name = '', ...words] = text.split(',')
  const { intent, tier, weight } = DEFAULT_PATH_POLICY
  return { name: deviceName(name), intent, tier, weight, ...readTraits(words) }
}

/** Reads `weight=3`, `tier=1`, `standby`; the same twice is refused. */
export function readTraits(words: readonly string[]): Partial<UplinkTraits> {
  const traits: { -readonly [K in keyof UplinkTraits]?: UplinkTraits[K] } = {}
  for (const word of words) {
    const [key = '', value] = word.split(/=(.*)/s)
    const trait = INTENTS.includes(key as Intent) ? 'intent' : key
    if (Object.hasOwn(traits, trait)) throw new Unacceptable(`${trait} is given twice`)
    if (trait === 'intent' && value === undefined) traits.intent = key as Intent
    else if (trait === 'weight' && value !== undefined) traits.weight = named(trait, weight, value)
    else if (trait === 'tier' && value !== undefined) traits.tier = named(trait, tier, value)
    else refuse(word, `${TRAITS.join(', ')}${suggestion(key, ['weight', 'tier', ...INTENTS])}`)
  }
  return traits
}

function named<T>(name: string, reader: Reader<T>, text: string): T {
  try {
    return reader(text)
  } catch (error) {
    if (error instanceof Unacceptable) throw new Unacceptable(`${name}: ${error.message}`)
    throw error
  }
}

/** The text that `uplink` reads back. */
export function formatUplink({ name, weight, tier, intent }: UplinkConfig): string {
  const words = [
    name,
    ...(weight === DEFAULT_PATH_POLICY.weight ? [] : [`weight=${weight}`]),
    ...(tier === DEFAULT_PATH_POLICY.tier ? [] : [`tier=${tier}`]),
    ...(intent === DEFAULT_PATH_POLICY.intent ? [] : [intent]),
  ]
  return words.join(',')
}
