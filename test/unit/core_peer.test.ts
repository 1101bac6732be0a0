import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/boundary.js'
import { PATH_LOST, PLAN_KIND } from '../../src/boundary.js'
import type { Context } from '../../src/core/context.js'
import { Peer } from '../../src/core/peer.js'
import { DEFAULT_PATH_POLICY, type PathPolicy, type Policy } from '../../src/core/policy.js'
import { FEATURE, MODE } from '../../src/wire.js'
import {
  MS,
  newContext,
  only,
  pathSample,
  peerSample,
  policyOf,
  SECOND,
  takeCommands,
  takeFacts,
} from './core_fixture.js'

const ID = 4
const ENDPOINT: Endpoint = {
  port: 1,
  family: 4,
  remotePort: 5000,
  remote: new Uint8Array(16).fill(7),
  scope: 0,
  local: new Uint8Array(16),
}

let context: Context
let peer: Peer
let nowUs: number

beforeAll(() => sodium.ready)
beforeEach(() => {
  context = newContext()
  peer = new Peer(context, { id: ID, name: 'van', initiator: false })
  nowUs = 0
})

const labels = ['dsl', 'lte', 'sat', 'cable']
const know = (...paths: number[]) => {
  for (const path of paths) peer.setPath(nowUs, path, labels[path] ?? `p${path}`, ENDPOINT)
}
const alive = (...paths: number[]) => {
  for (const path of paths) peer.handleEvent(nowUs, { kind: 'pathAlive', peer: ID, path })
}
const lose = (path: number) => {
  const { value: why } = PATH_LOST.silent
  peer.handleEvent(nowUs, { kind: 'pathLost', peer: ID, path, why, errorNumber: 0 })
}
const later = (us: number) => {
  nowUs += us
  peer.handleTimeout(nowUs)
}
const policy = (changes: Partial<Policy>, ...paths: Partial<PathPolicy>[]) =>
  peer.setPolicy(
    policyOf({
      ...changes,
      paths: paths.map((path, i) => ({ ...DEFAULT_PATH_POLICY, path: i, ...path })),
    }),
  )

/** Plans published since the last call, each as the paths that carry under it; changes of reserves alone left out. */
function plans(): number[][] {
  const masks = only(takeCommands(context), 'planPublish').map(
    ({ payload }) => payload![2]! | (payload![3]! << 8),
  )
  return masks
    .filter((mask, i) => mask !== masks[i - 1])
    .map((mask) =>
      Array.from({ length: 16 }, (_, path) => path).filter((path) => mask & (1 << path)),
    )
}
const snapshotOf = (path: number) => peer.snapshot().paths.find((each) => each.path === path)!

