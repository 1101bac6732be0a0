/** What the two roles of a daemon have in common. */

import type { Setting } from '../config/setting.js'
import type { PolicyConfig, TunnelConfig } from '../config/tunnel.js'
import type { CoreOptions } from '../core/context.js'
import type { Fact } from '../core/facts.js'
import type { Policy } from '../core/policy.js'
import type { Tunnel } from '../core/tunnel.js'
import type { Log } from '../log.js'
import type { StatusReport } from '../status.js'
import type { Store } from '../store.js'
import type { Loop } from './loop.js'
import type { Machine } from './machine.js'

/** What a role is given. */
export interface Surroundings {
  readonly machine: Machine
  readonly store: Store
  readonly log: Log
  /** Name of the TUN device as it is. */
  readonly tun: string
  readonly core: CoreOptions
  /** Where masquerading keeps what it has to put back. */
  readonly natMemoPath: string
}

/** What a role adds to the report of its daemon. */
export type RoleReport = Pick<StatusReport, 'mtuBytes' | 'addresses' | 'endpoints' | 'peers'>

export interface Role {
  readonly core: Tunnel
  /** Called once, when the loop runs. */
  start(loop: Loop): Promise<void>
  handleFact(nowUs: number, fact: Fact): void
  /** MPTUN_E_CONFIG_SETTING when it does not fit this role or its uplinks. */
  set(setting: Setting): void
  /** A command has changed the state directory. */
  refresh(): void
  /** Applies what can be changed while it runs. */
  reload(config: TunnelConfig): Promise<void>
  report(nowUs: number): Promise<RoleReport>
  /** Called once, after the engine has closed. Never throws. */
  stop(): Promise<void>
}

/** The words of the configuration that are given, as the core calls them. */
export function policyOf(config: PolicyConfig): Partial<Omit<Policy, 'paths' | 'primary'>> {
  const { mode, hash, reselect, updelayUs, downdelayUs } = config
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(hash === undefined ? {} : { hash }),
    ...(reselect === undefined ? {} : { reselect }),
    ...(updelayUs === undefined ? {} : { updelayUs }),
    ...(downdelayUs === undefined ? {} : { downdelayUs }),
  }
}

/** One after another, in order; a failure is told and stops none of the following. */
export class Jobs {
  readonly #onFailure: (error: unknown) => void
  #last: Promise<void> = Promise.resolve()

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  add(job: () => Promise<void>): void {
    this.#last = this.#last.then(job).catch(this.#onFailure)
  }

  /** Resolves when all that were added have ended. */
  idle(): Promise<void> {
    return this.#last
  }
}
