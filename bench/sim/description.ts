/** Links as the emulator's --link describes them, so that one scenario runs in real and in virtual time. */
import { readFileSync } from 'node:fs'
import type { LinkShape } from './addon.js'

export interface LinkDescription {
  /** What the client sends. */
  readonly up: LinkShape
  readonly down: LinkShape
}

type Word = (value: string) => Partial<LinkShape>

const TIME_US: Readonly<Record<string, number>> = { '': 1000, us: 1, ms: 1000, s: 1_000_000 }
const RATE_BYTES_PER_S: Readonly<Record<string, number>> = {
  '': 125_000,
  k: 125,
  M: 125_000,
  G: 125_000_000,
}
const SIZE_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, M: 1_048_576 }
const PERCENT: Readonly<Record<string, number>> = { '': 0.01, '%': 0.01 }
const PLAIN: Readonly<Record<string, number>> = { '': 1 }

/** What a link holds unless it says otherwise, as the emulator's. */
const DEFAULT_QUEUE_US = 200_000

/** A decimal number with one of the suffixes, which scales it; undefined: something else. */
function quantity(value: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits = '', suffix = ''] = /^([\d.]+)(\D*)$/.exec(value) ?? []
  const factor = units[suffix]
  return digits === '' || factor === undefined ? undefined : Number(digits) * factor
}

function needed(value: string, units: Readonly<Record<string, number>>): number {
  const found = quantity(value, units)
  if (found !== undefined && Number.isFinite(found)) return found
  const suffixes = Object.keys(units).map((suffix) => (suffix === '' ? 'nothing' : suffix))
  throw new Error(`"${value}": accepted is a number followed by ${suffixes.join(', ')}`)
}

function queue(value: string): Partial<LinkShape> {
  if (value === 'none') return { queueUs: 0, queueBytes: 0 }
  const bytes = quantity(value, SIZE_BYTES)
  if (bytes !== undefined) return { queueUs: 0, queueBytes: bytes }
  return { queueUs: Math.round(needed(value, TIME_US)), queueBytes: 0 }
}

/** A trace of mahimahi (mm-link(1)): the millisecond of one delivery opportunity a line. */
export function readTrace(file: string): Uint32Array {
  const times = readFileSync(file, 'utf8').trim().split(/\s+/).map(Number)
  const last = times.at(-1) ?? Number.NaN
  if (last > 0 && times.every((ms) => Number.isInteger(ms) && ms >= 0))
    return Uint32Array.from(times)
  throw new Error(`trace: found ${file}, accepted are files of one whole number of ms a line`)
}

const WORDS: Readonly<Record<string, Word>> = {
  rate: (value) => ({ rateBytesPerS: Math.round(needed(value, RATE_BYTES_PER_S)) }),
  trace: (value) => ({ trace: readTrace(value) }),
  delay: (value) => ({ delayUs: Math.round(needed(value, TIME_US)) }),
  jitter: (value) => ({ jitterUs: Math.round(needed(value, TIME_US)) }),
  dist: (value) => ({ jitterUniform: value === 'uniform' }),
  loss: (value) => ({ loss: needed(value, PERCENT) }),
  burst: (value) => ({ lossBurst: needed(value, PLAIN) }),
  duplicate: (value) => ({ duplicate: needed(value, PERCENT) }),
  queue,
  limit: (value) => ({ limitPackets: value === 'none' ? 0 : needed(value, PLAIN) }),
  overhead: (value) => ({ overheadBytes: needed(value, PLAIN) }),
}

/**
 * Reads `rate=20,delay=10,up.loss=1`: later words win, and change `before` where there is one.
 * @throws Error for a word that the emulator has not, or that names a namespace or a device.
 */
export function describeLink(text: string, before?: LinkDescription): LinkDescription {
  const fresh: LinkShape = { queueUs: DEFAULT_QUEUE_US }
  let { up, down } = before ?? { up: fresh, down: fresh }
  for (const word of text.split(',')) {
    const [, direction, name = '', value = ''] = /^(?:(up|down)\.)?(\w+)=(.*)$/.exec(word) ?? []
    const read = WORDS[name]
    if (read === undefined) {
      const known = Object.keys(WORDS).join(', ')
      throw new Error(`link: found "${word}", accepted are ${known}, each with = and a value`)
    }
    if (direction !== 'down') up = { ...up, ...read(value) }
    if (direction !== 'up') down = { ...down, ...read(value) }
  }
  return { up, down }
}

/** Mean bytes a second that a direction carries; undefined: unlimited. */
export function meanRate({ rateBytesPerS = 0, trace }: LinkShape): number | undefined {
  if (trace !== undefined) return (trace.length * 1500) / (trace.at(-1)! / 1000)
  return rateBytesPerS > 0 ? rateBytesPerS : undefined
}
