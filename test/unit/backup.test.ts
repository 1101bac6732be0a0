import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseActive } from '../../src/core/backup.js'
import {
  DEFAULT_PATH_POLICY,
  type PathPolicy,
  type PrimaryReselect,
} from '../../src/core/policy.js'
import { policyOf } from './core_fixture.js'

const path = (id: number, weight = 1, tier = 0): PathPolicy => ({
  ...DEFAULT_PATH_POLICY,
  path: id,
  tier,
  weight,
})
const policy = (reselect: PrimaryReselect, primary?: number) =>
  policyOf({ mode: 'active-backup', reselect, primary })
const POLICIES: readonly PrimaryReselect[] = ['always', 'better', 'failure']

describe('the active path', () => {
  // Documentation/networking/bonding.rst, primary_reselect: what happens when the primary comes back.
  it.each<[PrimaryReselect, string, PathPolicy, PathPolicy, number]>([
    ['always', 'a slower primary', path(0, 1), path(1, 9), 0],
    ['always', 'a faster primary', path(0, 9), path(1, 1), 0],
    ['always', 'a primary of a later tier', path(0, 9, 1), path(1, 1, 0), 0],
    ['better', 'a slower primary', path(0, 1), path(1, 9), 1],
    ['better', 'an equal primary', path(0, 5), path(1, 5), 1],
    ['better', 'a faster primary', path(0, 9), path(1, 1), 0],
    ['better', 'a primary of an earlier tier', path(0, 1, 0), path(1, 9, 1), 0],
    ['better', 'a faster primary of a later tier', path(0, 9, 1), path(1, 1, 0), 1],
    ['failure', 'a faster primary', path(0, 9), path(1, 1), 1],
    ['failure', 'a primary of an earlier tier', path(0, 9, 0), path(1, 1, 1), 1],
  ])('with %s, when %s comes back', (reselect, _, primary, present, expected) => {
    expect(chooseActive(policy(reselect, 0), [primary, present], 1)).toBe(expected)
  })

  it.each(POLICIES)(
    'with %s is the primary when there was none, or when it is lost',
    (reselect) => {
      const members = [path(0), path(1, 9), path(2, 9)]
      expect(chooseActive(policy(reselect, 0), members, undefined)).toBe(0)
      expect(chooseActive(policy(reselect, 0), members, 7)).toBe(0)
    },
  )

  it.each(POLICIES)('with %s stays where it is while the primary is away', (reselect) => {
    expect(chooseActive(policy(reselect, 0), [path(1), path(2, 9)], 1)).toBe(1)
  })

  it.each(POLICIES)('with %s and no primary stays where it is among equals', (reselect) => {
    expect(chooseActive(policy(reselect), [path(0, 9), path(1, 1)], 1)).toBe(1)
  })

  it('without primary and without a present one is of the smallest tier, then the heaviest, then the first', () => {
    const members = [path(0, 9, 2), path(1, 2, 1), path(2, 5, 1), path(3, 5, 1)]
    expect(chooseActive(policy('always'), members, undefined)).toBe(2)
  })

  it.each<[PrimaryReselect, number]>([
    ['always', 1],
    ['better', 1],
    ['failure', 2],
  ])('with %s and no primary treats an earlier tier as one', (reselect, expected) => {
    const members = [path(0, 1, 0), path(1, 2, 0), path(2, 9, 1)]
    expect(chooseActive(policy(reselect), members, 2)).toBe(expected)
  })

  it('is a member, and does not change when asked again', () => {
    const member = fc.tuple(fc.nat({ max: 15 }), fc.integer({ min: 1, max: 3 }), fc.nat({ max: 2 }))
    fc.assert(
      fc.property(
        fc.uniqueArray(member, { minLength: 1, maxLength: 6, selector: ([id]) => id }),
        fc.constantFrom(...POLICIES),
        fc.option(fc.nat({ max: 15 }), { nil: undefined }),
        fc.option(fc.nat({ max: 15 }), { nil: undefined }),
        (tuples, reselect, primary, present) => {
          const members = tuples.map(([id, weight, tier]) => path(id, weight, tier))
          const active = chooseActive(policy(reselect, primary), members, present)
          expect(members.map((each) => each.path)).toContain(active)
          expect(chooseActive(policy(reselect, primary), members, active)).toBe(active)
        },
      ),
      { seed: 5 },
    )
  })
})
