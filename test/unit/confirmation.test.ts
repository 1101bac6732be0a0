import { describe, expect, it } from 'vitest'
import { Confirmation } from '../../src/core/confirmation.js'

const SECOND = 1_000_000
const ENOUGH_BYTES = 100_000

/** Moments of the questions until so many seconds are over, and whether it ended refuted. */
function ask(confirmation: Confirmation, fromS: number, toS: number) {
  const askedS: number[] = []
  while (confirmation.nextTimeout() <= toS * SECOND && !confirmation.isRefuted) {
    const nowUs = Math.max(confirmation.nextTimeout(), fromS * SECOND)
    if (confirmation.poll(nowUs)) askedS.push(nowUs / SECOND)
  }
  return { askedS, isRefuted: confirmation.isRefuted }
}

describe('what a path has passed', () => {
  it('is not asked for where too little is carried', () => {
    const confirmation = new Confirmation(0)
    confirmation.handleCarried(SECOND, ENOUGH_BYTES - 1)
    expect(ask(confirmation, 0, 3600).askedS).toEqual([])
  })

  it('is asked for after a while, or when enough was carried', () => {
    const busy = new Confirmation(0)
    busy.handleCarried(SECOND, ENOUGH_BYTES)
    expect(busy.nextTimeout()).toBe(6 * SECOND)
    const quiet = new Confirmation(0)
    quiet.handleCarried(SECOND, ENOUGH_BYTES / 2)
    quiet.handleCarried(60 * SECOND, ENOUGH_BYTES / 2)
    expect(quiet.nextTimeout()).toBe(60 * SECOND)
  })

  it('is refuted when five questions have no answer, and not before the last had its time', () => {
    const confirmation = new Confirmation(0)
    confirmation.handleCarried(0, ENOUGH_BYTES)
    expect(ask(confirmation, 0, 8.4)).toEqual({ askedS: [6, 6.5, 7, 7.5, 8], isRefuted: false })
    expect(ask(confirmation, 0, 8.5)).toEqual({ askedS: [], isRefuted: true })
  })

  it('is asked for no sooner for what is carried meanwhile', () => {
    const confirmation = new Confirmation(0)
    confirmation.handleCarried(0, ENOUGH_BYTES)
    expect(confirmation.poll(6 * SECOND)).toBe(true)
    confirmation.handleCarried(6 * SECOND, ENOUGH_BYTES)
    expect(confirmation.nextTimeout()).toBe(6.5 * SECOND)
  })

  it('counts anew from an answer on', () => {
    const confirmation = new Confirmation(0)
    for (let round = 1; round <= 20; round++) {
      confirmation.handleCarried((round - 1) * 8 * SECOND, ENOUGH_BYTES)
      const { askedS, isRefuted } = ask(confirmation, 0, round * 8)
      expect([askedS.length, isRefuted]).toEqual([5, false])
      confirmation.restart(round * 8 * SECOND)
      expect(confirmation.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    }
  })
})
