import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Policy } from '../../src/core/policy.js'
import { MODE } from '../../src/wire.js'
import { MS, only, SECOND, takeCommands, takeFacts } from './core_fixture.js'
import {
  alive,
  begin,
  context,
  ENDPOINT,
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
      begin()
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
        begin()
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
