import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CROSSING, PLAN_PATH_FLAG } from '../../src/boundary.js'
import { DEFAULT_PATH_POLICY, type PathPolicy } from '../../src/core/policy.js'
import { arrivalPlan, compilePlan, encodePlan, NOTHING_CARRIES } from '../../src/core/schedule.js'
import { LIMIT } from '../../src/wire.js'
import { policyOf, weighted } from './core_fixture.js'

const RR = policyOf({ mode: 'balance-rr' })
const XOR = policyOf({ mode: 'balance-xor' })
const { noPath, planChoices, planSlots } = CROSSING

const slots = (...weights: number[]) => [...compilePlan(RR, weighted(...weights), [], 0).table]
const countOf = (table: readonly number[], path: number) =>
  table.filter((each) => each === path).length

const anyWeights = (most: number) =>
  fc.array(fc.integer({ min: 1, max: most }), { minLength: 1, maxLength: LIMIT.paths.value })

describe('balance-rr', () => {
  it.each([
    [[1], 'a'],
    [[1, 1], 'ab'],
    [[3, 1], 'aaba'],
    [[4, 1], 'aabaa'],
    [[5, 2], 'abaaaba'],
    [[5, 1, 1], 'aabacaa'], // the example of nginx
    [[1, 5], 'bbbabb'],
    [[4, 4], 'ab'],
    [[256, 64], 'aabaa'],
  ])('makes of weights %j the slots %s', (weights, expected) => {
    const letters = slots(...weights).map((path) => 'abc'[path])
    expect(letters.join('')).toBe(expected)
  })

  it('has exact shares over one cycle', () => {
    fc.assert(
      fc.property(anyWeights(LIMIT.weight.value), (weights) => {
        const sum = weights.reduce((a, b) => a + b, 0)
        fc.pre(sum <= planSlots.value)
        const table = slots(...weights)
        weights.forEach((weight, path) => {
          expect(countOf(table, path) * sum).toBe(weight * table.length)
        })
      }),
      { seed: 1 },
    )
  })

  it('is smooth: no run of packets, however it is cut, is off its share by as many as there are paths', () => {
    fc.assert(
      fc.property(anyWeights(40), (weights) => {
        const sum = weights.reduce((a, b) => a + b, 0)
        const table = slots(...weights)
        weights.forEach((weight, path) => {
          // What a run is off by is the difference between what its two ends are off by.
          let off = 0
          const offs = table.map((each) => {
            off += Number(each === path) - weight / sum
            return off
          })
          expect(Math.max(0, ...offs) - Math.min(0, ...offs)).toBeLessThan(
            Math.max(2, weights.length),
          )
        })
      }),
      { seed: 2, numRuns: 300 },
    )
  })

  it('never sends more in a row than the weights force', () => {
    for (const weight of [2, 3, 4, 7, 20]) {
      const cycle = slots(weight, 1)
      const runs = [...cycle, ...cycle].join('').split('1')
      expect(Math.max(...runs.map((run) => run.length))).toBe(weight)
    }
  })

  it('fits any weights of any number of paths into a plan, within 2 % of the shares, and denies no path', () => {
    fc.assert(
      fc.property(anyWeights(LIMIT.weight.value), (weights) => {
        const sum = weights.reduce((a, b) => a + b, 0)
        const table = slots(...weights)
        expect(table.length).toBeLessThanOrEqual(planSlots.value)
        weights.forEach((weight, path) => {
          const share = countOf(table, path) / table.length
          expect(share).toBeGreaterThan(0)
          expect(Math.abs(share - weight / sum)).toBeLessThan(0.02)
        })
      }),
      { seed: 3, numRuns: 300, examples: [[[...Array(10).fill(256), ...Array(6).fill(1)]]] },
    )
  })

  it('names its paths by weight, then by number', () => {
    expect(compilePlan(RR, weighted(1, 3, 1, 9), [], 0).carriers).toEqual([3, 1, 0, 2])
  })
})

