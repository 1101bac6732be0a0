import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Adaptive } from '../../src/core/adaptive.js'
import { Course, load, MBIT, path } from './candidate_fixture.js'
import { MS, SECOND } from './core_fixture.js'

let course: Course
beforeEach(() => {
  course = new Course()
})

describe('the mode adaptive', () => {
  it('leaves out of bulk what is late, and keeps it for thin flows', () => {
    const adaptive = new Adaptive()
    const paths = [path(0), path(1, { skewUs: 300 * MS }), path(2, { tier: 1 })]
    course.during(2 * SECOND, () => adaptive.observe(course.nowUs, paths, load(1)))
    const { bulk, thin, left } = adaptive.admit(paths)
    expect({ bulk, thin, left: [...left] }).toEqual({
      bulk: [0],
      thin: [0, 1],
      left: [[1, '300 ms slower than dsl0']],
    })
  })

  it('keeps what is unfit away from thin flows as well', () => {
    const adaptive = new Adaptive()
    const paths = [path(0, { broughtBytesPerS: MBIT }), path(1, { suspicions: 9 })]
    course.during(6 * SECOND, () => adaptive.observe(course.nowUs, paths, load(1)))
    expect(adaptive.admit(paths)).toMatchObject({ bulk: [0], thin: [0] })
  })

  it('knows nothing before the first sample, and then uses all', () => {
    const paths = [path(0), path(1), path(2, { tier: 1 })]
    expect(new Adaptive().admit(paths)).toEqual({ bulk: [0, 1], thin: [0, 1], left: new Map() })
  })

  it('always has a path for bulk, and thin flows have all of those', () => {
    const anyPath = fc.record({
      tier: fc.nat({ max: 2 }),
      skewUs: fc.constantFrom(0, 100 * MS, 130 * MS, 400 * MS),
      canBytesPerS: fc.constantFrom(0, 0.1 * MBIT, 5 * MBIT, 50 * MBIT),
      suspect: fc.boolean(),
      broughtBytesPerS: fc.constantFrom(0, 0.1 * MBIT, 5 * MBIT),
      suspicions: fc.constantFrom(0, 9),
      reported: fc.constantFrom({ expected: 0, lost: 0 }, { expected: 1000, lost: 600 }),
    })
    const step = fc.record({
      paths: fc.array(anyPath, { minLength: 1, maxLength: 4 }),
      mbit: fc.constantFrom(0, 2, 20),
      backlogMs: fc.constantFrom(0, 80),
      us: fc.constantFrom(250 * MS, SECOND, 7 * SECOND, 60 * SECOND),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const adaptive = new Adaptive()
        for (const { paths, mbit, backlogMs, us } of steps) {
          const candidates = paths.map((each, id) => path(id, each))
          course.during(us, () => adaptive.observe(course.nowUs, candidates, load(mbit, backlogMs)))
          const { bulk, thin, left } = adaptive.admit(candidates)
          expect(bulk.length).toBeGreaterThan(0)
          for (const id of bulk) {
            expect(thin).toContain(id)
            expect(left.has(id)).toBe(false)
          }
        }
      }),
      { seed: 11, numRuns: 200 },
    )
  })
})
