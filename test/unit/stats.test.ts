import { describe, expect, it } from 'vitest'
import type { EventOf } from '../../src/boundary.js'
import { PathStats, PeerStats } from '../../src/core/stats.js'
import { SECOND, pathSample as sample } from './core_fixture.js'

/** A path that does the same every second: a sample for each of these seconds. */
function steady(stats: PathStats, seconds: readonly number[]): void {
  for (const s of seconds) {
    stats.handleSample(
      s * SECOND,
      sample({
        txDatagrams: 110 * s,
        txBytes: 100_000 * s,
        txData: 100 * s,
        rxDatagrams: 99 * s,
        rxBytes: 50_000 * s,
        rxData: 90 * s,
        rxExpected: 100 * s,
        peerExpected: 110 * s,
        peerReceived: 88 * s,
        lostDatagrams: 3 * s,
        suspicions: s,
      }),
    )
  }
}

describe('measurements of a path', () => {
  it('are none before the first sample', () => {
    expect(new PathStats().measurements()).toBeUndefined()
  })

  it('have totals but no rates after the first', () => {
    const stats = new PathStats()
    steady(stats, [5])
    expect(stats.measurements()).toMatchObject({
      txBytesPerS: 0,
      rxBytesPerS: 0,
      txBytes: 500_000,
      rxBytes: 250_000,
      txDataInWindow: 0,
      rxLoss: { expected: 0, lost: 0 },
      rxLossTotal: { expected: 500, lost: 5 },
      txLossTotal: { expected: 550, lost: 110 },
    })
  })

  it('are rates, shares and losses over the last ten seconds', () => {
    const stats = new PathStats()
    steady(
      stats,
      Array.from({ length: 60 }, (_, s) => s),
    )
    expect(stats.measurements()).toMatchObject({
      txBytesPerS: 100_000,
      rxBytesPerS: 50_000,
      txDataInWindow: 1000,
      rxDataInWindow: 900,
      rxLoss: { expected: 1000, lost: 10 },
      txLoss: { expected: 1100, lost: 220 },
      reported: { expected: 1000, lost: 30 },
      suspicions: 59,
      suspicionsInWindow: 10,
    })
  })

  it('forget what was before the window', () => {
    const stats = new PathStats()
    stats.handleSample(0, sample({ txBytes: 0 }))
    stats.handleSample(SECOND, sample({ txBytes: 1_000_000 }))
    for (let s = 2; s <= 11; s++) stats.handleSample(s * SECOND, sample({ txBytes: 1_000_000 }))
    expect(stats.measurements()).toMatchObject({ txBytesPerS: 0, txBytes: 1_000_000 })
  })

  it('have the rate of the last second beside that of the window', () => {
    const stats = new PathStats()
    for (let i = 0; i <= 40; i++) {
      const atUs = i * 0.25 * SECOND
      stats.handleSample(
        atUs,
        sample({ txBytes: atUs <= 9 * SECOND ? 0 : (atUs - 9 * SECOND) / 2 }),
      )
    }
    expect(stats.measurements()).toMatchObject({ txBytesPerS: 50_000, recentTxBytesPerS: 500_000 })
  })

  it('span the gap between two samples when they are rare', () => {
    const stats = new PathStats()
    steady(stats, [0, 1, 2, 3602])
    expect(stats.measurements()).toMatchObject({ txBytesPerS: 100_000 })
  })

  it('keep no more samples than the window has, however long they come', () => {
    const stats = new PathStats()
    stats.handleSample(0, sample({}))
    for (let s = 1; s <= 10_000; s++) stats.handleSample(s * SECOND, sample({ rxExpected: s }))
    expect(stats.measurements()?.rxLoss.expected).toBe(10)
  })

  it('take what C measures as it is', () => {
    const stats = new PathStats()
    const measured = {
      rttUs: 1,
      srttUs: 2,
      rttvarUs: 3,
      minRttUs: 4,
      jitterUs: 5,
      rxSkewUs: 6,
      txSkewUs: 7,
      silentUs: 8,
      txErrors: 9,
      windowBytes: 10,
      inflightBytes: 11,
      deliveryBytesPerS: 12,
      queueUs: 13,
      targetUs: 14,
    }
    stats.handleSample(0, sample({ ...measured, suspect: 1 }))
    expect(stats.measurements()).toMatchObject({ ...measured, suspect: true })
  })

  it.each([
    ['used up', { windowBytes: 10_000, inflightBytes: 9_500 }, true],
    ['wide open', { windowBytes: 10_000, inflightBytes: 5_000, targetUs: 10, queueUs: 2 }, false],
    [
      'above a queue',
      { windowBytes: 10_000, inflightBytes: 5_000, targetUs: 10, queueUs: 3 },
      true,
    ],
    ['not there', { windowBytes: 0 }, false],
  ])('with a window that is %s say whether the path was full, for a minute', (_, of, wasFull) => {
    const stats = new PathStats()
    const open = sample({ windowBytes: 10_000, targetUs: 10_000 })
    stats.handleSample(0, sample(of))
    stats.handleSample(60 * SECOND, open)
    expect(stats.measurements()?.wasFull).toBe(wasFull)
    stats.handleSample(61 * SECOND, open)
    expect(stats.measurements()?.wasFull).toBe(false)
  })

  it('show no negative loss when datagrams overtake each other over the edge of the window', () => {
    const stats = new PathStats()
    stats.handleSample(0, sample({ rxExpected: 10, rxDatagrams: 5 }))
    stats.handleSample(SECOND, sample({ rxExpected: 12, rxDatagrams: 12 }))
    expect(stats.measurements()?.rxLoss).toEqual({ expected: 2, lost: 0 })
  })

  it('do not take size probes for lost that nobody answers', () => {
    const stats = new PathStats()
    const probe = (times: number) => {
      for (let i = 0; i < times; i++) stats.handleSizeProbe()
    }
    stats.handleSample(0, sample({}))
    probe(8)
    stats.handleSizeEcho()
    stats.handleSample(SECOND, sample({ peerExpected: 100, peerReceived: 90 }))
    expect(stats.measurements()?.txLoss).toEqual({ expected: 93, lost: 3 })
    probe(2)
    stats.handleSample(11 * SECOND, sample({ peerExpected: 200, peerReceived: 188 }))
    stats.handleSample(12 * SECOND, sample({ peerExpected: 200, peerReceived: 188 }))
    expect(stats.measurements()).toMatchObject({
      txLoss: { expected: 98, lost: 0 },
      txLossTotal: { expected: 191, lost: 3 },
    })
  })

  it('begin anew with the session', () => {
    const stats = new PathStats()
    steady(stats, [1, 2, 3])
    stats.restart()
    expect(stats.measurements()).toBeUndefined()
    stats.handleSample(4 * SECOND, sample({ txBytes: 10 }))
    stats.handleSample(5 * SECOND, sample({ txBytes: 30 }))
    expect(stats.measurements()).toMatchObject({ txBytesPerS: 20, txBytes: 30 })
  })
})

