import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Adaptive } from '../../src/core/adaptive.js'
import { type Candidate, candidatesOf, type Load } from '../../src/core/candidate.js'
import { Eligibility } from '../../src/core/eligibility.js'
import { Guard } from '../../src/core/guard.js'
import { DEFAULT_PATH_POLICY } from '../../src/core/policy.js'
import { PathStats } from '../../src/core/stats.js'
import { Tiers } from '../../src/core/tiers.js'
import { MS, pathSample, SECOND } from './core_fixture.js'

const SAMPLE_US = 250 * MS
const MBIT = 125_000
/** Of a sample: something waits for the window. */
const FULL = { windowBytes: 10_000, inflightBytes: 10_000, targetUs: 10_000 }
const LABELS = ['dsl0', 'lte0', 'sat0', 'cable0']

const path = (id: number, changes: Partial<Candidate> = {}): Candidate => ({
  path: id,
  label: LABELS[id] ?? `p${id}`,
  tier: 0,
  skewUs: 0,
  canBytesPerS: 0,
  carriesBytesPerS: 0,
  suspect: false,
  suspicions: 0,
  reported: { expected: 0, lost: 0 },
  ...changes,
})
const load = (mbit: number, backlogMs = 0): Load => ({
  sentBytesPerS: mbit * MBIT,
  backlogUs: backlogMs * MS,
})

let nowUs: number
beforeEach(() => {
  nowUs = 0
})
/** Samples for so long, the last of them at its end. */
function during(us: number, sample: () => void): void {
  const endUs = nowUs + us
  while (nowUs < endUs) {
    nowUs = Math.min(endUs, nowUs + SAMPLE_US)
    sample()
  }
}

describe('candidates', () => {
  it('have delays above the quickest among them, whoever is quicker elsewhere', () => {
    const measured = (txSkewUs: number) => {
      const stats = new PathStats()
      stats.handleSample(0, pathSample({ txSkewUs, deliveryRate: 7, suspect: 1, ...FULL }))
      return stats.measurements()
    }
    const known = [30_000, 10_000].map((skewUs, i) => ({
      policy: { ...DEFAULT_PATH_POLICY, path: i, tier: i },
      label: LABELS[i]!,
      measurements: measured(skewUs),
    }))
    const unknown = {
      policy: { ...DEFAULT_PATH_POLICY, path: 2 },
      label: 'sat0',
      measurements: undefined,
    }
    expect(candidatesOf([...known, unknown])).toMatchObject([
      { path: 0, label: 'dsl0', tier: 0, skewUs: 20_000, canBytesPerS: 7, suspect: true },
      { path: 1, label: 'lte0', tier: 1, skewUs: 0 },
      { path: 2, label: 'sat0', skewUs: 0, canBytesPerS: 0, suspect: false },
    ])
  })
})

