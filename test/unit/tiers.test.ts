import { beforeEach, describe, expect, it } from 'vitest'
import type { Load } from '../../src/core/candidate.js'
import { Tiers } from '../../src/core/tiers.js'
import { Course, load, MBIT, path } from './candidate_fixture.js'
import { MS, SECOND } from './core_fixture.js'

let course: Course
beforeEach(() => {
  course = new Course()
})

describe('tiers', () => {
  let tiers: Tiers
  const paths = [
    path(0, { tier: 0, canBytesPerS: 20 * MBIT }),
    path(1, { tier: 3, canBytesPerS: 10 * MBIT }),
    path(2, { tier: 5 }),
  ]
  const open = (of = paths) => tiers.open(of).map((each) => each.path)
  const observe = (us: number, of: Load, list = paths) =>
    course.during(us, () => tiers.observe(course.nowUs, list, of))
  beforeEach(() => {
    tiers = new Tiers()
  })

  it('begin with the first that there is', () => {
    expect(open()).toEqual([0])
    expect(open(paths.slice(1))).toEqual([1])
    expect(open([])).toEqual([])
  })

  it('are joined by the next after half a second of backlog, one after another', () => {
    observe(750 * MS, load(20, 60))
    expect(open()).toEqual([0, 1])
    observe(500 * MS, load(30, 60))
    expect(open()).toEqual([0, 1])
    observe(500 * MS, load(30, 60))
    expect(open()).toEqual([0, 1, 2])
  })

  it('are not joined for a burst', () => {
    for (let i = 0; i < 20; i++) {
      observe(250 * MS, load(15, 60))
      observe(250 * MS, load(15, 40))
    }
    expect(open()).toEqual([0])
  })

  it('are joined when they are full for two seconds, however little waits', () => {
    observe(2 * SECOND, load(19.5))
    expect(open()).toEqual([0])
    observe(250 * MS, load(19.5))
    expect(open()).toEqual([0, 1])
    observe(60 * SECOND, load(28))
    expect(open()).toEqual([0, 1])
  })

  it('are joined at once when all that carry are stuck', () => {
    const stuck = [path(0, { suspect: true }), ...paths.slice(1)]
    tiers.observe(course.nowUs, stuck, load(1))
    expect(open()).toEqual([0, 1])
    // And not left as long as they are.
    observe(60 * SECOND, load(0), stuck)
    expect(open()).toEqual([0, 1])
  })

  it('leave after five seconds in which the others would do', () => {
    observe(SECOND, load(20, 60))
    observe(60 * SECOND, load(17))
    expect(open()).toEqual([0, 1])
    observe(5 * SECOND, load(15))
    expect(open()).toEqual([0, 1])
    observe(250 * MS, load(15))
    expect(open()).toEqual([0])
  })

  it('do not leave while something waits, and not in the pauses of a stream', () => {
    observe(SECOND, load(20, 60))
    for (let i = 0; i < 20; i++) {
      observe(4 * SECOND, load(1))
      observe(250 * MS, load(25))
    }
    expect(open()).toEqual([0, 1])
  })

  it('go on with the nearest when one is gone', () => {
    observe(SECOND, load(20, 60))
    expect(open([paths[2]!])).toEqual([2])
    expect(open([paths[1]!, paths[2]!])).toEqual([1])
  })
})
