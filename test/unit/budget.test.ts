import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Budget, Meter } from '../../src/core/budget.js'

const MB = 1e6
const GB = 1e9
/** Local time, as budgets count. */
const at = (...[year, month, day, hour = 12]: [number, number, number, number?]) =>
  new Date(year, month - 1, day, hour).getTime() * 1000
const daily = (dayBytes: number): Budget => ({ dayBytes, monthBytes: 0, resetDay: 1 })
const monthly = (monthBytes: number, resetDay = 1): Budget => ({
  dayBytes: 0,
  monthBytes,
  resetDay,
})

describe('a budget of a day', () => {
  it('is used up when as much was carried, and there again at midnight', () => {
    const meter = new Meter()
    meter.count(at(2026, 3, 5), 400 * MB, 1)
    expect(meter.spent(at(2026, 3, 5, 23), daily(500 * MB))).toBeUndefined()
    expect(meter.told(at(2026, 3, 5, 23), daily(500 * MB))).toBe('has used 400 MB of 500 MB today')
    meter.count(at(2026, 3, 5, 23), 100 * MB, 1)
    expect(meter.spent(at(2026, 3, 5, 23), daily(500 * MB))).toBe(
      'its 500 MB of today are used up; the next day begins at midnight',
    )
    expect(meter.spent(at(2026, 3, 6, 0), daily(500 * MB))).toBeUndefined()
    expect(meter.told(at(2026, 3, 6, 0), daily(500 * MB))).toBe('has used 0 B of 500 MB today')
  })

  it('is nothing where there is none', () => {
    const meter = new Meter()
    meter.count(at(2026, 3, 5), 400 * GB, 1)
    expect(meter.spent(at(2026, 3, 5), daily(0))).toBeUndefined()
    expect(meter.told(at(2026, 3, 5), daily(0))).toBeUndefined()
  })
})

describe('a budget of a month', () => {
  it.each([
    ['the first by default', 1, at(2026, 3, 31), at(2026, 4, 1, 0), '2026-04-01'],
    ['its own day', 15, at(2026, 3, 14), at(2026, 3, 15, 0), '2026-03-15'],
    ['the last day of a short month', 31, at(2026, 2, 27), at(2026, 2, 28, 0), '2026-02-28'],
    ['a day over the turn of the year', 20, at(2026, 1, 19), at(2026, 1, 20, 0), '2026-01-20'],
  ])('begins on %s', (_, resetDay, before, after, told) => {
    const meter = new Meter()
    const budget = monthly(10 * GB, resetDay)
    meter.count(before, 10 * GB, resetDay)
    expect(meter.spent(before, budget)).toBe(
      `its 10 GB of this month are used up; the next month begins on ${told}`,
    )
    expect(meter.spent(after, budget)).toBeUndefined()
  })

  it.each([
    ['earlier', 1, 10],
    ['later', 18, 10],
    ['that day', 20, 10],
    ['after that day', 25, 20],
  ])('is not forgotten when its month is to begin %s', (_, to, from) => {
    const meter = new Meter()
    meter.count(at(2026, 3, 20), 10 * GB, from)
    expect(meter.spent(at(2026, 3, 21), monthly(10 * GB, to))).toContain('used up')
    const next = new Date(2026, to > 21 ? 2 : 3, to)
    expect(meter.spent(next.getTime() * 1000 - 1, monthly(10 * GB, to))).toContain('used up')
    expect(meter.spent(next.getTime() * 1000, monthly(10 * GB, to))).toBeUndefined()
  })

  it('begins anew on another day than before, although nothing was carried since', () => {
    const meter = new Meter()
    meter.count(at(2026, 3, 20), 10 * GB, 10)
    expect(meter.spent(at(2026, 3, 22), monthly(10 * GB, 21))).toBeUndefined()
  })

  it('is told beside that of the day', () => {
    const meter = new Meter()
    meter.count(at(2026, 3, 4), 3.1 * GB, 1)
    meter.count(at(2026, 3, 5), 412 * MB, 1)
    const budget = { dayBytes: 500 * MB, monthBytes: 10 * GB, resetDay: 1 }
    expect(meter.told(at(2026, 3, 5), budget)).toBe(
      'has used 412 MB of 500 MB today and 3.51 GB of 10 GB this month',
    )
  })
})