describe('what a path can', () => {
  const of = (capBytesPerS: number, ...samples: Parameters<typeof pathSample>[0][]) => {
    const stats = new PathStats()
    samples.forEach((changes, i) => {
      stats.handleSample(i * SECOND, pathSample(changes))
    })
    const policy = { ...DEFAULT_PATH_POLICY, path: 0, capBytesPerS }
    const [candidate] = candidatesOf([{ policy, label: '', measurements: stats.measurements() }])
    return candidate?.canBytesPerS
  }

  it('is not known from a sender that has little to say', () => {
    expect(of(0, { deliveryRate: 7, windowBytes: 10_000, targetUs: 10_000 })).toBe(0)
    expect(of(0, { deliveryRate: 7, ...FULL })).toBe(7)
  })

  it('is its cap when that is reached, whatever the window says', () => {
    const one = { deliveryRate: 900, windowBytes: 10_000, targetUs: 10_000 }
    expect(of(1000, { txBytes: 0 }, { ...one, txBytes: 900 })).toBe(0)
    expect(of(1000, { txBytes: 0 }, { ...one, txBytes: 960 })).toBe(1000)
  })
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
    during(us, () => tiers.observe(nowUs, list, of))
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
    tiers.observe(nowUs, stuck, load(1))
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

describe('eligibility', () => {
  let eligibility: Eligibility
  beforeEach(() => {
    eligibility = new Eligibility()
  })
  const watch = (us: number, ...paths: Candidate[]) =>
    during(us, () => eligibility.observe(nowUs, paths))
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
      const fromUs = nowUs
      while (eligibility.why(1) !== undefined)
        watch(SAMPLE_US, quick, { ...late, skewUs: 100 * MS })
      return nowUs - fromUs
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

  it('ends for a path that adds next to nothing, when its window has had time to open', () => {
    const slow = path(1, { canBytesPerS: 0.5 * MBIT, carriesBytesPerS: 0.4 * MBIT })
    watch(4 * SECOND, quick, slow)
    expect(eligibility.why(1)).toBeUndefined()
    watch(4 * SECOND, quick, slow)
    expect(eligibility.why(1)).toBe('its 0.500 Mbit/s are less than 5% of the sum')
  })

  it('does not end for a path that is not in use: what it can was found out while its window was small', () => {
    watch(60 * SECOND, quick, path(1, { canBytesPerS: 0.5 * MBIT, carriesBytesPerS: 0.01 * MBIT }))
    expect(eligibility.why(1)).toBeUndefined()
  })

  it('ends for a path that stops again and again, also for thin flows', () => {
    watch(SECOND, quick, path(1, { suspicions: 4 }))
    expect(eligibility.why(1)).toBeUndefined()
    watch(250 * MS, quick, path(1, { suspicions: 5 }))
    expect(eligibility.why(1)).toBe('it stopped 5 times in ten seconds')
    expect(eligibility.isUnfit(1)).toBe(true)
  })

  it('goes on where all stop: that is no fault of one', () => {
    const stops = { suspicions: 9 }
    watch(60 * SECOND, path(0, stops), path(1, stops))
    expect([0, 1].map((id) => eligibility.why(id))).toEqual([undefined, undefined])
    watch(250 * MS, path(0, stops), path(1, { suspicions: 14 }))
    expect(eligibility.why(1)).toBe('it stopped 14 times in ten seconds')
  })

  it('goes on for a path that stops but carries more than all others', () => {
    const most = { suspicions: 9, canBytesPerS: 21 * MBIT }
    watch(60 * SECOND, path(0, { canBytesPerS: 20 * MBIT }), path(1, most))
    expect(eligibility.why(1)).toBeUndefined()
    watch(250 * MS, path(0, { canBytesPerS: 21 * MBIT }), path(1, most))
    expect(eligibility.why(1)).toBe('it stopped 9 times in ten seconds')
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
    during(1800 * SECOND, () => {
      eligibility.observe(nowUs, [quick, lossy])
      const now = eligibility.why(1) !== undefined
      if (now && !isOut) outs.push(nowUs)
      isOut = now
    })
    const gaps = outs.slice(1).map((us, i) => us - outs[i]!)
    expect(gaps.length).toBeGreaterThan(4)
    expect(gaps).toEqual(gaps.toSorted((a, b) => a - b))
    expect(gaps[0]).toBeLessThan(30 * SECOND)
    expect(gaps.at(-1)).toBeGreaterThan(300 * SECOND)
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
    during(us, () => {
      guard.observe(nowUs, paths, load(isOut() ? without : withIt))
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

  it('lets a path in whose absence changes nothing: there is no more to send', () => {
    expect(watch(60 * SECOND, 8, 8)).toEqual([undefined, TRIED])
    expect(isOut()).toBe(false)
  })

  it('is not fooled by a sender that began to say more in the middle of a trial', () => {
    let rate = 5
    during(60 * SECOND, () => {
      if (guard.why(1) === TRIED) rate = 9
      guard.observe(nowUs, [best, other], load(rate))
    })
    expect(isOut()).toBe(false)
  })

  it('tries nothing while what goes through still grows, and does when that ends below', () => {
    let rate = 1
    during(60 * SECOND, () => {
      rate *= 1.01
      guard.observe(nowUs, [best, other], load(Math.min(rate, 9)))
      expect(isOut()).toBe(false)
    })
    during(60 * SECOND, () => {
      guard.observe(nowUs, [best, other], load(isOut() ? 9.9 : 6))
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

describe('the mode adaptive', () => {
  it('leaves out of bulk what is late, and keeps it for thin flows', () => {
    const adaptive = new Adaptive()
    const paths = [path(0), path(1, { skewUs: 300 * MS }), path(2, { tier: 1 })]
    during(2 * SECOND, () => adaptive.observe(nowUs, paths, load(1)))
    const { bulk, thin, left } = adaptive.admit(paths)
    expect({ bulk, thin, left: [...left] }).toEqual({
      bulk: [0],
      thin: [0, 1],
      left: [[1, '300 ms slower than dsl0']],
    })
  })

  it('keeps what is unfit away from thin flows as well', () => {
    const adaptive = new Adaptive()
    const paths = [path(0), path(1, { suspicions: 9 })]
    during(SECOND, () => adaptive.observe(nowUs, paths, load(1)))
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
          during(us, () => adaptive.observe(nowUs, candidates, load(mbit, backlogMs)))
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