describe('balance-xor', () => {
  const choicesOf = (members: readonly PathPolicy[]) => {
    const { table } = compilePlan(XOR, members, [], 0)
    return Array.from({ length: LIMIT.buckets.value }, (_, bucket) => [
      ...table.subarray(bucket * planChoices.value, (bucket + 1) * planChoices.value),
    ])
  }
  const firsts = (members: readonly PathPolicy[]) => choicesOf(members).map(([first]) => first!)
  const without = (members: readonly PathPolicy[], path: number) =>
    members.filter((member) => member.path !== path)

  it.each([
    [[1, 1]],
    [[3, 1]],
    [[5, 2]],
    [[1, 1, 1]],
    [[256, 64, 64]],
    [[1, 2, 3, 4]],
    [new Array(16).fill(1)],
  ])('gives weights %j their shares of the buckets within 3 %', (weights) => {
    const table = firsts(weighted(...weights))
    const sum = weights.reduce((a: number, b: number) => a + b, 0)
    weights.forEach((weight: number, path: number) => {
      expect(Math.abs(countOf(table, path) / table.length - weight / sum)).toBeLessThan(0.03)
    })
  })

  it('ranks different paths for each bucket, and fills up with no path', () => {
    for (const count of [1, 2, 3, 4, 5, 16]) {
      const ranked = Math.min(count, planChoices.value)
      for (const choices of choicesOf(weighted(...new Array(count).fill(1)))) {
        const [named, rest] = [choices.slice(0, ranked), choices.slice(ranked)]
        expect(new Set(named).size).toBe(ranked)
        expect(named.every((path) => path < count)).toBe(true)
        expect(rest.every((path) => path === noPath.value)).toBe(true)
      }
    }
  })

  it('moves only the buckets of a path that leaves, to their next choice, and gives back exactly those', () => {
    fc.assert(
      fc.property(anyWeights(LIMIT.weight.value), fc.nat(), (weights, seed) => {
        fc.pre(weights.length > 1)
        const members = weighted(...weights)
        const gone = seed % weights.length
        const before = choicesOf(members)
        const after = firsts(without(members, gone))
        before.forEach(([first, second], bucket) => {
          expect(after[bucket]).toBe(first === gone ? second : first)
        })
        expect(choicesOf([...without(members, gone), members[gone]!])).toEqual(before)
      }),
      { seed: 4, numRuns: 40 },
    )
  })

  it('spreads the buckets of a path that leaves over all others', () => {
    const members = weighted(1, 1, 1, 1)
    const before = firsts(members)
    const after = firsts(without(members, 0))
    const inherited = after.filter((_, bucket) => before[bucket] === 0)
    for (const heir of [1, 2, 3]) {
      expect(countOf(inherited, heir) / inherited.length).toBeGreaterThan(0.25)
    }
  })

  it('moves no bucket between other paths when a weight grows', () => {
    const before = firsts(weighted(2, 2, 2))
    const after = firsts(weighted(2, 2, 5))
    after.forEach((path, bucket) => {
      expect([before[bucket], 2]).toContain(path)
    })
  })
})

describe('the other modes', () => {
  it('active-backup names the active path, and the others as reserves', () => {
    const plan = compilePlan(policyOf({ mode: 'active-backup' }), weighted(9, 1, 3), [], 2)
    expect(plan).toEqual({
      kind: 'order',
      carriers: [2],
      reserves: [0, 1],
      table: new Uint8Array(),
    })
  })

  it('broadcast names all paths, the heaviest first', () => {
    const plan = compilePlan(policyOf({ mode: 'broadcast' }), weighted(1, 3, 2), [], 0)
    expect(plan).toEqual({
      kind: 'all',
      carriers: [1, 2, 0],
      reserves: [],
      table: new Uint8Array(),
    })
  })
})

