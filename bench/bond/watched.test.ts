import { describe, expect, it } from 'vitest'
import { cutSample } from './cuts.js'
import type { Measured } from './measure.js'
import { queueSample } from './queues.js'
import type { Row } from './results.js'
import { link, type Scenario } from './scenarios/scenario.js'
import { deliveredAt, timeLineOf } from './timeline.js'
import type { Happened, Look } from './watch.js'

const STEP_US = 20_000
const MBIT_BYTES_PER_US = 0.125

/** Looks at links whose rate (Mbit/s) is a function of the second, and whose queues `waitUs` tells of. */
function watch(
  seconds: number,
  rates: Record<string, (s: number) => number>,
  waitUs: Record<string, (s: number) => number> = {},
): Look[] {
  const count = (seconds * 1e6) / STEP_US
  const names = Object.keys(rates)
  const accepted: Record<string, number>[] = [Object.fromEntries(names.map((name) => [name, 0]))]
  for (let index = 1; index <= count; index++) {
    const before = accepted.at(-1)!
    const next = Object.entries(rates).map(([name, rate]) => {
      const bytes = rate((index * STEP_US) / 1e6) * MBIT_BYTES_PER_US * STEP_US
      return [name, (before[name] ?? 0) + bytes]
    })
    accepted.push(Object.fromEntries(next))
  }
  return accepted.map((bytes, index) => ({
    atUs: index * STEP_US,
    acceptedBytes: bytes,
    deliveredBytes: bytes,
    inflictedUs: Object.fromEntries(
      names.map((name) => [name, waitUs[name]?.((index * STEP_US) / 1e6) ?? 0]),
    ),
  }))
}

const measured = (
  looks: Look[],
  happened: Happened[] = [],
  bins?: number[],
  atUs: readonly number[] = [],
  arePausesOfTcp = false,
): Measured => ({
  sample: {},
  arrived: bins === undefined ? undefined : { startUs: 0, binUs: 100_000, bins },
  pauses: atUs.slice(1).map((toUs, index) => ({ fromUs: atUs[index]!, toUs })),
  arePausesOfTcp,
  watched: { looks, happened, lateMaxUs: 0 },
})

const SCENARIO: Scenario = {
  id: 'pair',
  title: 'a pair',
  group: 'cuts',
  links: [link('a', 20, 10), link('b', 10, 20)],
}

const alone = (name: string, mbit: number): Row => ({
  ...{ scenario: 'pair', load: 'tcp', congestion: 'cubic', subject: { kind: 'alone', link: name } },
  median: { mbit },
  samples: [],
})

describe('looks at links', () => {
  const looks = watch(2, { a: () => 8 })

  it('tell what was delivered at any time', () => {
    expect(deliveredAt(looks, 'a', 1_000_000)).toBeCloseTo(1_000_000)
    expect(deliveredAt(looks, 'a', 1_010_000)).toBeCloseTo(1_010_000)
    expect(deliveredAt(looks, 'a', 9e9)).toBeCloseTo(2_000_000)
    expect(deliveredAt(looks, 'unknown', 1_000_000)).toBe(0)
  })

  it('show the queue that a load made itself, of the link where it is longest', () => {
    const rates = { a: () => 8, b: () => 8 }
    const full = watch(4, rates, { a: () => 20_000, b: (s) => (s > 3 ? 60_000 : 0) })
    expect(queueSample(measured(full).watched)).toEqual({ linkQueueP95Ms: 60 })
    const seldom = watch(4, rates, { a: () => 20_000, b: (s) => (s > 3.9 ? 60_000 : 0) })
    expect(queueSample(measured(seldom).watched)).toEqual({ linkQueueP95Ms: 20 })
    expect(queueSample(measured(watch(0.5, rates)).watched)).toEqual({})
  })
})

