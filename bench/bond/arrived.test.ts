import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Arrived, mbitBetween, secondsUntil, sumOf } from './arrived.js'

/** Ten bins of 100 ms: 125 octets in one are 10 kbit/s. */
const arrived = (...bins: number[]): Arrived => ({ startUs: 0, binUs: 100_000, bins })

describe('what arrived', () => {
  it('is a rate between any two times', () => {
    const even = arrived(...Array<number>(10).fill(125_000))
    expect(mbitBetween(even, 0, 1)).toBeCloseTo(10)
    expect(mbitBetween(even, 0.5, 0.8)).toBeCloseTo(10)
  })

  it('is silence behind its end', () => {
    expect(mbitBetween(arrived(125_000, 125_000), 0, 0.4)).toBeCloseTo(5)
    expect(mbitBetween(arrived(125_000), 2, 3)).toBe(0)
  })

  it('is no rate without a time', () => {
    expect(mbitBetween(arrived(1), 1, 1)).toBeNaN()
  })

  it('adds ends that began at different times, and loses nothing', () => {
    const late = { ...arrived(1, 2), startUs: 200_000 }
    expect(sumOf(0, 100_000, [arrived(5, 5), late]).bins).toEqual([5, 5, 1, 2])
    const early = { ...arrived(1, 2), startUs: -100_000 }
    expect(sumOf(0, 100_000, [early]).bins).toEqual([3])
    const transfer = fc.record({
      startUs: fc.integer({ min: -500_000, max: 500_000 }),
      binUs: fc.constant(100_000),
      bins: fc.array(fc.nat(1000), { maxLength: 20 }),
    })
    const total = (parts: readonly Arrived[]) =>
      parts.flatMap(({ bins }) => bins).reduce((sum, each) => sum + each, 0)
    fc.assert(
      fc.property(fc.array(transfer, { maxLength: 3 }), (parts) => {
        expect(total([sumOf(0, 100_000, parts)])).toBe(total(parts))
      }),
    )
  })
})

describe('the time until a rate', () => {
  const growing = arrived(0, 0, 0, 125_000, 125_000, 125_000, 125_000)
  const wanted = { mbit: 9, fromS: 0, toS: 1, windowS: 0.2 }

  it('is that of the first window which carries it', () => {
    expect(secondsUntil(growing, wanted)).toBeCloseTo(0.3)
    expect(secondsUntil(growing, { ...wanted, fromS: 0.3 })).toBe(0)
  })

  it('is unknown when no window does', () => {
    expect(secondsUntil(growing, { ...wanted, mbit: 11 })).toBeUndefined()
    expect(secondsUntil(growing, { ...wanted, toS: 0.4 })).toBeUndefined()
  })
})
