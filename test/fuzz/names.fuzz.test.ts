/** Whatever an authentic client calls its paths: a label for each, that says which path it is and nothing else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeNames, encodeNames } from '../../src/core/names.js'
import { LIMIT } from '../../src/wire.js'
import { hostileOctets, readCorpus } from './octets_fixture.js'

const corpus = readCorpus('names')
const PATHS = LIMIT.paths.value
const NUMBERED = /^(?:path|.* \(path) (\d+)\)?$/
const NAME = new RegExp(`^[\\w.?-]{1,${LIMIT.nameBytes.value}}$`)

function expectHarmless(bytes: Uint8Array): void {
  const labels = decodeNames(bytes)
  expect(labels).toHaveLength(PATHS)
  expect(new Set(labels).size).toBe(PATHS)
  for (const [path, label] of labels.entries()) {
    const [, number] = NUMBERED.exec(label) ?? []
    if (number !== undefined) expect(Number(number)).toBe(path)
    const name = label.replace(/^path \d+$| \(path \d+\)$/, '')
    if (name !== '') expect(name).toMatch(NAME)
  }
  // Told on by whoever was told them, they are the same, where there is room for all.
  const names = labels.map((label, path) => ({
    path,
    name: label.replace(/ ?\(?path \d+\)?$/, ''),
  }))
  if (names.every(({ name }) => name.length < LIMIT.nameBytes.value)) {
    expect(decodeNames(encodeNames(names))).toEqual(labels)
  }
}

describe('the names that an authentic client tells', () => {
  it.each([...corpus])('%s', (_, bytes) => expectHarmless(bytes))

  it('are no harm whatever they are', () => {
    fc.assert(fc.property(hostileOctets(corpus), expectHarmless), { seed: 1_729, numRuns: 5_000 })
  })

  it('are often enough names for this to mean something', () => {
    const named = fc
      .sample(hostileOctets(corpus), { seed: 1_729, numRuns: 1000 })
      .flatMap((bytes) => decodeNames(bytes))
      .filter((label) => NAME.test(label))
    expect(named.length).toBeGreaterThan(1000)
  })
})
