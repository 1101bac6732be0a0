import { describe, expect, it } from 'vitest'
import { PLAN_KIND } from '../../src/boundary.js'
import { FEATURE } from '../../src/wire.js'
import { MS, only, pathSample, peerSample, SECOND, takeCommands } from './core_fixture.js'
import {
  alive,
  context,
  ID,
  know,
  later,
  lose,
  nowUs,
  peer,
  plans,
  policy,
  snapshotOf,
} from './core_peer_fixture.js'

describe('the mode adaptive', () => {
  const told = () => only(takeCommands(context), 'probing').map(({ fields }) => fields.silenceUs)
  const kinds = () => only(takeCommands(context), 'planPublish').map(({ payload }) => payload?.[0])
  /** Keys of a session with a peer of these features come into use. */
  const agree = (features: number) => {
    const keys = { sendKey: new Uint8Array(32), receiveKey: new Uint8Array(32) }
    const epoch = { localIndex: context.takeIndex(), remoteIndex: 1, aead: 1, keys }
    peer.epochs.install(nowUs, { ...epoch, features, fresh: false, confirmed: true })
    peer.epochs.handleConfirmed(epoch.localIndex)
    peer.handleKeys(nowUs)
  }

  it('gives a path up after three seconds of silence, or later', () => {
    peer.publishProbing()
    policy({ mode: 'adaptive', downdelayUs: 5 * SECOND })
    policy({ mode: 'balance-rr' })
    expect(told()).toEqual([3 * SECOND, 5250 * MS, 250 * MS])
  })

  it('publishes a plan of kind arrival', () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    expect(kinds()).toEqual([PLAN_KIND.arrival.value, PLAN_KIND.arrival.value])
    expect(peer.mode).toBe('adaptive')
  })

  it('is balance-rr towards a peer that cannot repair, until it can', () => {
    peer.publishProbing()
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    takeCommands(context)
    agree(FEATURE.partialChecksum.value)
    expect(peer.mode).toBe('balance-rr')
    expect(peer.snapshot()).toMatchObject({ mode: 'balance-rr', policy: { mode: 'adaptive' } })
    const commands = takeCommands(context)
    expect(only(commands, 'planPublish').at(-1)?.payload?.[0]).toBe(PLAN_KIND.slots.value)
    expect(only(commands, 'probing').map(({ fields }) => fields.silenceUs)).toEqual([250 * MS])
    agree(FEATURE.repair.value)
    expect(peer.mode).toBe('adaptive')
    expect(kinds()).toEqual([PLAN_KIND.arrival.value])
  })

  it('has a path that comes and goes back within a second', () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    for (let i = 0; i < 10; i++) {
      lose(1)
      alive(1)
      expect(peer.nextTimeout() - nowUs).toBeLessThanOrEqual(SECOND)
      later(SECOND)
      expect(snapshotOf(1).state).toBe('up')
    }
  })

  /** One path a sample each, and what waits. */
  const sample = (backlogUs: number, ...paths: Parameters<typeof pathSample>[0][]) => {
    paths.forEach((changes, path) => {
      peer.handleEvent(nowUs, pathSample({ peer: ID, path, ...changes }))
    })
    peer.handleEvent(nowUs, peerSample({ peer: ID, backlogUs }))
    peer.handleSampled(nowUs)
    later(250 * MS)
  }
  const use = () => peer.handleEvent(nowUs, { kind: 'peerUse', peer: ID, inUse: 1 })
  const useTwo = () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    use()
  }
  /** The second of two paths becomes too slow for bulk. */
  const fallBehind = () => {
    for (let i = 0; i < 6; i++) sample(0, {}, { txSkewUs: 300 * MS })
  }

  it('leaves a path out of bulk that is far behind, and says so', () => {
    useTwo()
    expect(plans().at(-1)).toEqual([0, 1])
    fallBehind()
    expect(plans()).toEqual([[0]])
    expect(snapshotOf(1)).toMatchObject({
      state: 'up',
      inPlan: true,
      why: '',
      notes: ['is left out of bulk: 300 ms slower than dsl'],
    })
    for (let i = 0; i < 12; i++) sample(0, {}, {})
    expect(plans()).toEqual([[0, 1]])
    expect(snapshotOf(1).notes).toEqual([])
  })

  it('judges a path from when there is another one', () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0)
    alive(0)
    use()
    const lossy = (i: number) => ({ txData: 1000 * i, lostDatagrams: 500 * i })
    for (let i = 0; i < 8; i++) sample(0, lossy(i))
    expect(plans()).toEqual([[0]])
    know(1)
    alive(1)
    expect(plans()).toEqual([[0, 1]])
    for (let i = 8; i < 16; i++) sample(0, lossy(i), {})
    expect(plans()).toEqual([[1]])
    expect(snapshotOf(0).why).toBe('50% of its packets are lost')
  })

  it('forgets what it knew of paths when one of them is left alone', () => {
    useTwo()
    fallBehind()
    expect(plans().at(-1)).toEqual([0])
    peer.removePath(0)
    expect(plans()).toEqual([[1]])
    know(0)
    alive(0)
    expect(plans().at(-1)).toEqual([0, 1])
  })

  it('knows nothing of a path that has the number of one that was removed', () => {
    policy({ mode: 'adaptive' }, {}, {}, {})
    know(0, 1, 2)
    alive(0, 1, 2)
    use()
    for (let i = 0; i < 6; i++) sample(0, {}, { txSkewUs: 300 * MS }, {})
    expect(plans().at(-1)).toEqual([0, 2])
    peer.removePath(1)
    know(1)
    alive(1)
    expect(plans().at(-1)).toEqual([0, 1, 2])
  })

  it('takes no path in that stops all the time, and says so', () => {
    useTwo()
    for (let i = 0; i < 24; i++)
      sample(0, { txBytes: 500_000 * i }, { suspicions: 4 * Math.min(i, 2) })
    expect(plans().at(-1)).toEqual([0])
    expect(snapshotOf(1)).toMatchObject({
      inPlan: false,
      why: 'it stopped 8 times in ten seconds',
    })
  })

  it('fills the first tier and overflows into the next', () => {
    policy({ mode: 'adaptive' }, {}, { tier: 1 })
    know(0, 1)
    alive(1, 0)
    use()
    const full = { deliveryBytesPerS: 1_000_000, windowBytes: 10_000, inflightBytes: 10_000 }
    // The smallest tier that there is carries.
    expect(plans()).toEqual([[1], [0]])
    expect(snapshotOf(1)).toMatchObject({
      inPlan: false,
      why: 'tier 1: waits until the tiers before it are full',
    })
    for (let i = 0; i < 4; i++) sample(80 * MS, full, {})
    expect(plans()).toEqual([[0, 1]])
    for (let i = 0; i < 24; i++) sample(0, full, {})
    expect(plans()).toEqual([[0]])
  })

  it('forgets what it knew with the session, and with the mode', () => {
    useTwo()
    fallBehind()
    expect(plans().at(-1)).toEqual([0])
    policy({ mode: 'balance-rr' }, {}, {})
    expect(plans()).toEqual([[0, 1]])
    expect(snapshotOf(1)).toMatchObject({ inPlan: true, notes: [] })
    policy({ mode: 'adaptive' }, {}, {})
    peer.restart(nowUs)
    alive(0, 1)
    expect(plans().at(-1)).toEqual([0, 1])
  })

  it('says of a suspect path since when nothing was heard of it', () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0)
    alive(0)
    expect(snapshotOf(0).notes).toEqual([])
    peer.handleEvent(nowUs, pathSample({ peer: ID, suspect: 1, silentUs: 40_400 }))
    expect(snapshotOf(0).notes).toEqual([
      'is suspect: no answer since 40 ms; its packets were sent again on others',
    ])
    peer.handleEvent(nowUs, pathSample({ peer: ID, suspect: 0 }))
    expect(snapshotOf(0).notes).toEqual([])
  })
})