describe('a path of a peer', () => {
  it('is allowed and planned when it is up the first time, and this is told', () => {
    know(0)
    expect(plans()).toEqual([])
    alive(0)
    expect(takeCommands(context)).toMatchObject([
      { kind: 'pathAllow', fields: { peer: ID, path: 0, allowed: 1 } },
      { kind: 'planPublish', fields: { peer: ID } },
    ])
    expect(takeFacts(context)).toMatchObject([
      { kind: 'path-state', peer: 'van', path: 0, label: 'dsl', from: 'down', to: 'probing' },
      { kind: 'path-state', from: 'probing', to: 'up', why: '' },
    ])
    expect(snapshotOf(0)).toMatchObject({ state: 'up', inPlan: true, why: '' })
  })

  it('leaves the plan when it is lost and comes back after updelay', () => {
    know(0, 1)
    alive(0, 1)
    later(60 * SECOND)
    expect(plans().at(-1)).toEqual([0, 1])
    lose(1)
    expect(plans()).toEqual([[0]])
    expect(snapshotOf(1)).toMatchObject({
      state: 'down',
      inPlan: false,
      why: 'nothing was heard from the other side',
    })
    alive(1)
    expect(plans()).toEqual([])
    expect(peer.nextTimeout()).toBe(nowUs + 200 * MS)
    later(200 * MS)
    expect(plans()).toEqual([[0, 1]])
  })

  it('stays in the plan when it is the last: it may still work', () => {
    know(0, 1)
    alive(0, 1)
    lose(0)
    lose(1)
    expect(plans()).toEqual([[0], [0, 1], [1]])
    expect(peer.hasPathUp).toBe(false)
  })

  it('is used at once while no other is up, however it flaps', () => {
    know(0, 1)
    alive(0, 1)
    for (let i = 0; i < 10; i++) {
      later(SECOND)
      lose(0)
      alive(0)
    }
    expect(snapshotOf(0)).toMatchObject({ state: 'probing' })
    expect(snapshotOf(0).why).toMatch(/^it comes and goes: held back for/)
    plans()
    lose(1)
    expect(snapshotOf(0)).toMatchObject({ state: 'up' })
    expect(plans().at(-1)).toEqual([0])
    // What comes next has to wait again.
    alive(1)
    expect(snapshotOf(1)).toMatchObject({ state: 'probing' })
  })

  it('is used at once when the only other is removed, or no longer wanted', () => {
    for (const leave of [() => peer.removePath(1), () => policy({}, {}, { intent: 'down' })]) {
      peer = new Peer(context, { id: ID, name: 'van', initiator: false })
      know(0, 1)
      alive(0, 1)
      lose(0)
      alive(0)
      expect(snapshotOf(0)).toMatchObject({ state: 'probing' })
      leave()
      peer.handleTimeout(nowUs)
      expect(snapshotOf(0)).toMatchObject({ state: 'up' })
      expect(plans().at(-1)).toEqual([0])
    }
  })

  it('is allowed again when C had taken it out before our word arrived', () => {
    know(0)
    alive(0)
    takeCommands(context)
    alive(0)
    expect(takeCommands(context)).toMatchObject([{ kind: 'pathAllow', fields: { path: 0 } }])
  })

  it('is nothing when nobody knows it', () => {
    alive(9)
    lose(9)
    peer.handleEvent(nowUs, { kind: 'pathMoved', peer: ID, path: 9, ...ENDPOINT })
    peer.removePath(9)
    expect(takeCommands(context)).toEqual([])
    expect(takeFacts(context)).toEqual([])
  })

  it('moves with its endpoint, and carries nothing but the endpoint', () => {
    know(0)
    const event = { kind: 'pathMoved', peer: ID, path: 0, ...ENDPOINT, remotePort: 9 } as const
    peer.handleEvent(nowUs, event)
    const endpoint = { ...ENDPOINT, remotePort: 9 }
    expect(snapshotOf(0).endpoint).toEqual(endpoint)
    expect(takeFacts(context)).toEqual([
      { kind: 'path-moved', peer: 'van', path: 0, label: 'dsl', endpoint },
    ])
  })

  it('goes out of the plan before it is removed', () => {
    know(0, 1)
    alive(0, 1)
    takeCommands(context)
    peer.removePath(1)
    expect(takeCommands(context).map(({ kind }) => kind)).toEqual(['planPublish', 'pathRemove'])
    expect(peer.pathIds).toEqual([0])
  })

  it('keeps its life and its measurements when it gets another endpoint', () => {
    know(0)
    alive(0)
    peer.setPath(nowUs, 0, 'dsl', { ...ENDPOINT, port: 3 })
    expect(snapshotOf(0)).toMatchObject({ state: 'up', endpoint: { port: 3 } })
  })
})

