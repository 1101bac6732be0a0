/** The one loop: events of C and time go into the core, its commands go down to C, its facts go to the daemon. */

import { CROSSING, type EngineCommand } from '../boundary.js'
import type { Fact } from '../core/facts.js'
import type { Tunnel } from '../core/tunnel.js'
import type { EnginePort } from '../crossing.js'
import type { Clock } from './clock.js'

/** What the loop needs of a core. */
export type Core = Pick<
  Tunnel,
  'handleEvent' | 'handleTimeout' | 'nextTimeout' | 'pollCommand' | 'pollFact'
>

export interface LoopOptions {
  readonly core: Core
  readonly engine: EnginePort
  readonly clock: Clock
  readonly onFact: (nowUs: number, fact: Fact) => void
  /** The loop has stopped because of this. */
  readonly onFailure: (error: unknown) => void
}

interface Deed {
  readonly atUs: number
  readonly act: (nowUs: number) => void
}

/** A full ring is empty again within one wake-up of C. */
const RING_RETRY_US = 1_000

export class Loop {
  readonly #options: LoopOptions
  /** The daemon's own deadlines by name, next to the core's. */
  readonly #deeds = new Map<string, Deed>()
  #disarm: (() => void) | undefined
  /** A command that found the ring full. */
  #waiting: EngineCommand | undefined
  #isRunning = true
  #isAwake = false

  constructor(options: LoopOptions) {
    this.#options = options
  }

  /** Calls back once at this time, unless it is planned anew or called off. */
  plan(name: string, atUs: number, act: (nowUs: number) => void): void {
    this.#deeds.set(name, { atUs, act })
    if (!this.#isAwake) this.#arm()
  }

  /** As plan, but keeps what is planned already for no later. */
  planBy(name: string, atUs: number, act: (nowUs: number) => void): void {
    const planned = this.#deeds.get(name)
    if (planned === undefined || atUs < planned.atUs) this.plan(name, atUs, act)
  }

  callOff(name: string): void {
    this.#deeds.delete(name)
  }

  /** Lets everything happen that can: to be called when the bell rings, when time has come, and after each call of the core. */
  wake(): void {
    if (!this.#isRunning || this.#isAwake) return
    this.#isAwake = true
    try {
      this.#turn()
      this.#arm()
    } catch (error) {
      this.stop()
      this.#options.onFailure(error)
    } finally {
      this.#isAwake = false
    }
  }

  /** Calls nothing any more. */
  stop(): void {
    this.#isRunning = false
    this.#disarm?.()
    this.#deeds.clear()
  }

  #turn(): void {
    const { core, engine, clock } = this.#options
    const nowUs = clock.nowUs()
    const events = engine.readEvents()
    for (const event of events) core.handleEvent(nowUs, event)
    // For those that are left the bell need not ring again. Between two turns others have theirs.
    if (events.length >= CROSSING.eventSlots.value) this.plan('events', nowUs + 1, () => undefined)
    core.handleTimeout(nowUs)
    for (const [name, deed] of [...this.#deeds]) {
      if (nowUs < deed.atUs || this.#deeds.get(name) !== deed) continue
      this.#deeds.delete(name)
      deed.act(nowUs)
    }
    this.#pump(nowUs)
  }

  /** Facts may make the daemon call the core, which makes commands again. */
  #pump(nowUs: number): void {
    const { core, onFact } = this.#options
    for (;;) {
      this.#sendCommands(nowUs)
      const fact = core.pollFact()
      if (fact === undefined) return
      onFact(nowUs, fact)
    }
  }

  #sendCommands(nowUs: number): void {
    const { core, engine } = this.#options
    for (;;) {
      const command = this.#waiting ?? core.pollCommand()
      this.#waiting = undefined
      if (command === undefined) return
      if (engine.command(command)) continue
      this.#waiting = command
      this.#deeds.set('ring', { atUs: nowUs + RING_RETRY_US, act: () => undefined })
      return
    }
  }

  #arm(): void {
    if (!this.#isRunning) return
    this.#disarm?.()
    this.#disarm = undefined
    const { core, clock } = this.#options
    const deeds = [...this.#deeds.values()].map(({ atUs }) => atUs)
    const nextUs = Math.min(core.nextTimeout(), ...deeds)
    if (!Number.isFinite(nextUs)) return
    this.#disarm = clock.arm(nextUs - clock.nowUs(), () => this.wake())
  }
}