describe('cuts', () => {
  const happen = (atS: number, name: string, what: Happened['what']): Happened => ({
    ...{ atS, link: name, what },
    fromUs: atS * 1e6 - 30_000,
    atUs: atS * 1e6,
  })
  const cut = happen(3, 'a', 'cut')
  const restore = happen(5, 'a', 'restore')
  const rows = { rows: [alone('a', 20), alone('b', 10)] }
  const bins = Array.from({ length: 80 }, (_, index) =>
    index >= 30 && index < 40 ? 62_500 : 375_000,
  )

  it('are judged by the second after, against the links that are left', () => {
    const looks = watch(8, { a: (s) => (s > 3 && s < 5.4 ? 0 : 20) })
    const sample = cutSample(measured(looks, [cut, restore], bins), rows, SCENARIO, 'cubic')
    expect(sample.afterCutShare).toBeCloseTo(0.5)
    expect(sample.backS).toBeGreaterThan(0.2)
    expect(sample.backS).toBeLessThan(0.6)
  })

  it('count a link that does not come back for as long as was waited', () => {
    const looks = watch(8, { a: (s) => (s > 3 ? 0 : 20) })
    const { backS } = cutSample(measured(looks, [cut, restore]), rows, SCENARIO, 'cubic')
    expect(backS).toBeCloseTo(3)
  })

  it('expect nothing back of a link that carried nothing', () => {
    const looks = watch(8, { a: () => 0, b: () => 5 })
    expect(cutSample(measured(looks, [cut, restore]), rows, SCENARIO, 'cubic')).toEqual({})
  })

  describe('and the gaps between arrivals', () => {
    const looks = watch(8, { a: () => 20, b: () => 10 })
    /** Every 2 ms, but for the pauses: from when, and how long. */
    const withPauses = (...pauses: readonly (readonly [ms: number, length: number])[]) =>
      Array.from({ length: 4000 }, (_, index) => 2 * index)
        .filter((ms) => pauses.every(([from, length]) => ms <= from || ms >= from + length))
        .map((ms) => ms * 1000)
    const beyond = (happened: Happened[], at: readonly number[], ofTcp = false) =>
      cutSample(measured(looks, happened, undefined, at, ofTcp), rows, SCENARIO, 'cubic')
        .gapBeyondMs

    it('count from the round trip of the best link left: 40 ms without a, 20 without b', () => {
      const pauses = withPauses([3000, 60])
      expect(beyond([cut, restore], pauses)).toBe(20)
      expect(beyond([happen(3, 'b', 'cut'), happen(5, 'b', 'restore')], pauses)).toBe(40)
    })

    it('count while the device is still going away', () => {
      expect(beyond([cut, restore], withPauses([2972, 26]))).toBe(-14)
    })

    it('count from the best of all again once it is back', () => {
      expect(beyond([cut, restore], withPauses([3000, 60], [5500, 50]))).toBe(30)
    })

    it('are no matter of a cut that is long past', () => {
      expect(beyond([cut, restore], withPauses([1000, 90], [3000, 60], [7000, 90]))).toBe(20)
    })

    it('are none of the cut where TCP repairs later what was dropped to slow it down', () => {
      const pauses = withPauses([3000, 60], [3400, 150])
      expect(beyond([cut, restore], pauses)).toBe(110)
      expect(beyond([cut, restore], pauses, true)).toBe(20)
    })

    it('forgive the silence while no link is left', () => {
      const all = [cut, happen(3.5, 'b', 'cut'), restore]
      expect(beyond(all, withPauses([3000, 50], [3600, 1000]))).toBe(10)
    })

    it('are not judged where no link was cut', () => {
      expect(beyond([], withPauses([3000, 50]))).toBeUndefined()
    })
  })

  it('are drawn over time, in steps of a tenth of a second', () => {
    const looks = watch(8, { a: (s) => (s > 3 && s < 5 ? 0 : 20) })
    const course = timeLineOf(measured(looks, [cut, restore], bins), 8)
    expect(course?.mbit).toHaveLength(80)
    expect(course?.links['a']?.[10]).toBeCloseTo(20)
    expect(course?.links['a']?.[40]).toBe(0)
    expect(course?.happened.map(({ atS }) => atS)).toEqual([3, 5])
    expect(timeLineOf(measured(looks), 8)).toBeUndefined()
  })
})
