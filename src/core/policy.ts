/**
 * How the paths of one peer are to be used: mode and options, and what the user wants of each path.
 * The client decides it and tells the server (PROTOCOL.md, "Control"), so that both directions agree.
 */
import { Codec } from '../layout.js'
import {
  INTENT,
  LIMIT,
  MODE,
  POLICY,
  POLICY_PATH,
  POLICY_PATH_FLAG,
  PRIMARY_RESELECT,
  XMIT_HASH,
} from '../wire.js'
import { nameOf } from './tables.js'

export type Mode = keyof typeof MODE
export type XmitHash = keyof typeof XMIT_HASH
export type PrimaryReselect = keyof typeof PRIMARY_RESELECT
export type Intent = keyof typeof INTENT

export interface PathPolicy {
  readonly path: number
  readonly intent: Intent
  /** Smaller is used first. */
  readonly tier: number
  /** 1 to LIMIT.weight. */
  readonly weight: number
  /** Each octet costs money. */
  readonly metered: boolean
  /** Its budget is used up: it carries nothing. */
  readonly spent: boolean
  /** Bytes per second that whoever has this policy sends at most; 0: no cap. */
  readonly capBytesPerS: number
  /** Queue to aim at; 0: from the round trip. */
  readonly targetUs: number
}

export interface Policy {
  readonly mode: Mode
  readonly hash: XmitHash
  /** Path id, for active-backup. */
  readonly primary: number | undefined
  readonly reselect: PrimaryReselect
  readonly updelayUs: number
  readonly downdelayUs: number
  readonly paths: readonly PathPolicy[]
}

/** What holds before the client has spoken. */
export const DEFAULT_POLICY: Policy = {
  mode: 'adaptive',
  hash: 'layer3+4',
  primary: undefined,
  reselect: 'always',
  updelayUs: 200_000,
  downdelayUs: 0,
  paths: [],
}

export const DEFAULT_PATH_POLICY: Omit<PathPolicy, 'path'> = {
  intent: 'up',
  tier: 0,
  weight: 1,
  metered: false,
  spent: false,
  capBytesPerS: 0,
  targetUs: 0,
}

/**
 * The policy of one path. One that the client leaves out carries nothing: its last words may come after
 * the news that it is gone. Before the client has spoken, every path does.
 */
export function pathPolicy(policy: Policy, path: number): PathPolicy {
  const intent = policy.paths.length === 0 ? DEFAULT_PATH_POLICY.intent : 'down'
  const named = policy.paths.find((each) => each.path === path)
  return named ?? { path, ...DEFAULT_PATH_POLICY, intent }
}

const NO_PRIMARY = 255
const headCodec = new Codec(POLICY, 'packed')
const pathCodec = new Codec(POLICY_PATH, 'packed')

export function encodePolicy(policy: Policy): Uint8Array {
  const bytes = new Uint8Array(headCodec.size + policy.paths.length * pathCodec.size)
  headCodec.encodeInto(bytes, {
    mode: MODE[policy.mode].value,
    hash: XMIT_HASH[policy.hash].value,
    primary: policy.primary ?? NO_PRIMARY,
    reselect: PRIMARY_RESELECT[policy.reselect].value,
    updelay: policy.updelayUs,
    downdelay: policy.downdelayUs,
    paths: policy.paths.length,
  })
  policy.paths.forEach((path, i) => {
    const { metered, spent } = POLICY_PATH_FLAG
    pathCodec.encodeInto(bytes.subarray(headCodec.size + i * pathCodec.size), {
      path: path.path,
      intent: INTENT[path.intent].value,
      tier: path.tier,
      weight: path.weight,
      flags: (path.metered ? metered.value : 0) | (path.spent ? spent.value : 0),
      rate: path.capBytesPerS,
      target: path.targetUs,
    })
  })
  return bytes
}

/** Undefined unless every octet makes sense: the sender is authentic, but it may be of another mind. */
export function decodePolicy(bytes: Uint8Array): Policy | undefined {
  if (bytes.length < headCodec.size) return undefined
  const head = headCodec.decode(bytes)
  const mode = nameOf(MODE, head.mode)
  const hash = nameOf(XMIT_HASH, head.hash)
  const reselect = nameOf(PRIMARY_RESELECT, head.reselect)
  if (mode === undefined || hash === undefined || reselect === undefined) return undefined
  if (head.primary !== NO_PRIMARY && head.primary >= LIMIT.paths.value) return undefined
  if (bytes.length !== headCodec.size + head.paths * pathCodec.size) return undefined
  const paths: PathPolicy[] = []
  for (let i = 0; i < head.paths; i++) {
    const path = decodePath(bytes.subarray(headCodec.size + i * pathCodec.size))
    if (path === undefined || paths.some((other) => other.path === path.path)) return undefined
    paths.push(path)
  }
  const primary = head.primary === NO_PRIMARY ? undefined : head.primary
  return {
    mode,
    hash,
    primary,
    reselect,
    updelayUs: head.updelay,
    downdelayUs: head.downdelay,
    paths,
  }
}

function decodePath(bytes: Uint8Array): PathPolicy | undefined {
  const { path, intent: value, tier, weight, flags, rate, target } = pathCodec.decode(bytes)
  const intent = nameOf(INTENT, value)
  if (intent === undefined || path >= LIMIT.paths.value) return undefined
  if (weight < 1 || weight > LIMIT.weight.value) return undefined
  return {
    path,
    intent,
    tier,
    weight,
    metered: (flags & POLICY_PATH_FLAG.metered.value) !== 0,
    spent: (flags & POLICY_PATH_FLAG.spent.value) !== 0,
    capBytesPerS: rate,
    targetUs: target,
  }
}
