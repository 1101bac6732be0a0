/** What the command line asks for. */

import { parseArgs } from 'node:util'
import type { Mode } from '#mptun/core/policy.js'
import { MODE } from '#mptun/wire.js'

export interface Settings {
  readonly minutes: number
  readonly seed: number
  readonly mode: Mode
  /** A file for what is needed to find a cause. */
  readonly journal: string | undefined
}

/** @throws Error that names the option, what was found and what is accepted. */
export function readSettings(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      mode: { type: 'string', default: 'adaptive' },
      journal: { type: 'string' },
    },
  })
  const { minutes, seed, mode, journal } = values
  if (!Object.hasOwn(MODE, mode)) {
    throw new Error(`--mode: found "${mode}", accepted: ${Object.keys(MODE).join(', ')}`)
  }
  return {
    minutes: readNumber('minutes', minutes, 1),
    seed: readNumber('seed', seed, 0),
    mode: mode as Mode,
    journal,
  }
}

function readNumber(option: string, found: string, least: number): number {
  const value = Number(found)
  if (value >= least) return value
  throw new Error(`--${option}: found "${found}", accepted: a number of at least ${least}`)
}
