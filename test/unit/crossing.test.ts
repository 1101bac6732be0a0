import { describe, expect, it } from 'vitest'
import { CROSSING, EVENT } from '../../src/boundary.js'
import { EventReader } from '../../src/crossing.js'

/** A ring into which somebody writes `count` events, as fast as they are read. */
function ring(count: number) {
  let left = count
  return (into: Uint8Array) => {
    const slots = Math.min(left, into.length / CROSSING.eventSlotBytes.value)
    left -= slots
    for (let slot = 0; slot < slots; slot++)
      into[slot * CROSSING.eventSlotBytes.value] = EVENT.linksChanged.value
    return slots
  }
}

describe('reading events', () => {
  it('ends when none waits', () => {
    const reader = new EventReader(ring(100))
    expect(reader.readAll()).toEqual(Array(100).fill({ kind: 'linksChanged' }))
    expect(reader.readAll()).toEqual([])
  })

  it('ends also where somebody writes as fast as they are read', () => {
    const reader = new EventReader(ring(Number.POSITIVE_INFINITY))
    expect(reader.readAll()).toHaveLength(CROSSING.eventSlots.value)
  })
})
