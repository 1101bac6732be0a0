import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { repositoryPath } from '../lab/repository.js'
import { readFragment } from '../reporting/fragment.js'
import { CHART_PATH, COMMAND, renderFragment, renderShortFragment } from './fragment.js'

const read = (...parts: string[]) => readFileSync(repositoryPath(...parts), 'utf8')

it('stands in both pages as it was measured last, with no other figures', () => {
  const results = JSON.parse(read('bench', 'results', 'throughput.json'))
  expect(readFragment(read('bench', 'README.md'), COMMAND)).toBe(renderFragment(results))
  expect(readFragment(read('README.md'), COMMAND)).toBe(renderShortFragment(results))
  expect(read('bench', ...CHART_PATH.split('/'))).toMatch(/^<svg /)
})
