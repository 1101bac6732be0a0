import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { repositoryPath } from '../lab/repository.js'
import { readFragment } from '../reporting/fragment.js'
import { COMMAND, renderShortTable, renderTable } from './fragment.js'
import { asPage } from './page.js'

const read = (...parts: string[]) => readFileSync(repositoryPath(...parts), 'utf8')
const results = () => JSON.parse(read('bench', 'results', 'bond.json'))

describe('the results that are kept', () => {
  it('are those on their page', () => {
    expect(read('bench', 'results', 'bond.md')).toBe(asPage(results()))
  })

  it('are those in both READMEs', () => {
    expect(readFragment(read('README.md'), COMMAND)).toBe(renderShortTable(results()))
    expect(readFragment(read('bench', 'README.md'), COMMAND)).toBe(renderTable(results()))
  })

  it('are all there that bench/README.md shows', () => {
    const shown = [...read('bench', 'README.md').matchAll(/\]\((results\/[^)]+)\)/g)]
    expect(shown.map(([, name]) => name)).toContain('results/bond.md')
    for (const [, name] of shown) expect(existsSync(repositoryPath('bench', name!))).toBe(true)
  })
})