describe('adaptive', () => {
  const { metered, duplicate } = PLAN_PATH_FLAG
  const [first, second, third] = weighted(1, 3, 1) as [PathPolicy, PathPolicy, PathPolicy]
  const entry = (path: number, flags: number, ...rest: number[]) => [
    path,
    flags,
    ...rest,
    ...new Array(12 - rest.length).fill(0),
  ]

  it('lets all use all where nobody has said more', () => {
    const plan = compilePlan(policyOf({ mode: 'adaptive' }), [first, second], [third], 0)
    expect(plan).toMatchObject({ kind: 'arrival', carriers: [1, 0], reserves: [2] })
    const both = duplicate.value
    expect([...plan.table]).toEqual([...entry(0, both), ...entry(1, both)])
    expect([...encodePlan(plan, RR).subarray(0, 6)]).toEqual([4, 0, 3, 0, 2, 0])
  })

  it('names in its table what thin flows may use, and turns to it before the others', () => {
    const plan = arrivalPlan({ bulk: [second], thin: [first, second], others: [third] })
    expect(plan).toMatchObject({ carriers: [1], reserves: [0, 2] })
    expect([...plan.table]).toEqual([...entry(0, 0), ...entry(1, duplicate.value)])
  })

  it('tells caps, targets and what costs money, and wants no copies there', () => {
    const costly = { ...first, metered: true, targetUs: 0x010203, capBytesPerS: 0x0a0b0c0d }
    const plan = arrivalPlan({ bulk: [costly], thin: [costly], others: [] })
    expect([...plan.table]).toEqual(entry(0, metered.value, 3, 2, 1, 0, 0x0d, 0x0c, 0x0b, 0x0a))
  })
})

describe('reserves', () => {
  const others: PathPolicy[] = [
    { ...DEFAULT_PATH_POLICY, path: 4, intent: 'standby', weight: 9 },
    { ...DEFAULT_PATH_POLICY, path: 5, tier: 2, weight: 9 },
    { ...DEFAULT_PATH_POLICY, path: 6, tier: 1, weight: 1 },
    { ...DEFAULT_PATH_POLICY, path: 7, tier: 1, weight: 2 },
  ]

  it.each(['balance-rr', 'balance-xor', 'broadcast'] as const)(
    'of %s are the paths that wait: by tier, then by weight, standby last',
    (mode) => {
      const plan = compilePlan(policyOf({ mode }), weighted(1, 1), others, 0)
      expect(plan.reserves).toEqual([7, 6, 5, 4])
    },
  )

  it('stand behind the carriers and do not count as carrying', () => {
    const bytes = encodePlan(compilePlan(RR, weighted(1, 1), others, 0), RR)
    expect([...bytes.subarray(2, 4)]).toEqual([3, 0])
    expect([...bytes.subarray(6, 13)]).toEqual([0, 1, 7, 6, 5, 4, noPath.value])
  })
})

describe('a plan on its way to C', () => {
  const NONE = noPath.value
  const fill = (order: number[]) => [...order, ...new Array(16 - order.length).fill(NONE)]

  it('is kind, hash, carrying, slots, order, those that rest, and table', () => {
    const members = weighted(1, 2).map((member) => ({ ...member, path: member.path + 8 }))
    const plan = compilePlan(RR, members, [], 8)
    const expected = [0, 0, 0x00, 0x03, 3, 0, ...fill([9, 8]), 0x01, 0x80, 9, 8, 9]
    expect([...encodePlan(plan, RR, [0, 15])]).toEqual(expected)
  })

  it('has the hash of the policy where flows stay on paths, and the finest elsewhere', () => {
    const hash = 'layer3'
    const xor = encodePlan(compilePlan(XOR, weighted(1), [], 0), { ...XOR, hash })
    expect([...xor.subarray(0, 6)]).toEqual([1, 1, 1, 0, 0, 0])
    expect(xor).toHaveLength(24 + 4 * 1024)
    expect([...xor.subarray(24, 28)]).toEqual([0, NONE, NONE, NONE])
    expect(encodePlan(compilePlan(RR, weighted(1), [], 0), { ...RR, hash })[1]).toBe(0)
  })

  it('has a bit for each of 16 paths', () => {
    const policy = policyOf({ mode: 'broadcast' })
    const bytes = encodePlan(compilePlan(policy, weighted(...new Array(16).fill(1)), [], 0), policy)
    const order = Array.from({ length: 16 }, (_, path) => path)
    expect([...bytes]).toEqual([3, 0, 0xff, 0xff, 0, 0, ...order, 0, 0])
  })

  it('can say that nothing carries', () => {
    expect([...encodePlan(NOTHING_CARRIES, RR)]).toEqual([2, 0, 0, 0, 0, 0, ...fill([]), 0, 0])
  })
})
