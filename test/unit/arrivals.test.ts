import { describe, expect, it } from 'vitest'
import { type Arrival, judgeStream } from '../../bench/lab/arrivals.js'

/** Sequences in the order of arrival, 10 ms apart, sent 10 ms apart, 20 ms under way. */
function arrive(...sequences: number[]): Arrival[] {
  return sequences.map((sequence, index) => ({
    sequence,
    delayUs: 20_000 + (index - sequence) * 10_000,
    atUs: index * 10_000,
    from: '10.77.0.2',
    port: 7000,
  }))
}

describe('the judgement of a stream', () => {
  it('has nothing to say of one that arrives whole', () => {
    expect(judgeStream(4, arrive(0, 1, 2, 3))).toEqual({
      sent: 4,
      received: 4,
      lost: 0,
      duplicates: 0,
      outOfOrder: 0,
      longestGapUs: 10_000,
      arrivedAtUs: [0, 10_000, 20_000, 30_000],
      longestLossRun: 0,
      delayUs: { p50: 20_000, p99: 20_000, max: 20_000 },
    })
  })

  it('counts as out of order what arrives after a later one, not what overtakes', () => {
    const { outOfOrder, lost } = judgeStream(9, arrive(0, 1, 2, 6, 7, 3, 4, 5, 8))
    expect({ outOfOrder, lost }).toEqual({ outOfOrder: 3, lost: 0 })
  })

  it('counts the copies of a datagram once each and as nothing else', () => {
    const report = judgeStream(3, arrive(0, 1, 1, 0, 2))
    expect(report).toMatchObject({ received: 3, duplicates: 2, outOfOrder: 0, lost: 0 })
  })

  it('finds losses in the middle and at both ends', () => {
    expect(judgeStream(10, arrive(2, 3, 7))).toMatchObject({ lost: 7, longestLossRun: 3 })
  })

  it('has no delays to show when nothing arrived', () => {
    const report = judgeStream(5, [])
    expect(report).toMatchObject({ received: 0, lost: 5, longestLossRun: 5, longestGapUs: 0 })
    expect(report.delayUs).toEqual({ p50: Number.NaN, p99: Number.NaN, max: Number.NaN })
  })
})
