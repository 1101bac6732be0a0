import { describe, expect, it } from 'vitest'
import { mbitBetween } from './arrived.js'
import { bulkReportOf, type EndReport } from './bulk.js'

const end = (startUs: number, bins: number[], come: number[]): EndReport => ({
  ...{ startUs, binUs: 10_000, sentBytes: 0, congestion: 'cubic', retransmits: 0 },
  ...{ outOfOrder: 0, addedSubflows: 1, pauses: [], bins, come },
})

describe('what the two ends of a transfer tell', () => {
  const idle = end(0, [], [])

  it('is what had come, and what could be read of it', () => {
    const { arrived, come } = bulkReportOf(
      'up',
      idle,
      end(0, [0, 0, 3000, 1000], [1000, 1000, 1000, 1000]),
    )
    expect(mbitBetween(come, 0.02, 0.04)).toBeCloseTo(0.8)
    expect(mbitBetween(arrived, 0.02, 0.04)).toBeCloseTo(1.6)
  })

  it('is of the receiver, since the client began to connect', () => {
    const server = end(20_000, [5], [5])
    expect(bulkReportOf('up', idle, server).come.bins).toEqual([0, 0, 5])
    expect(bulkReportOf('down', idle, server).come.bins).toEqual([])
    expect(bulkReportOf('both', end(0, [1], [2]), server).come.bins).toEqual([2, 0, 5])
  })
})
