import type { EngineCommand, EventOf } from '../../src/boundary.js'
import { Context, type CoreOptions } from '../../src/core/context.js'
import type { Fact } from '../../src/core/facts.js'
import type { PathPolicy, Policy } from '../../src/core/policy.js'
import { DEFAULT_PATH_POLICY, DEFAULT_POLICY } from '../../src/core/policy.js'
import { encodeCommand } from '../../src/crossing.js'
import { AES, CHACHA, keyPair, seeded } from './handshake_fixture.js'

export const MS = 1000
export const SECOND = 1_000_000

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
  weights.map((weight, path) => ({ ...DEFAULT_PATH_POLICY, path, weight }))

/** Of the simplest mode where the changes name none. */
export const policyOf = (changes: Partial<Policy>): Policy => ({
  ...DEFAULT_POLICY,
  mode: 'balance-rr',
  ...changes,
})

/** What C measured of a path; everything that is not given is zero, or as it is on a path that works. */
export const pathSample = (changes: Partial<EventOf<'pathStats'>>): EventOf<'pathStats'> => ({
  kind: 'pathStats',
  peer: 0,
  path: 0,
  token: 0,
  rttUs: 0,
  srttUs: 0,
  rttvarUs: 0,
  minRttUs: 0,
  jitterUs: 0,
  rxSkewUs: 0,
  txSkewUs: 0,
  silentUs: 0,
  txDatagrams: 0,
  txBytes: 0,
  txData: 0,
  txErrors: 0,
  rxDatagrams: 0,
  rxBytes: 0,
  rxData: 0,
  rxExpected: 0,
  peerExpected: 0,
  peerReceived: 0,
  suspect: 0,
  windowBytes: 0,
  inflightBytes: 0,
  deliveryBytesPerS: 0,
  queueUs: 0,
  targetUs: 0,
  lostDatagrams: 0,
  suspicions: 0,
  ...changes,
})

/** What C measured of a peer; everything that is not given is zero. */
export const peerSample = (changes: Partial<EventOf<'peerStats'>>): EventOf<'peerStats'> => ({
  kind: 'peerStats',
  peer: 0,
  token: 0,
  inUse: 1,
  held: 0,
  txPackets: 0,
  rxPackets: 0,
  heldTotal: 0,
  provedLost: 0,
  deadlinePassed: 0,
  late: 0,
  duplicates: 0,
  backlogBytes: 0,
  backlogUs: 0,
  queueDropped: 0,
  queueMarked: 0,
  resent: 0,
  resentBytes: 0,
  copied: 0,
  givenUp: 0,
  txFeedbackBytes: 0,
  compressed: 0,
  savedBytes: 0,
  ...changes,
})
