import { beforeEach, describe, expect, it } from 'vitest'
import type { Candidate } from '../../src/core/candidate.js'
import { Eligibility } from '../../src/core/eligibility.js'
import { Course, MBIT, path, SAMPLE_US } from './candidate_fixture.js'
import { MS, SECOND } from './core_fixture.js'

let course: Course
beforeEach(() => {
  course = new Course()
})

describe('eligibility', () => {
  let eligibility: Eligibility
  beforeEach(() => {
    eligibility = new Eligibility()
  })
  const watch = (us: number, ...paths: Candidate[]) =>
    course.during(us, () => eligibility.observe(course.nowUs, paths))
  const quick = path(0, { canBytesPerS: 20 * MBIT })
  const late = path(1, { skewUs: 300 * MS })

  it('is for all that have nothing against them, known or not', () => {
    watch(60 * SECOND, quick, path(1, { skewUs: 150 * MS, canBytesPerS: 2 * MBIT }), path(2))
    expect([0, 1, 2, 9].map((id) => eligibility.why(id))).toEqual(Array(4).fill(undefined))
  })

  it('ends for a path that is much slower than the quickest, for longer than a moment', () => {
    watch(750 * MS, quick, late)
    expect(eligibility.why(1)).toBeUndefined()
    watch(500 * MS, quick, late)
    expect(eligibility.why(1)).toBe('300 ms slower than dsl0')
    expect(eligibility.isUnfit(1)).toBe(false)
    watch(SECOND, quick, { ...late, skewUs: 210 * MS })
    expect(eligibility.why(1)).toBe('210 ms slower than dsl0')
  })

  it('does not end for a spike', () => {
    for (let i = 0; i < 100; i++) {
      watch(750 * MS, quick, late)
      watch(250 * MS, quick, { ...late, skewUs: 20 * MS })
    }
    expect(eligibility.why(1)).toBeUndefined()
  })

  it('is had again when the delay was clearly less for a while, each time longer', () => {
    const waits = [0, 1, 2].map(() => {
      watch(2 * SECOND, quick, late)
      expect(eligibility.why(1)).toBeDefined()
      watch(20 * SECOND, quick, { ...late, skewUs: 130 * MS })
      expect(eligibility.why(1)).toBeDefined()
      const fromUs = course.nowUs
      while (eligibility.why(1) !== undefined)
        watch(SAMPLE_US, quick, { ...late, skewUs: 100 * MS })
      return course.nowUs - fromUs
    })
    expect(waits[0]).toBeLessThanOrEqual(3 * SECOND)
    expect(waits[1]).toBeGreaterThan(waits[0]!)
    expect(waits[2]).toBeGreaterThan(waits[1]!)
    // All is forgiven after a minute.
    watch(70 * SECOND, quick, path(1))
    watch(2 * SECOND, quick, late)
    watch(3 * SECOND, quick, path(1))
    expect(eligibility.why(1)).toBeUndefined()
  })

  it('ends for a path that stops again and again and brings less than that costs, also for thin flows', () => {
    const steady = path(0, { broughtBytesPerS: 19 * MBIT })
    const poor = path(1, { broughtBytesPerS: MBIT, suspicions: 5 })
    watch(60 * SECOND, steady, { ...poor, suspicions: 4 })
    watch(4 * SECOND, steady, poor)
    expect(eligibility.why(1)).toBeUndefined()
    watch(2 * SECOND, steady, poor)
    expect(eligibility.why(1)).toBe('it stopped 5 times in ten seconds')
    expect(eligibility.isUnfit(1)).toBe(true)
  })

  it('goes on for a path that stops as often and brings more', () => {
    const steady = path(0, { broughtBytesPerS: 17 * MBIT })
    watch(60 * SECOND, steady, path(1, { broughtBytesPerS: 3 * MBIT, suspicions: 7 }))
    expect(eligibility.why(1)).toBeUndefined()
    watch(6 * SECOND, steady, path(1, { broughtBytesPerS: 3 * MBIT, suspicions: 8 }))
    expect(eligibility.why(1)).toBe('it stopped 8 times in ten seconds')
  })

  it('goes on for a path that fades and comes back within seconds', () => {
    const steady = path(0, { broughtBytesPerS: 17 * MBIT })
    for (let i = 0; i < 20; i++) {
      watch(4 * SECOND, steady, path(1, { broughtBytesPerS: 0.2 * MBIT, suspicions: 7 }))
      watch(2 * SECOND, steady, path(1, { broughtBytesPerS: 5 * MBIT, suspicions: 7 }))
    }
    expect(eligibility.why(1)).toBeUndefined()
  })

  it('goes on for a slow path: what waits takes it only where it comes in time', () => {
    watch(60 * SECOND, quick, path(1, { canBytesPerS: 0.2 * MBIT, carriesBytesPerS: 0.2 * MBIT }))
    expect(eligibility.why(1)).toBeUndefined()
  })

  it('goes on where all stop: that is no fault of one', () => {
    const stops = { suspicions: 9 }
    const steady = { broughtBytesPerS: 20 * MBIT }
    watch(60 * SECOND, path(0, { ...steady, ...stops }), path(1, stops))
    expect([0, 1].map((id) => eligibility.why(id))).toEqual([undefined, undefined])
    watch(6 * SECOND, path(0, { ...steady, ...stops }), path(1, { suspicions: 14 }))
    expect(eligibility.why(1)).toBe('it stopped 14 times in ten seconds')
  })

  it('ends for a path that loses more than it brings', () => {
    watch(5 * SECOND, quick, path(1, { reported: { expected: 50, lost: 50 } }))
    watch(5 * SECOND, quick, path(1, { reported: { expected: 1000, lost: 250 } }))
    expect(eligibility.why(1)).toBeUndefined()
    watch(2 * SECOND, quick, path(1, { reported: { expected: 1000, lost: 340 } }))
    expect(eligibility.why(1)).toBe('34% of its packets are lost')
  })

  it('is tried out again, ever more rarely, where nothing is measured without use', () => {
    const lossy = path(1, { reported: { expected: 1000, lost: 900 } })
    const outs: number[] = []
    let isOut = false
    course.during(1800 * SECOND, () => {
      eligibility.observe(course.nowUs, [quick, lossy])
      const now = eligibility.why(1) !== undefined
      if (now && !isOut) outs.push(course.nowUs)
      isOut = now
    })
    const gaps = outs.slice(1).map((us, i) => us - outs[i]!)
    expect(gaps.length).toBeGreaterThan(4)
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b))
    expect(gaps[0]).toBeLessThan(30 * SECOND)
    expect(gaps.at(-1)).toBeGreaterThan(300 * SECOND)
  })

  it('ends as soon for a path that still loses when it is tried again', () => {
    const lossy = path(1, { reported: { expected: 1000, lost: 900 } })
    watch(2 * SECOND, quick, lossy)
    while (eligibility.why(1) !== undefined) watch(SAMPLE_US, quick, path(1))
    watch(750 * MS, quick, lossy)
    expect(eligibility.why(1)).toBeUndefined()
    watch(500 * MS, quick, lossy)
    expect(eligibility.why(1)).toBe('90% of its packets are lost')
  })

  it('is given anew when packets become smaller, to what lost them and nothing else', () => {
    const lossy = path(2, { reported: { expected: 1000, lost: 900 } })
    watch(2 * SECOND, quick, late, lossy)
    eligibility.handleSmaller(course.nowUs)
    expect(eligibility.why(1)).toBe('300 ms slower than dsl0')
    expect(eligibility.why(2)).toBeUndefined()
    watch(10 * SECOND, quick, late, lossy)
    expect(eligibility.why(2)).toBeUndefined() // of that time are the losses, or before it
    watch(2 * SECOND, quick, late, lossy)
    expect(eligibility.why(2)).toBe('90% of its packets are lost')
  })

  it('of a path that was removed says nothing of the next one of its number', () => {
    watch(2 * SECOND, quick, late)
    eligibility.forget(1)
    expect(eligibility.why(1)).toBeUndefined()
    watch(60 * SECOND, quick, path(1))
    watch(SECOND, quick, late)
    expect(eligibility.why(1)).toBeUndefined()
  })

  it('does not compare with a path that is left out itself', () => {
    const lossy = path(0, { reported: { expected: 1000, lost: 900 } })
    watch(5 * SECOND, lossy, path(1, { skewUs: 200 * MS }), path(2, { skewUs: 210 * MS }))
    expect(eligibility.why(0)).toBeDefined()
    watch(5 * SECOND, lossy, path(1, { skewUs: 200 * MS }), path(2, { skewUs: 210 * MS }))
    expect(eligibility.why(1)).toBeUndefined()
    expect(eligibility.why(2)).toBeUndefined()
  })
})
