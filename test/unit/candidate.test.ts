import { describe, expect, it } from 'vitest'
import { candidatesOf } from '../../src/core/candidate.js'
import { DEFAULT_PATH_POLICY } from '../../src/core/policy.js'
import { PathStats } from '../../src/core/stats.js'
import { FULL, LABELS } from './candidate_fixture.js'
import { pathSample, SECOND } from './core_fixture.js'

describe('candidates', () => {
  it('have delays above the quickest among them, whoever is quicker elsewhere', () => {
    const measured = (txSkewUs: number) => {
      const stats = new PathStats()
      stats.handleSample(0, pathSample({ txSkewUs, deliveryBytesPerS: 7, suspect: 1, ...FULL }))
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
    expect(of(0, { deliveryBytesPerS: 7, windowBytes: 10_000, targetUs: 10_000 })).toBe(0)
    expect(of(0, { deliveryBytesPerS: 7, ...FULL })).toBe(7)
  })

  it('is its cap when that is reached, whatever the window says', () => {
    const one = { deliveryBytesPerS: 900, windowBytes: 10_000, targetUs: 10_000 }
    expect(of(1000, { txBytes: 0 }, { ...one, txBytes: 900 })).toBe(0)
    expect(of(1000, { txBytes: 0 }, { ...one, txBytes: 960 })).toBe(1000)
  })
})
