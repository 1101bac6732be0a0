import { expect, it } from 'vitest'
import { Chance } from './chance.js'

const draw = (seed: number, count: number) => {
  const chance = new Chance(seed)
  return Array.from({ length: count }, () => chance.next())
}

it('repeats itself with the same seed alone', () => {
  expect(draw(3, 8)).toEqual(draw(3, 8))
  expect(draw(3, 8)).not.toEqual(draw(4, 8))
})

it('favours nothing, whatever was drawn before', () => {
  const chance = new Chance(1)
  const counts = new Map<string, number>()
  for (let draws = 0; draws < 9000; draws++) {
    const pair = `${chance.pick(['a', 'b', 'c'])}${chance.pick(['d', 'e', 'f'])}`
    counts.set(pair, (counts.get(pair) ?? 0) + 1)
  }
  // Nine kinds of a thousand each: five standard deviations of 30.
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  expect(counts.size).toBe(9)
})

it('stays between what it is given', () => {
  const chance = new Chance(2)
  const drawn = Array.from({ length: 1000 }, () => chance.between(3, 5))
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(3)
  expect(Math.max(...drawn)).toBeLessThan(5)
})
