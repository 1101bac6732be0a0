/**
 * PROTOCOL.md says in words what src/wire.ts says in data. Each of its tables stands under a comment that names the
 * export it shows, and must equal it. WRITE_PROTOCOL=1 writes the tables anew; the words are up to the writer.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Layout, place } from '../../src/layout.js'
import * as wire from '../../src/wire.js'

const FILE = new URL('../../PROTOCOL.md', import.meta.url)

type Constants = Readonly<Record<string, { readonly value: number; readonly doc: string }>>
type Plain = Readonly<Record<string, string | number>>

const EXPORTS: Readonly<Record<string, Layout | Constants | Plain>> = wire

function render(name: string): string {
  const shown = EXPORTS[name]
  if (shown === undefined) throw new Error(`PROTOCOL.md: src/wire.ts has no ${name}`)
  if (Array.isArray(shown)) return renderLayout(shown as Layout)
  const entries = Object.entries(shown as Constants | Plain)
  return entries.every(([, value]) => typeof value === 'object')
    ? renderConstants(entries as [string, Constants[string]][])
    : markdown(['name', 'value'], entries as [string, string | number][])
}

function renderLayout(layout: Layout): string {
  const { fields, size } = place(layout, 'packed')
  const rows = fields.map(({ offset, size: octets, name, type, unit, doc }) => [
    offset,
    octets,
    `\`${name}\``,
    unit === undefined ? type : `${type}, ${unit}`,
    doc,
  ])
  return markdown(
    ['offset', 'octets', 'field', 'type', 'meaning'],
    [...rows, ['', size, '', '', '']],
  )
}

function renderConstants(entries: [string, Constants[string]][]): string {
  const rows = entries.map(([name, { value, doc }]) => [value, `\`${name}\``, doc])
  return markdown(['value', 'name', 'meaning'], rows)
}

function markdown(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const TABLE = /<!-- (\w+) -->\n\n((?:\|.*\n)*)/g

function tablesOf(text: string): { name: string; table: string }[] {
  return [...text.matchAll(TABLE)].map(([, name = '', table = '']) => ({
    name,
    table: table.trimEnd(),
  }))
}

const before = readFileSync(FILE, 'utf8')
if (process.env['WRITE_PROTOCOL'] !== undefined) {
  const anew = before.replace(TABLE, (_, name: string) => `<!-- ${name} -->\n\n${render(name)}\n`)
  writeFileSync(FILE, anew)
}
const text = readFileSync(FILE, 'utf8')

describe('PROTOCOL.md', () => {
  it.each(tablesOf(text))('shows $name as it is in src/wire.ts', ({ name, table }) => {
    expect(table).toBe(render(name))
  })

  it('ends each table with an empty line, without which the words behind it are a row', () => {
    expect(text).not.toMatch(/^\|.*\n(?!\||\n)/m)
  })

  it('shows everything that src/wire.ts has, once', () => {
    const shown = tablesOf(text).map(({ name }) => name)
    expect(shown.toSorted()).toEqual(Object.keys(wire).toSorted())
  })

  it('has no table that nobody checks', () => {
    const lines = (part: string) => part.split('\n').filter((line) => line.startsWith('|')).length
    const checked = tablesOf(text).reduce((sum, { table }) => sum + lines(table), 0)
    expect(lines(text)).toBe(checked)
  })

  it('names only constants that there are', () => {
    const names = [...text.matchAll(/\b([A-Z][A-Z_]+)\.(\w+)/g)].filter(
      ([, table = '']) => EXPORTS[table] !== undefined,
    )
    const strangers = names.filter(([, table = '', member = '']) => {
      const shown = EXPORTS[table]!
      return Array.isArray(shown)
        ? !(shown as Layout).some((field) => field.name === member)
        : !Object.hasOwn(shown, member)
    })
    expect(names.length).toBeGreaterThan(20)
    expect(strangers.map(([found]) => found)).toEqual([])
  })
})
