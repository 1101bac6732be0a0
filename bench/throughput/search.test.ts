import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RateSearch, type Trial } from './search.js'

/** Something that carries so many packets a second and drops the others, fed by a sender of some speed. */
function carrier(capacityPerS: number, senderPerS = Number.POSITIVE_INFINITY) {
  const rates: number[] = []
  const trial = async (perS: number): Promise<Trial> => {
    rates.push(perS)
    const sentPerS = Math.min(perS, senderPerS)
    const receivedPerS = Math.min(sentPerS, capacityPerS)
    return { receivedPerS, loss: 1 - receivedPerS / sentPerS }
  }
  return { trial, rates }
}

const rate = fc.double({ min: 6000, max: 3e6, noNaN: true })

describe('a search for the highest rate', () => {
  it('finds it within a step, from wherever it starts', async () => {
    await fc.assert(
      fc.asyncProperty(rate, rate, async (capacityPerS, guessPerS) => {
        const { trial, rates } = carrier(capacityPerS)
        const search = new RateSearch(trial)
        const found = await search.find(0, guessPerS)
        expect(found).toBeLessThanOrEqual(capacityPerS)
        expect(found).toBeGreaterThan(capacityPerS / 1.101)
        expect(search.greatest(0)).toBeCloseTo(found)
        expect(rates.length).toBeLessThan(30)
      }),
    )
  })

  it('ends where the sender does', async () => {
    await fc.assert(
      fc.asyncProperty(rate, rate, async (senderPerS, guessPerS) => {
        const { trial } = carrier(1e9, senderPerS)
        const search = new RateSearch(trial)
        await search.find(0.01, guessPerS)
        expect(search.greatest(0.01)).toBeCloseTo(senderPerS)
      }),
    )
  })

  it('says more where more may be lost, without asking again', async () => {
    const { trial, rates } = carrier(100_000)
    const search = new RateSearch(trial)
    const one = await search.find(0.05, 60_000)
    const before = rates.length
    const none = await search.find(0, one)
    expect(none).toBeLessThanOrEqual(one)
    expect(rates.length - before).toBeLessThan(6)
    expect(search.greatest(0.05)).toBeGreaterThanOrEqual(search.greatest(0))
  })

  it('is not misled by a single stumble', async () => {
    const { trial } = carrier(200_000)
    let calls = 0
    const search = new RateSearch(async (perS) => {
      const good = await trial(perS)
      return calls++ % 2 === 0 ? { ...good, loss: 0.5 } : good
    })
    expect(await search.find(0, 60_000)).toBeGreaterThan(200_000 / 1.101)
  })

  it('finds nothing where everything is lost', async () => {
    const search = new RateSearch(async () => ({ receivedPerS: 0, loss: 1 }))
    expect(await search.find(0.01, 60_000)).toBe(0)
    expect(search.greatest(0.01)).toBe(0)
  })
})