describe('measurements of a peer', () => {
  const counts = {
    held: 1,
    txPackets: 2,
    rxPackets: 3,
    heldTotal: 4,
    provedLost: 5,
    deadlinePassed: 6,
    late: 7,
    duplicates: 8,
    backlogBytes: 9,
    backlogUs: 10,
    queueDropped: 11,
    queueMarked: 12,
    resent: 13,
    resentBytes: 14,
    copied: 15,
    givenUp: 16,
    txFeedbackBytes: 17,
    compressed: 18,
    savedBytes: 540,
  }
  const event: EventOf<'peerStats'> = { kind: 'peerStats', peer: 9, token: 9, inUse: 1, ...counts }

  it('are none before the first sample, and what C counts after it', () => {
    const stats = new PeerStats()
    expect(stats.measurements()).toBeUndefined()
    stats.handleSample(0, event)
    expect(stats.measurements()).toMatchObject({ inUse: true, ...counts })
    stats.handleSample(1, { ...event, inUse: 0 })
    expect(stats.measurements()?.inUse).toBe(false)
  })

  it('have what happened in the window beside the totals', () => {
    const stats = new PeerStats()
    for (let s = 0; s <= 30; s++) {
      stats.handleSample(s * SECOND, {
        ...event,
        txPackets: 100 * s,
        queueDropped: s,
        resent: 2 * s,
        copied: 3 * s,
        givenUp: 4 * s,
        txFeedbackBytes: 500 * s,
      })
    }
    expect(stats.measurements()).toMatchObject({
      txPackets: 3000,
      inWindow: {
        txPackets: 1000,
        queueDropped: 10,
        resent: 20,
        copied: 30,
        givenUp: 40,
        feedbackBytesPerS: 500,
      },
    })
  })

  it('begin anew with the session', () => {
    const stats = new PeerStats()
    stats.handleSample(0, event)
    stats.restart()
    expect(stats.measurements()).toBeUndefined()
  })
})
