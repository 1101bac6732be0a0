/** The configuration file: TOML, the words of the command line, and for each value the line where it stands. */

import { configError } from '../errors.js'
import { findOption, type Role } from './options.js'

/** A value somebody gave, and how to say where. */
export interface Given {
  readonly value: unknown
  /** @param inner what lies within the value: `[1]`, or nothing. */
  readonly place: (inner: string) => string
}

/** By word. */
export type GivenOptions = ReadonlyMap<string, Given>

/** Options of the command line, by word; those left out are undefined. */
export function fromCommandLine(options: Readonly<Record<string, unknown>>): GivenOptions {
  return new Map(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([word, value]) => [word, { value, place: () => `--${word}` }]),
  )
}

/**
 * Reads the text of a file named `name`; values are not looked at yet.
 * MPTUN_E_CONFIG_SYNTAX when it is not TOML, MPTUN_E_CONFIG_KEY for a key that is unknown or given twice.
 */
export async function fromFile(role: Role, name: string, text: string): Promise<GivenOptions> {
  const table = await parseToml(name, text)
  const lines = keyLines(text)
  const given = new Map<string, Given>()
  const keys = new Map<string, string>()
  for (const [key, value] of Object.entries(table)) {
    const place = (inner: string) => `${name}${lineOf(lines, key, inner)}: ${key}${inner}`
    const option = findOption(role, key)
    if (typeof option === 'string') {
      throw configError('KEY', `${name}${lineOf(lines, key)}: ${option}`, key)
    }
    const before = keys.get(option.word)
    if (before !== undefined) {
      throw configError('KEY', `${place('')}: ${before} says the same; keep one of them`, key)
    }
    keys.set(option.word, key)
    given.set(option.word, { value: key.endsWith('slaves') ? slaves(value) : value, place })
  }
  return given
}

async function parseToml(name: string, text: string): Promise<Record<string, unknown>> {
  // Not every command reads a file.
  const { parse, TomlError } = await import('smol-toml')
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [reason = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n')
    throw configError('SYNTAX', `${name}:${error.line}:${error.column}: not TOML: ${reason}`)
  }
}

/** The bonding driver's list is one string with blanks. */
function slaves(value: unknown): unknown {
  return typeof value === 'string' ? value.split(/\s+/).filter((name) => name !== '') : value
}

/** Lines of keys such as `mode` and `uplink[1]`: smol-toml keeps none. */
function keyLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>()
  const counts = new Map<string, number>()
  let isTop = true
  const note = (key: string, line: number) => {
    if (!lines.has(key)) lines.set(key, line)
  }
  for (const [i, line] of text.split('\n').entries()) {
    const [, array] = /^\s*\[\[\s*["']?([\w-]+)["']?\s*\]\]/.exec(line) ?? []
    const [, table] = /^\s*\[\s*["']?([\w-]+)/.exec(line) ?? []
    const [, key] = /^\s*["']?([\w-]+)["']?\s*[=.]/.exec(line) ?? []
    if (array !== undefined) {
      const count = counts.get(array) ?? 0
      counts.set(array, count + 1)
      note(array, i + 1)
      note(`${array}[${count}]`, i + 1)
    } else if (table !== undefined) {
      note(table, i + 1)
    } else if (key !== undefined && isTop) {
      note(key, i + 1)
    }
    isTop &&= array === undefined && table === undefined
  }
  return lines
}

/** `:7`; nothing when the file is written in a way that keyLines does not see. @param inner `[1]` or nothing. */
function lineOf(lines: ReadonlyMap<string, number>, key: string, inner = ''): string {
  const line = lines.get(key + inner) ?? lines.get(key)
  return line === undefined ? '' : `:${line}`
}
