import { beforeEach, describe, expect, it } from 'vitest'
import { CROSSING, type EngineCommand, type EngineEvent } from '../../src/boundary.js'
import type { Fact } from '../../src/core/facts.js'
import { type Core, Loop } from '../../src/daemon/loop.js'
import { TestClock, TestEngine } from './daemon_fixture.js'

const COMMAND: EngineCommand = { kind: 'portClose', fields: { port: 1 } }
const EVENT: EngineEvent = { kind: 'linksChanged' }

/** A core that does what it is told. */
class ScriptedCore implements Core {
  readonly events: [number, EngineEvent][] = []
  readonly timeoutsUs: number[] = []
  commands: EngineCommand[] = []
  facts: Fact[] = []
  nextUs = Number.POSITIVE_INFINITY

  handleEvent(nowUs: number, event: EngineEvent): void {
    this.events.push([nowUs, event])
  }
  handleTimeout(nowUs: number): void {
    if (nowUs < this.nextUs) return
    this.timeoutsUs.push(nowUs)
    this.nextUs = Number.POSITIVE_INFINITY
  }
  nextTimeout = () => this.nextUs
  pollCommand = () => this.commands.shift()
  pollFact = () => this.facts.shift()
}

describe('the loop', () => {
  let core: ScriptedCore
  let clock: TestClock
  let engine: TestEngine
  let loop: Loop
  let facts: Fact[]
  let failures: unknown[]
  let onFact: (fact: Fact) => void
  beforeEach(() => {
    core = new ScriptedCore()
    clock = new TestClock()
    facts = []
    failures = []
    onFact = () => undefined
    engine = new TestEngine(() => loop.wake())
    loop = new Loop({
      core,
      engine,
      clock,
      onFact: (_nowUs, fact) => {
        facts.push(fact)
        onFact(fact)
      },
      onFailure: (error) => failures.push(error),
    })
  })

  it('takes events when the bell rings, at one reading of the clock', () => {
    engine.events.push(EVENT)
    engine.tell(EVENT)
    expect(core.events).toEqual([
      [clock.timeUs, EVENT],
      [clock.timeUs, EVENT],
    ])
  })

  it('takes a ring of events at a time, and the rest though no bell rings for it', () => {
    const slots = CROSSING.eventSlots.value
    engine.events.push(...Array<EngineEvent>(slots + 1).fill(EVENT))
    loop.wake()
    expect(core.events).toHaveLength(slots)
    clock.advance(1_000)
    expect(core.events).toHaveLength(slots + 1)
  })

  it('wakes at the deadline of the core', () => {
    core.nextUs = clock.timeUs + 5_000
    loop.wake()
    clock.advance(4_999)
    expect(core.timeoutsUs).toEqual([])
    clock.advance(1)
    expect(core.timeoutsUs).toEqual([1_005_000])
  })

  it('carries out commands that follow from facts', () => {
    core.facts.push({ kind: 'links-changed' })
    onFact = () => core.commands.push(COMMAND)
    loop.wake()
    expect(engine.commands).toEqual([COMMAND])
  })

  it('takes one thing after the other, though each asks for the next', () => {
    const told: string[] = []
    core.facts.push({ kind: 'links-changed' }, { kind: 'links-changed' })
    onFact = () => {
      told.push('begin')
      loop.wake()
      told.push('end')
    }
    loop.wake()
    expect(told).toEqual(['begin', 'end', 'begin', 'end'])
  })

  it('does its own deeds in time, once, and as they were planned last', () => {
    const done: string[] = []
    loop.plan('a', clock.timeUs + 10, () => done.push('first'))
    loop.plan('a', clock.timeUs + 20, () => done.push('second'))
    loop.planBy('a', clock.timeUs + 20, () => done.push('third'))
    loop.plan('b', clock.timeUs + 15, () => done.push('b'))
    loop.planBy('b', clock.timeUs + 12, () => done.push('sooner'))
    loop.plan('c', clock.timeUs + 15, () => done.push('c'))
    loop.callOff('c')
    clock.advance(100)
    expect(done).toEqual(['sooner', 'second'])
  })

  it('keeps a command that finds the ring full, and its order', () => {
    const commands = [1, 2, 3].map(
      (port): EngineCommand => ({ kind: 'portClose', fields: { port } }),
    )
    core.commands = [...commands]
    engine.room = 1
    loop.wake()
    expect(engine.commands).toHaveLength(1)
    engine.room = Number.POSITIVE_INFINITY
    clock.advance(1_000)
    expect(engine.commands).toEqual(commands)
  })

  it('stops at a failure and tells it', () => {
    core.handleTimeout = () => {
      throw new Error('broken')
    }
    loop.wake()
    loop.wake()
    engine.tell(EVENT)
    expect(failures).toEqual([new Error('broken')])
  })

  it('calls nothing after it was stopped', () => {
    loop.plan('a', clock.timeUs + 10, () => failures.push('late'))
    loop.stop()
    clock.advance(100)
    engine.tell(EVENT)
    expect([core.events, failures]).toEqual([[], []])
  })
})
