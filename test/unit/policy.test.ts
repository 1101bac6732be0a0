import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DEFAULT_PATH_POLICY,
  DEFAULT_POLICY,
  decodePolicy,
  encodePolicy,
  type Intent,
  type Mode,
  type Policy,
  type PrimaryReselect,
  pathPolicy,
  type XmitHash,
} from '../../src/core/policy.js'
import { INTENT, LIMIT, MODE, PRIMARY_RESELECT, XMIT_HASH } from '../../src/wire.js'
import { policyOf } from './core_fixture.js'

const name = <N extends string>(table: Record<N, unknown>) =>
  fc.constantFrom(...(Object.keys(table) as N[]))
const u32 = fc.nat({ max: 2 ** 32 - 1 })
const pathId = fc.nat({ max: LIMIT.paths.value - 1 })

const anyPolicy: fc.Arbitrary<Policy> = fc.record({
  mode: name<Mode>(MODE),
  hash: name<XmitHash>(XMIT_HASH),
  primary: fc.option(pathId, { nil: undefined }),
  reselect: name<PrimaryReselect>(PRIMARY_RESELECT),
  updelayUs: u32,
  downdelayUs: u32,
  paths: fc.uniqueArray(
    fc.record({
      path: pathId,
      intent: name<Intent>(INTENT),
      tier: fc.nat({ max: 255 }),
      weight: fc.integer({ min: 1, max: LIMIT.weight.value }),
      metered: fc.boolean(),
      spent: fc.boolean(),
      capBytesPerS: u32,
      targetUs: fc.nat({ max: 2 ** 24 - 1 }),
    }),
    { maxLength: LIMIT.paths.value, selector: ({ path }) => path },
  ),
})

const EXAMPLE = policyOf({
  mode: 'active-backup',
  hash: 'layer3',
  primary: 3,
  reselect: 'failure',
  updelayUs: 0x01020304,
  downdelayUs: 5,
  paths: [
    {
      path: 3,
      intent: 'standby',
      tier: 7,
      weight: 256,
      metered: true,
      spent: false,
      capBytesPerS: 0x0a0b0c0d,
      targetUs: 0x010203,
    },
    { ...DEFAULT_PATH_POLICY, path: 0, intent: 'down', spent: true },
  ],
})
const HEAD = [1, 1, 3, 2, 4, 3, 2, 1, 5, 0, 0, 0, 2]
const FIRST = [3, 1, 7, 0, 1, 1, 0x0d, 0x0c, 0x0b, 0x0a, 3, 2, 1]
const SECOND_PATH = [0, 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0]
const OCTETS = [...HEAD, ...FIRST, ...SECOND_PATH]

describe('a policy on the wire', () => {
  it('is POLICY and a POLICY_PATH for each path', () => {
    expect([...encodePolicy(EXAMPLE)]).toEqual(OCTETS)
    expect(decodePolicy(Uint8Array.from(OCTETS))).toEqual(EXAMPLE)
  })

  it('is read as it was written, and fits a control message', () => {
    fc.assert(
      fc.property(anyPolicy, (policy) => {
        const bytes = encodePolicy(policy)
        expect(bytes.length).toBeLessThanOrEqual(LIMIT.controlBytes.value - 5)
        expect(decodePolicy(bytes)).toEqual(policy)
      }),
      { seed: 7 },
    )
  })

  it.each([
    ['nothing at all', []],
    ['half of a head', OCTETS.slice(0, 12)],
    ['half of a path', OCTETS.slice(0, -1)],
    ['something behind', [...OCTETS, 0]],
    ['fewer paths than it says', OCTETS.slice(0, -SECOND_PATH.length)],
    ['an unknown mode', OCTETS.with(0, 4)],
    ['an unknown hash', OCTETS.with(1, 2)],
    ['a primary that cannot be', OCTETS.with(2, 16)],
    ['an unknown reselect', OCTETS.with(3, 3)],
    ['a path that cannot be', OCTETS.with(13, 16)],
    ['an unknown intent', OCTETS.with(14, 3)],
    ['weight zero', OCTETS.with(17, 0)],
    ['weight 257', OCTETS.with(16, 1)],
    ['a path twice', OCTETS.with(13, 0)],
  ])('is refused with %s', (_, octets) => {
    expect(decodePolicy(Uint8Array.from(octets))).toBeUndefined()
  })
})

describe('flags of a path that this version does not know', () => {
  it('are ignored', () => {
    const flags = HEAD.length + 5
    expect(decodePolicy(Uint8Array.from(OCTETS.with(flags, 0xfd)))).toEqual(EXAMPLE)
  })
})

describe('the policy of one path', () => {
  it('is what was said, or the default before anything was', () => {
    expect(pathPolicy(EXAMPLE, 3)).toEqual(EXAMPLE.paths[0])
    expect(pathPolicy(DEFAULT_POLICY, 5)).toEqual({ ...DEFAULT_PATH_POLICY, path: 5 })
  })

  it('is to carry nothing on a path that was left out', () => {
    expect(pathPolicy(EXAMPLE, 5)).toMatchObject({ path: 5, intent: 'down' })
  })
})
