import type { EngineCommand } from '../../src/boundary.js'
import { Context, type CoreOptions } from '../../src/core/context.js'
import type { Fact } from '../../src/core/facts.js'
import type { PathPolicy, Policy } from '../../src/core/policy.js'
import { DEFAULT_POLICY } from '../../src/core/policy.js'
import { encodeCommand } from '../../src/crossing.js'
import { AES, CHACHA, keyPair, seeded } from './handshake_fixture.js'

export const MS = 1000
export const SECOND = 1_000_000

/** Needs sodium to be ready. */
export function coreOptions(name: string): CoreOptions {
  return {
    staticKey: keyPair(name),
    randomBytes: seeded(`${name} randomness`),
    aeads: { available: CHACHA | AES, preferred: AES },
    wallUs: () => 1_700_000_000 * SECOND,
    probing: { intervalUs: 100 * MS, keepaliveUs: 20 * SECOND },
  }
}

export const newContext = (name = 'core'): Context => new Context(coreOptions(name))

interface Outlet {
  pollCommand(): EngineCommand | undefined
  pollFact(): Fact | undefined
}

/** Commands given since the last call. Each is encoded, so that a value that does not fit its record fails. */
export function takeCommands(outlet: Outlet): EngineCommand[] {
  const commands: EngineCommand[] = []
  for (let next = outlet.pollCommand(); next; next = outlet.pollCommand()) {
    encodeCommand(next)
    commands.push(next)
  }
  return commands
}

export function takeFacts(outlet: Outlet): Fact[] {
  const facts: Fact[] = []
  for (let next = outlet.pollFact(); next; next = outlet.pollFact()) facts.push(next)
  return facts
}

/** Those of one kind. */
export function only<R extends { readonly kind: string }, K extends R['kind']>(
  records: readonly R[],
  kind: K,
): Extract<R, { kind: K }>[] {
  return records.filter((record): record is Extract<R, { kind: K }> => record.kind === kind)
}

/** Paths 0, 1, 2 ... of these weights. */
export const weighted = (...weights: number[]): PathPolicy[] =>
  weights.map((weight, path) => ({ path, intent: 'up', tier: 0, weight }))

export const policyOf = (changes: Partial<Policy>): Policy => ({ ...DEFAULT_POLICY, ...changes })