describe('what was used', () => {
  const used = { day: '2026-03-05', dayBytes: 0, month: '2026-03-01', monthBytes: 0 }

  it('goes on after a restart', () => {
    const meter = new Meter()
    meter.count(at(2026, 3, 5), 400 * MB, 1)
    const again = new Meter(meter.usage)
    again.count(at(2026, 3, 5), 100 * MB, 1)
    expect(again.usage).toEqual({
      day: '2026-03-05',
      dayBytes: 500 * MB,
      month: '2026-03-01',
      monthBytes: 500 * MB,
    })
    expect(new Meter().usage).toBeUndefined()
  })

  it('is not forgotten by a machine that has not learnt the time yet', () => {
    const meter = new Meter()
    meter.count(at(2026, 3, 5), 400 * MB, 1)
    meter.count(at(1970, 1, 2), 100 * MB, 1)
    expect(meter.spent(at(1970, 1, 2), daily(500 * MB))).toContain('used up')
    expect(meter.spent(at(2026, 3, 5), daily(500 * MB))).toContain('used up')
  })

  it('is not forgotten by a machine that starts on the day on which its system was built', () => {
    const meter = new Meter({ ...used, monthBytes: 9 * GB })
    meter.count(at(2025, 1, 2), 0.6 * GB, 1)
    expect(meter.usage).toEqual({ ...used, dayBytes: 0.6 * GB, monthBytes: 9.6 * GB })
    meter.count(at(2026, 3, 6), 0.4 * GB, 1)
    expect(meter.usage).toMatchObject({
      day: '2026-03-06',
      dayBytes: 0.4 * GB,
      monthBytes: 10 * GB,
    })
  })

  it('is told by the day that is counted while the clock is behind', () => {
    const meter = new Meter({ ...used, dayBytes: GB, monthBytes: 9 * GB })
    expect(meter.spent(at(2025, 1, 2), daily(GB))).toBe(
      'its 1 GB of 2026-03-05 are used up; the clock of this machine is behind',
    )
    expect(meter.spent(at(2025, 1, 2), monthly(9 * GB))).toBe(
      'its 9 GB of the month of 2026-03-05 are used up; the clock of this machine is behind',
    )
    expect(meter.spent(at(2025, 1, 2), daily(2 * GB))).toBeUndefined()
  })

  it('on a day that a clock said too early is forgotten when the clock has been right for a day', () => {
    const meter = new Meter({ ...used, day: '2038-01-01', month: '2038-01-01' })
    meter.count(at(2026, 3, 5, 12), GB, 1)
    expect(meter.usage).toMatchObject({ day: '2038-01-01', dayBytes: GB })
    meter.count(at(2026, 3, 6, 13), GB, 1)
    expect(meter.usage).toMatchObject({ day: '2026-03-06', dayBytes: GB, month: '2026-03-01' })
    meter.count(at(2026, 3, 6, 14), GB, 1)
    expect(meter.usage).toMatchObject({ dayBytes: 2 * GB })
  })

  it('in a month is never less than on its days, whenever they are', () => {
    const step = fc.record({ hours: fc.nat({ max: 40 }), bytes: fc.nat({ max: 1e9 }) })
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 1, max: 31 }), (steps, resetDay) => {
        const meter = new Meter()
        let wallUs = at(2026, 1, 1)
        for (const { hours, bytes } of steps) {
          wallUs += hours * 3600e6
          meter.count(wallUs, bytes, resetDay)
          const { day, dayBytes, month, monthBytes } = meter.usage!
          expect(monthBytes).toBeGreaterThanOrEqual(dayBytes)
          expect(dayBytes).toBeGreaterThanOrEqual(bytes)
          expect(month <= day).toBe(true)
        }
      }),
      { seed: 5 },
    )
  })
})
