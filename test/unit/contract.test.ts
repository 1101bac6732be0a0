import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { COMMAND, COUNTER, CROSSING, EVENT, PATH_LOST, PLAN_KIND } from '../../src/boundary.js'
import { contractHeader } from '../../src/contract.js'
import { contractDigest } from '../../src/digest.js'
import { type Layout, place } from '../../src/layout.js'
import * as wire from '../../src/wire.js'

const HEADER = readFileSync(new URL('../../native/contract.h', import.meta.url), 'utf8')

/** Enumerators of the header by name. */
const CONSTANTS = new Map(
  [...HEADER.matchAll(/^\s*(?:enum \{ )?(MP_\w+) = (\d+)\b/gm)].map(([, name, value]) => [
    name,
    Number(value),
  ]),
)

describe('native/contract.h', () => {
  it('is what wire.ts and boundary.ts say; `npm run contract` writes it', () => {
    expect(HEADER).toBe(contractHeader())
  })

  it('carries the digest of both', () => {
    expect(HEADER).toContain(`#define MP_CONTRACT_DIGEST "${contractDigest()}"`)
  })

  // Spelled out here once, so that the generator cannot be wrong about names and values together.
  it.each([
    ['MP_WIRE_VERSION', 2],
    ['MP_MSG_CONTROL', 7],
    ['MP_HEADER_RECEIVER', 2],
    ['MP_HEADER_PATH_SEQ', 4],
    ['MP_HEADER_FLOW_SEQ', 13],
    ['MP_HEADER_BYTES', 16],
    ['MP_SEAL_TAG_BYTES', 16],
    ['MP_PROBE_BYTES', 32],
    ['MP_CONTROL_BYTES', 5],
    ['MP_INITIATION_BYTES', 171],
    ['MP_RESPONSE_BYTES', 125],
    ['MP_COOKIE_BYTES', 58],
    ['MP_HASH_LAYER3_4', 0],
    ['MP_LIMIT_PATHS', 16],
    ['MP_CMD_KEYS_INSTALL', 4],
    ['MP_EVENT_PATH_SEEN', 3],
    ['MP_PATH_LOST_UNHEARD', 1],
    ['MP_PLAN_BYTES', 24],
    ['MP_COUNTER_EVENTS_LOST', 40],
  ])('has %s = %d', (name, value) => {
    expect(CONSTANTS.get(name)).toBe(value)
  })
})

describe('the contract', () => {
  const tables: Record<string, Readonly<Record<string, { readonly value: number }>>> = {
    COMMAND,
    COUNTER,
    EVENT,
    PATH_LOST,
    PLAN_KIND,
    MESSAGE: wire.MESSAGE,
    CONTROL_KIND: wire.CONTROL_KIND,
    CLOSE_REASON: wire.CLOSE_REASON,
    MODE: wire.MODE,
    INTENT: wire.INTENT,
    XMIT_HASH: wire.XMIT_HASH,
    PRIMARY_RESELECT: wire.PRIMARY_RESELECT,
  }

  it.each(Object.entries(tables))('gives no number of %s twice', (_, table) => {
    const values = Object.values(table).map(({ value }) => value)
    expect(new Set(values).size).toBe(values.length)
  })

  it.each([
    ['AEAD', wire.AEAD],
    ['FEATURE', wire.FEATURE],
    ['FLOW_FLAG', wire.FLOW_FLAG],
    ['SAME', wire.SAME],
  ])('gives each of %s a bit of its own', (_, flags) => {
    const values: number[] = Object.values(flags).map(({ value }) => value)
    for (const value of values) expect(value & (value - 1)).toBe(0)
    expect(new Set(values).size).toBe(values.length)
  })

  const size = (layout: Layout) => place(layout, 'aligned').size

  it('has commands and events that fit their slots and begin with their kind', () => {
    for (const { layout } of Object.values(COMMAND)) {
      expect(size(layout)).toBeLessThanOrEqual(CROSSING.commandSlotBytes.value)
      expect(place(layout, 'aligned').fields[0]).toMatchObject({ name: 'kind', offset: 0, size: 2 })
    }
    for (const { layout } of Object.values(EVENT)) {
      expect(size(layout)).toBeLessThanOrEqual(CROSSING.eventSlotBytes.value)
      expect(place(layout, 'aligned').fields[0]).toMatchObject({ name: 'kind', offset: 0, size: 2 })
    }
  })

  it('has room in an event for every handshake message and every control body', () => {
    const room = (kind: 'handshake' | 'control') =>
      place(EVENT[kind].layout, 'aligned').fields.find(({ name }) => name === 'bytes')!.size
    for (const layout of [wire.INITIATION, wire.RESPONSE, wire.COOKIE]) {
      expect(place(layout, 'packed').size).toBeLessThanOrEqual(room('handshake'))
    }
    expect(wire.LIMIT.controlBytes.value).toBeLessThanOrEqual(room('control'))
  })

  it('has answers that are not larger than their questions', () => {
    const packed = (layout: Layout) => place(layout, 'packed').size
    expect(packed(wire.RESPONSE)).toBeLessThanOrEqual(packed(wire.INITIATION))
    expect(packed(wire.COOKIE)).toBeLessThanOrEqual(packed(wire.INITIATION))
  })

  it('has rings and windows that are powers of two', () => {
    for (const { value } of [
      CROSSING.commandSlots,
      CROSSING.eventSlots,
      wire.LIMIT.replayBits,
      wire.LIMIT.buckets,
    ]) {
      expect(Math.log2(value) % 1).toBe(0)
    }
  })

  it('has keys that outlive a rekey by enough tries', () => {
    expect(wire.TIMER.rejectAfterUs.value).toBeGreaterThan(wire.TIMER.rekeyAfterUs.value + 30e6)
  })
})