describe('which paths carry', () => {
  const standby = { intent: 'standby' } as const
  const down = { intent: 'down' } as const

  it('those of the smallest tier that is up', () => {
    policy({}, { tier: 1 }, { tier: 0 }, { tier: 1 })
    know(0, 1, 2)
    alive(0)
    alive(1)
    alive(2)
    expect(plans()).toEqual([[0], [1]])
    expect(snapshotOf(0).why).toBe('tier 1: waits until no path of a smaller tier is left')
    lose(1)
    expect(plans()).toEqual([[0, 2]])
  })

  it('standby ones when no other is left', () => {
    policy({}, standby, {})
    know(0, 1)
    alive(0, 1)
    expect(plans()).toEqual([[0], [1]])
    expect(snapshotOf(0).why).toBe('standby: waits until no other path is left')
    lose(1)
    expect(plans()).toEqual([[0]])
  })

  it('none that is taken out', () => {
    policy({}, down, {})
    know(0, 1)
    alive(0, 1)
    expect(plans()).toEqual([[], [1]])
    expect(snapshotOf(0)).toMatchObject({ inPlan: false, why: 'taken out by configuration' })
    lose(1)
    expect(plans()).toEqual([[]])
    policy({}, {}, {})
    expect(plans()).toEqual([[0]])
  })

  it('none whose budget is used up', () => {
    policy({}, { spent: true }, {})
    know(0, 1)
    alive(0, 1)
    expect(plans()).toEqual([[], [1]])
    expect(snapshotOf(0)).toMatchObject({ inPlan: false, why: 'its budget is used up' })
  })

  it('all in broadcast, and one in active-backup', () => {
    policy({ mode: 'broadcast' }, {}, {})
    know(0, 1)
    alive(0, 1)
    expect(plans().at(-1)).toEqual([0, 1])
    policy({ mode: 'active-backup' }, {}, { weight: 2 })
    expect(plans()).toEqual([[1]])
    expect(snapshotOf(0).why).toBe('backup: lte is the active path')
  })

  it('the same as before is not published again', () => {
    policy({}, {}, {})
    know(0, 1)
    alive(0, 1)
    plans()
    policy({}, {}, {})
    policy({ updelayUs: 5 }, {}, {})
    expect(plans()).toEqual([])
  })
})

describe('active-backup', () => {
  it('goes to the primary, to another when it is lost, and back after its hold-down', () => {
    policy({ mode: 'active-backup', primary: 0, updelayUs: 2 * SECOND }, {}, {})
    know(0, 1)
    alive(0, 1)
    later(60 * SECOND)
    lose(0)
    alive(0)
    later(SECOND)
    expect(plans()).toEqual([[0], [1]])
    later(SECOND)
    expect(plans()).toEqual([[0]])
    const told = only(takeFacts(context), 'active-path').map(({ label }) => label)
    expect(told).toEqual(['dsl', 'lte', 'dsl'])
  })

  it('does not flip-flop with a primary that flaps', () => {
    policy({ mode: 'active-backup', primary: 0 }, {}, {})
    know(0, 1)
    alive(0, 1)
    for (let i = 0; i < 60; i++) {
      lose(0)
      alive(0)
      for (let j = 0; j < 10; j++) later(100 * MS)
    }
    const changes = only(takeFacts(context), 'active-path')
    // In one minute: down with the first loss, and back after 0.5, 1, 2, 4, 8 and 16 s at most.
    expect(changes.length).toBeLessThanOrEqual(13)
  })

  it('forgets its active path with the mode', () => {
    policy({ mode: 'active-backup' }, {}, {})
    know(0, 1)
    alive(1, 0)
    policy({ mode: 'balance-rr' }, {}, {})
    policy({ mode: 'active-backup' }, {}, {})
    expect(plans().at(-1)).toEqual([0])
  })
})

describe('a session that begins anew', () => {
  it('has all paths down, no measurements, and publishes its plan again', () => {
    know(0, 1)
    alive(0, 1)
    const before = plans().at(-1)
    later(SECOND)
    peer.restart(nowUs)
    expect(peer.hasPathUp).toBe(false)
    expect(snapshotOf(0)).toMatchObject({ state: 'down', measurements: undefined })
    alive(0, 1)
    expect(plans().at(-1)).toEqual(before)
  })
})

describe('probing', () => {
  const told = () => only(takeCommands(context), 'probing').map(({ fields }) => fields)

  it('is told with downdelay, and again when it changes', () => {
    policy({})
    takeCommands(context)
    peer.publishProbing()
    expect(told()).toEqual([
      {
        peer: ID,
        intervalUs: 100 * MS,
        keepaliveUs: 20 * SECOND,
        silenceUs: 250 * MS,
        idleAfterUs: 10 * SECOND,
        initiator: 0,
      },
    ])
    policy({ downdelayUs: 300 * MS })
    expect(told()).toMatchObject([{ silenceUs: 550 * MS }])
    policy({ downdelayUs: 300 * MS, updelayUs: 1 })
    expect(told()).toEqual([])
  })
})

