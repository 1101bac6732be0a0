/** Options of the command line, made from the list of words that the configuration file has too. */

import { type Command, InvalidArgumentError } from 'commander'
import {
  DEFAULT_RUN_DIR,
  DEFAULT_STATE_DIR,
  DEFAULT_TUN,
  docFor,
  type Option,
  optionsOf,
  type Role,
  RUN_DIR,
  STATE_DIR,
  TUN,
} from '../config/options.js'
import { TRAITS } from '../config/uplink.js'
import { deviceName, path, type Reader, Unacceptable } from '../config/values.js'

export interface StateOptions {
  readonly stateDir: string
}

export interface DaemonOptions {
  readonly tun: string
  readonly runDir: string
}

/** Of commands that read or write the state directory. */
export function withState(command: Command): Command {
  return command
    .option(flags(STATE_DIR), docOf(STATE_DIR), reading(path), DEFAULT_STATE_DIR)
    .configureHelp({ sortOptions: false })
}

/** Of commands that talk to a daemon. */
export function withDaemon(command: Command): Command {
  return command
    .option(flags(TUN), docOf(TUN), reading(deviceName), DEFAULT_TUN)
    .option(flags(RUN_DIR), docOf(RUN_DIR), reading(path), DEFAULT_RUN_DIR)
    .configureHelp({ sortOptions: false })
}

/** All words of a role. */
export function withConfig(command: Command, role: Role): Command {
  for (const option of optionsOf(role)) {
    const doc = docFor(option, role)
    if (option.many) command.option(flags(option), doc, collect)
    else command.option(flags(option), doc)
  }
  return command
}

/** What was given of them, by word. */
export function givenWords(command: Command, role: Role): Record<string, unknown> {
  const given = optionsOf(role).flatMap((option) => {
    const name = command.options.find(({ long }) => long === flag(option))?.attributeName()
    // commander gives switches that are on a default, which must not outdo the file.
    if (name === undefined || command.getOptionValueSource(name) === 'default') return []
    return [[option.word, command.getOptionValue(name)]]
  })
  return Object.fromEntries(given)
}

/** A reader of the configuration for commander, which says itself where the value stood. */
export function reading<T>(reader: Reader<T>): (text: string) => T {
  return (text) => {
    try {
      return reader(text)
    } catch (error) {
      if (error instanceof Unacceptable) throw new InvalidArgumentError(error.message)
      throw error
    }
  }
}

export function collect(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

function flag({ word, on }: Option): string {
  return on === undefined ? `--${word}` : `--no-${word}`
}

function flags(option: Option): string {
  return option.value === undefined ? flag(option) : `${flag(option)} <${option.value}>`
}

/** commander tells these defaults itself. */
function docOf({ doc }: Option): string {
  return doc.replace(/ \(default .*\)$/, '')
}

/** What may be said of an uplink, for the help of commands that take it. */
export function traitsHelp(): string {
  const rows = [
    ...Object.entries(TRAITS).map(([word, { shape, doc }]) => [`${word}=${shape}`, doc]),
    ['metered, unmetered', 'each octet costs money: no copies, few probes'],
    ['up, standby, down', 'use it, use it when nothing else is left, do not use it'],
  ]
  const width = Math.max(...rows.map(([form]) => form!.length))
  const lines = rows.map(([form, doc]) => `  ${form!.padEnd(width)}  ${doc}`)
  return `\nTraits of an uplink:\n${lines.join('\n')}`
}

/** Examples under the help of a command. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`
}
