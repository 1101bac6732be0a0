import { beforeEach, describe, expect, it } from 'vitest'
import { Guard } from '../../src/core/guard.js'
import { Course, load, MBIT, path, SAMPLE_US } from './candidate_fixture.js'
import { MS, SECOND } from './core_fixture.js'

let course: Course
beforeEach(() => {
  course = new Course()
})

describe('the guard', () => {
  let guard: Guard
  beforeEach(() => {
    guard = new Guard()
  })
  const best = path(0, { canBytesPerS: 10 * MBIT, carriesBytesPerS: 5 * MBIT })
  const other = path(1, { canBytesPerS: 3 * MBIT, carriesBytesPerS: MBIT, skewUs: 60 * MS })
  const isOut = () => guard.why(1) !== undefined
  /** Watches while so much goes through with the second path, and so much without it. Returns its sentences. */
  const watch = (us: number, withIt: number, without: number, paths = [best, other]) => {
    const whys = new Set<string | undefined>()
    course.during(us, () => {
      guard.observe(course.nowUs, paths, load(isOut() ? without : withIt))
      whys.add(guard.why(1))
    })
    return [...whys]
  }
  const TRIED = 'for some seconds, to see whether it does good'

  it('lets paths be that bring more than the best alone', () => {
    expect(watch(300 * SECOND, 12.5, 10)).toEqual([undefined])
  })

  it('takes out a path without which more goes through, and says how much', () => {
    expect(watch(30 * SECOND, 6.2, 9.8)).toEqual([
      undefined,
      TRIED,
      '9.80 Mbit/s go through without it, 6.20 Mbit/s with it',
    ])
    expect(isOut()).toBe(true)
  })

  it('knows nothing of a path that has the number of one that was removed', () => {
    watch(30 * SECOND, 6.2, 9.8)
    expect(isOut()).toBe(true)
    guard.forget(1)
    expect(isOut()).toBe(false)
  })

  it('lets a path in whose absence changes nothing: there is no more to send', () => {
    expect(watch(60 * SECOND, 8, 8)).toEqual([undefined, TRIED])
    expect(isOut()).toBe(false)
  })

  it('is not fooled by a sender that began to say more in the middle of a trial', () => {
    let rate = 5
    course.during(60 * SECOND, () => {
      if (guard.why(1) === TRIED) rate = 9
      guard.observe(course.nowUs, [best, other], load(rate))
    })
    expect(isOut()).toBe(false)
  })

  it('tries nothing while what goes through still grows, and does when that ends below', () => {
    let rate = 1
    course.during(60 * SECOND, () => {
      rate *= 1.01
      guard.observe(course.nowUs, [best, other], load(Math.min(rate, 9)))
      expect(isOut()).toBe(false)
    })
    course.during(60 * SECOND, () => {
      guard.observe(course.nowUs, [best, other], load(isOut() ? 9.9 : 6))
    })
    expect(isOut()).toBe(true)
  })

  it('tries again ever more rarely, and takes the path back when it does no harm any more', () => {
    watch(27 * SECOND, 6, 9.9)
    expect(isOut()).toBe(true)
    watch(62 * SECOND, 6, 9.9)
    expect(isOut()).toBe(false)
    watch(27 * SECOND, 6, 9.9)
    expect(isOut()).toBe(true)
    watch(100 * SECOND, 12.5, 9.9)
    expect(isOut()).toBe(true)
    watch(30 * SECOND, 12.5, 9.9)
    expect(isOut()).toBe(false)
    expect(watch(600 * SECOND, 12.5, 9.9)).toEqual([undefined])
  })

  it('tries nothing on what nobody would notice, nor alone, nor the best path', () => {
    expect(watch(300 * SECOND, 0.9, 0.9)).toEqual([undefined])
    expect(watch(300 * SECOND, 6, 10, [other])).toEqual([undefined])
    const strong = path(1, { canBytesPerS: 50 * MBIT, carriesBytesPerS: 6 * MBIT })
    expect(watch(300 * SECOND, 6, 10, [best, strong])).toEqual([undefined])
  })

  it('tries nothing with a path that is not in use', () => {
    const idle = path(1, { canBytesPerS: 3 * MBIT, carriesBytesPerS: 0.01 * MBIT, skewUs: 60 * MS })
    expect(watch(300 * SECOND, 6, 10, [best, idle])).toEqual([undefined])
  })

  it('never does without the path that carries most, though it was never full', () => {
    watch(30 * SECOND, 6, 9.9, [path(0, { carriesBytesPerS: 5 * MBIT }), other])
    expect(guard.why(0)).toBeUndefined()
    expect(isOut()).toBe(true)
  })

  it.each([
    ['the slowest', { skewUs: 80 * MS }],
    ['of those that are as slow the one that can carry least', { canBytesPerS: 2 * MBIT }],
  ])('tries to do without %s first', (_which, changes) => {
    for (const [first, second] of [
      [changes, {}],
      [{}, changes],
    ]) {
      guard = new Guard()
      const paths = [best, { ...other, ...first }, { ...other, ...second, path: 2 }]
      watch(18 * SECOND, 6, 6, paths)
      expect([guard.why(1), guard.why(2)]).toEqual(
        first === changes ? [TRIED, undefined] : [undefined, TRIED],
      )
    }
  })

  it('learns nothing from a trial in which paths come or go, or the sender falls silent', () => {
    watch(18 * SECOND, 6, 9.9)
    expect(guard.why(1)).toBe(TRIED)
    watch(SAMPLE_US, 6, 9.9, [best, other, path(2)])
    expect(isOut()).toBe(false)
    watch(SECOND, 6, 9.9)
    guard = new Guard()
    watch(18 * SECOND, 6, 9.9)
    watch(SAMPLE_US, 0.1, 0.1)
    expect(watch(50 * SECOND, 6, 9.9)).toEqual([undefined])
  })
})
