/** Whatever an authentic peer sends as a policy: refused, or one that every mode can carry out. */
import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { CROSSING, PLAN_KIND, PLAN_PATH } from '../../src/boundary.js'
import { Peer } from '../../src/core/peer.js'
import { decodePolicy, encodePolicy } from '../../src/core/policy.js'
import { place } from '../../src/layout.js'
import { LIMIT, POLICY, POLICY_PATH, POLICY_PATH_FLAG } from '../../src/wire.js'
import { newContext, only, takeCommands } from '../unit/core_fixture.js'
import { hostileOctets, readCorpus } from './octets_fixture.js'

const corpus = readCorpus('policy')

beforeAll(() => sodium.ready)

const HEAD_BYTES = place(POLICY, 'packed').size
const PATH_LAYOUT = place(POLICY_PATH, 'packed')
const FLAGS_AT = PATH_LAYOUT.fields.find(({ name }) => name === 'flags')?.offset
const KNOWN_FLAGS = Object.values(POLICY_PATH_FLAG).reduce((all, { value }) => all | value, 0)

function isFlags(at: number): boolean {
  return at >= HEAD_BYTES && (at - HEAD_BYTES) % PATH_LAYOUT.size === FLAGS_AT
}

function expectHarmless(bytes: Uint8Array): void {
  const policy = decodePolicy(bytes)
  if (policy === undefined) return
  // There is one way to say a thing, so whatever is taken has every octet in its place, but for flags that
  // nobody knows.
  const known = bytes.map((octet, i) => (isFlags(i) ? octet & KNOWN_FLAGS : octet))
  expect(encodePolicy(policy)).toEqual(Uint8Array.from(known))
  expect(policy.paths.length).toBeLessThanOrEqual(LIMIT.paths.value)
}

function tableBytes(kind: number, slots: number): number {
  if (kind === PLAN_KIND.buckets.value) return LIMIT.buckets.value * CROSSING.planChoices.value
  return kind === PLAN_KIND.arrival.value ? slots * place(PLAN_PATH, 'packed').size : slots
}

/** Under this policy, with all paths up: commands fit their records, plans what C accepts. */
function expectPlans(bytes: Uint8Array): void {
  const policy = decodePolicy(bytes)
  if (policy === undefined) return
  const context = newContext()
  const peer = new Peer(context, { id: 0, name: 'odd', initiator: false })
  peer.publishProbing()
  peer.setPolicy(policy)
  for (let path = 0; path < LIMIT.paths.value; path++) {
    peer.setPath(0, path, '', undefined)
    peer.handleEvent(0, { kind: 'pathAlive', peer: 0, path })
  }
  for (const { payload } of only(takeCommands(context), 'planPublish')) {
    const slots = payload![4]! | (payload![5]! << 8)
    expect(slots).toBeLessThanOrEqual(CROSSING.planSlots.value)
    expect(payload).toHaveLength(24 + tableBytes(payload![0]!, slots))
  }
}

describe('a policy of an authentic peer of another mind', () => {
  it.each([...corpus])('%s', (_, bytes) => {
    expectHarmless(bytes)
    expectPlans(bytes)
  })

  it('is nothing that can be read in two ways', () => {
    fc.assert(fc.property(hostileOctets(corpus), expectHarmless), { seed: 1_729, numRuns: 20_000 })
  })

  it('is nothing that cannot be carried out', () => {
    fc.assert(fc.property(hostileOctets(corpus), expectPlans), { seed: 1_729, numRuns: 400 })
  })

  it('is accepted often enough for this to mean something', () => {
    const accepted = fc
      .sample(hostileOctets(corpus), { seed: 1_729, numRuns: 1000 })
      .filter((bytes) => decodePolicy(bytes) !== undefined)
    expect(accepted.length).toBeGreaterThan(50)
  })
})
