import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Family, HEADER_BYTES, innerBytes, PathMtu } from '../../src/core/pathmtu.js'
import { LIMIT } from '../../src/wire.js'

const MS = 1000
const SECOND = 1_000_000

interface Way {
  readonly family: Family
  /** Largest IP packet that passes. */
  readonly mtuBytes: number
  readonly rttUs: number
  /** Whether the probe of this number is lost by chance. */
  readonly isLost?: (probe: number) => boolean
}

/** Lets a search run to its end over a modelled way. */
function search({ family, mtuBytes, rttUs, isLost = () => false }: Way) {
  const mtu = new PathMtu(0, family)
  const underWay: { readonly atUs: number; readonly octets: number }[] = []
  const probes: number[] = []
  let nowUs = 0
  for (;;) {
    nowUs = Math.min(mtu.nextTimeout(), underWay[0]?.atUs ?? Number.POSITIVE_INFINITY)
    if (nowUs === Number.POSITIVE_INFINITY) return { mtu, probes }
    while (underWay[0] !== undefined && underWay[0].atUs <= nowUs) {
      mtu.handleEcho(underWay.shift()!.octets)
    }
    const octets = mtu.poll(nowUs)
    if (octets === undefined) continue
    const passes = octets + HEADER_BYTES[family] <= mtuBytes && !isLost(probes.length)
    if (passes) underWay.push({ atUs: nowUs + rttUs, octets })
    probes.push(octets)
  }
}

const FAMILY = fc.constantFrom<Family>(4, 6)

describe('the MTU of a path', () => {
  it.each([
    [4, 1440],
    [6, 1420],
  ] as const)('of an Ethernet under IPv%d takes one probe', (family, inner) => {
    const { mtu, probes } = search({ family, mtuBytes: 1500, rttUs: 20 * MS })
    expect(mtu.bytes).toBe(inner)
    expect(probes).toEqual([1500 - HEADER_BYTES[family]])
    expect(mtu.isSettled).toBe(true)
  })

  it.each([
    ['PPPoE', 1492, 1432],
    ['a mobile network', 1428, 1368],
    ['WireGuard', 1420, 1360],
    ['a tunnel in a tunnel', 1343, 1280],
  ])('of %s is found from above', (_what, mtuBytes, inner) => {
    expect(search({ family: 4, mtuBytes, rttUs: 50 * MS }).mtu.bytes).toBe(inner)
  })

  it('is unknown where nothing comes back, and is given up', () => {
    const { mtu, probes } = search({ family: 4, mtuBytes: 0, rttUs: 0 })
    expect(mtu.bytes).toBeUndefined()
    expect(mtu.isSettled).toBe(true)
    expect(probes).toHaveLength(3 * new Set(probes).size)
  })

  it('is not taken from an answer to a question that was never asked', () => {
    const mtu = new PathMtu(0, 4)
    for (const octets of [0, 1471, 1473, 65_535]) mtu.handleEcho(octets)
    expect(mtu.bytes).toBeUndefined()
  })

  it('is never more than what passes, and less by no more than a step', () => {
    fc.assert(
      fc.property(
        FAMILY,
        fc.integer({ min: 1200, max: 1600 }),
        fc.integer({ min: 0, max: SECOND - 1 }),
        (family, mtuBytes, rttUs) => {
          const { mtu } = search({ family, mtuBytes, rttUs })
          const passes = innerBytes(Math.min(1500, mtuBytes) - HEADER_BYTES[family])
          if (mtu.bytes === undefined) expect(passes).toBeLessThan(LIMIT.leastMtu.value + 8)
          else expect(passes - mtu.bytes).toBeOneOf([0, 1, 2, 3, 4, 5, 6, 7])
        },
      ),
    )
  })

  it('outlives two losses of any size', () => {
    fc.assert(
      fc.property(
        FAMILY,
        fc.integer({ min: 1400, max: 1500 }),
        fc.nat(60),
        (family, mtuBytes, n) => {
          const way = { family, mtuBytes, rttUs: 30 * MS }
          const isLost = (probe: number) => probe === n || probe === n + 1
          expect(search({ ...way, isLost }).mtu.bytes).toBe(search(way).mtu.bytes)
        },
      ),
    )
  })
})
