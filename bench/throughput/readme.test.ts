import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { repositoryPath } from '../lab/repository.js'
import { CHART_PATH, readFragment, renderFragment } from './fragment.js'

const read = (...parts: string[]) => readFileSync(repositoryPath(...parts), 'utf8')

it('says in the README what was measured last, and no other figures', () => {
  const isMeasured = existsSync(repositoryPath('bench', 'results', 'throughput.json'))
  const fragment = isMeasured
    ? renderFragment(JSON.parse(read('bench', 'results', 'throughput.json')))
    : ''
  expect(readFragment(read('README.md'))).toBe(fragment)
  if (!isMeasured) return
  expect(read('bench', 'results', 'throughput.md')).toBe(`${fragment}\n`)
  expect(read(...CHART_PATH.split('/'))).toMatch(/^<svg /)
})