describe('the mode adaptive', () => {
  const told = () => only(takeCommands(context), 'probing').map(({ fields }) => fields.silenceUs)
  const kinds = () => only(takeCommands(context), 'planPublish').map(({ payload }) => payload?.[0])
  /** Keys of a session with a peer of these features come into use. */
  const agree = (features: number) => {
    const keys = { sendKey: new Uint8Array(32), receiveKey: new Uint8Array(32) }
    const epoch = { localIndex: context.takeIndex(), remoteIndex: 1, aead: 1, keys }
    peer.epochs.install(nowUs, { ...epoch, features, fresh: false, confirmed: true })
    peer.epochs.handleConfirmed(epoch.localIndex)
    peer.handleSession()
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

  it('leaves a path out of bulk that is far behind, and says so', () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    use()
    expect(plans().at(-1)).toEqual([0, 1])
    for (let i = 0; i < 6; i++) sample(0, {}, { txSkewUs: 300 * MS })
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

  it('takes no path in that stops all the time, and says so', () => {
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    use()
    for (let i = 0; i < 3; i++) sample(0, {}, { suspicions: 4 * i })
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
    const full = { deliveryRate: 1_000_000, windowBytes: 10_000, inflightBytes: 10_000 }
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
    policy({ mode: 'adaptive' }, {}, {})
    know(0, 1)
    alive(0, 1)
    use()
    for (let i = 0; i < 6; i++) sample(0, {}, { txSkewUs: 300 * MS })
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

describe('any life of a peer', () => {
  const path = fc.nat({ max: 3 })
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ what: fc.constant('alive' as const), path }) },
    { weight: 4, arbitrary: fc.record({ what: fc.constant('lose' as const), path }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('remove' as const), path }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('know' as const), path }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ what: fc.constant('wait' as const), us: fc.nat({ max: 3 * SECOND }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constant('policy' as const),
        mode: fc.constantFrom(...(Object.keys(MODE) as Policy['mode'][])),
        paths: fc.array(
          fc.record({
            intent: fc.constantFrom('up', 'standby', 'down'),
            tier: fc.nat({ max: 2 }),
            weight: fc.integer({ min: 1, max: 9 }),
          }),
          { minLength: 4, maxLength: 4 },
        ),
      }),
    },
  )

  it('has a plan of paths that are up and wanted, as long as there is one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        context = newContext()
        peer = new Peer(context, { id: ID, name: 'van', initiator: false })
        nowUs = 0
        know(0, 1, 2, 3)
        let plan: number[] = []
        for (const each of steps) {
          if (each.what === 'alive') alive(each.path)
          if (each.what === 'lose') lose(each.path)
          if (each.what === 'remove') peer.removePath(each.path)
          if (each.what === 'know') know(each.path)
          if (each.what === 'restart') peer.restart(nowUs)
          if (each.what === 'wait') later(each.us)
          if (each.what === 'policy') policy({ mode: each.mode }, ...each.paths)
          later(0)
          expect(peer.nextTimeout()).toBeGreaterThan(nowUs)
          plan = plans().at(-1) ?? plan

          const { paths, policy: present } = peer.snapshot()
          const up = paths.filter(({ state, intent }) => state === 'up' && intent !== 'down')
          const alone = paths.filter(({ state }) => state === 'probing')
          if (up.length === 0) {
            // Nobody waits while there is nobody to wait for, but for those that are not wanted.
            expect(alone.filter(({ intent }) => intent !== 'down')).toEqual([])
            continue
          }
          const carrying = up.filter((each) => plan.includes(each.path))
          expect(carrying.map((each) => each.path).sort((a, b) => a - b)).toEqual(plan)
          expect(carrying.length).toBeGreaterThan(0)
          const best = up.some(({ intent }) => intent === 'up') ? 'up' : 'standby'
          for (const { intent } of carrying) expect(intent).toBe(best)
          if (present.mode === 'active-backup') {
            expect(carrying).toHaveLength(1)
          } else {
            const ofBest = up.filter(({ intent }) => intent === best)
            const tier = Math.min(...ofBest.map((each) => each.tier))
            expect(carrying).toEqual(ofBest.filter((each) => each.tier === tier))
          }
          for (const each of paths) expect(each.inPlan).toBe(carrying.includes(each))
        }
      }),
      { seed: 10, numRuns: 300 },
    )
  })
})
