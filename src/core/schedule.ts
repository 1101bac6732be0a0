/**
 * Modes: each is a pure function from the paths that may carry data to a plan, the small table that
 * native/schedule.c executes. Nothing else differs between modes.
 */
import { CROSSING, PLAN, PLAN_KIND, PLAN_PATH, PLAN_PATH_FLAG } from '../boundary.js'
import { Codec } from '../layout.js'
import { LIMIT, XMIT_HASH } from '../wire.js'
import type { PathPolicy, Policy } from './policy.js'

export interface Plan {
  readonly kind: keyof typeof PLAN_KIND
  /** Paths that carry data under this plan, best first. */
  readonly carriers: readonly number[]
  /** Paths that C turns to, best first, the moment that no carrier works: it does not wait for another plan. */
  readonly reserves: readonly number[]
  /** Kind slots: path ids; kind buckets: `planChoices` path ids for each bucket; kind arrival: PLAN_PATH; else empty. */
  readonly table: Uint8Array
}

/** The plan of a user who takes out every path that there is. */
export const NOTHING_CARRIES: Plan = {
  kind: 'order',
  carriers: [],
  reserves: [],
  table: new Uint8Array(),
}

/**
 * The plan of a mode. `members` are the paths that may carry data, at least one, and `others` those
 * that work but must wait; `active` is the one that active-backup has chosen among the members.
 */
export function compilePlan(
  policy: Policy,
  members: readonly PathPolicy[],
  others: readonly PathPolicy[],
  active: number,
): Plan {
  const byWeight = [...members].sort((a, b) => b.weight - a.weight || a.path - b.path)
  const carriers = byWeight.map(({ path }) => path)
  const reserves = byRank(others)
  switch (policy.mode) {
    case 'balance-rr':
      return { kind: 'slots', carriers, reserves, table: smoothSlots(byWeight) }
    case 'balance-xor':
      return { kind: 'buckets', carriers, reserves, table: rendezvousTable(byWeight) }
    case 'active-backup': {
      const backups = byRank(members.filter(({ path }) => path !== active))
      const table = new Uint8Array()
      return { kind: 'order', carriers: [active], reserves: [...backups, ...reserves], table }
    }
    case 'broadcast':
      return { kind: 'all', carriers, reserves, table: new Uint8Array() }
    case 'adaptive':
      return arrivalPlan({ bulk: members, thin: members, others })
  }
}

/** Paths of the mode adaptive by what may use them; each list has its paths but for `thin` alone. */
export interface Admitted {
  readonly bulk: readonly PathPolicy[]
  /** Those of bulk, and more. */
  readonly thin: readonly PathPolicy[]
  readonly others: readonly PathPolicy[]
}

/** The plan of the mode adaptive: C chooses by packet; the table has what it must know of each path. */
export function arrivalPlan({ bulk, thin, others }: Admitted): Plan {
  const carriers = byRank(bulk)
  const thinOnly = byRank(thin).filter((path) => !carriers.includes(path))
  const reserves = [...thinOnly, ...byRank(others)]
  return { kind: 'arrival', carriers, reserves, table: arrivalTable(thin, carriers) }
}

/** Standby last, then by tier, then the heavier first. */
function byRank(paths: readonly PathPolicy[]): number[] {
  const isStandby = ({ intent }: PathPolicy) => (intent === 'standby' ? 1 : 0)
  return [...paths]
    .sort(
      (a, b) =>
        isStandby(a) - isStandby(b) || a.tier - b.tier || b.weight - a.weight || a.path - b.path,
    )
    .map(({ path }) => path)
}

/**
 * Smooth weighted round-robin: each round every path earns its weight, the richest carries and pays
 * the sum, so that 4:1 is never four in a row twice and shares are exact over one cycle.
 * (The algorithm is nginx's, src/http/ngx_http_upstream_round_robin.c, commit 52327e0.)
 */
function smoothSlots(members: readonly PathPolicy[]): Uint8Array {
  const weights = fitted(members.map(({ weight }) => weight))
  const sum = weights.reduce((a, b) => a + b, 0)
  const credit = weights.map(() => 0)
  return Uint8Array.from({ length: sum }, () => {
    let richest = 0
    weights.forEach((weight, i) => {
      credit[i]! += weight
      if (credit[i]! > credit[richest]!) richest = i
    })
    credit[richest]! -= sum
    return members[richest]!.path
  })
}

/** Weights with the common divisor taken out, scaled down where their cycle is longer than a plan can be. */
function fitted(weights: readonly number[]): number[] {
  const divisor = weights.reduce(greatestCommonDivisor)
  const reduced = weights.map((weight) => weight / divisor)
  const sum = reduced.reduce((a, b) => a + b, 0)
  if (sum <= CROSSING.planSlots.value) return reduced
  // Rounding, and the one slot that nobody is denied, add less than a slot a path.
  const room = CROSSING.planSlots.value - weights.length
  return reduced.map((weight) => Math.max(1, Math.round((weight * room) / sum)))
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; the weighted score of Schindelhauer and
 * Schomaker 2005): a bucket ranks the paths by -weight / ln(hash), so that a path that leaves or
 * comes back moves its own buckets and no other's.
 */
function rendezvousTable(members: readonly PathPolicy[]): Uint8Array {
  const choices = CROSSING.planChoices.value
  const table = new Uint8Array(LIMIT.buckets.value * choices).fill(CROSSING.noPath.value)
  for (let bucket = 0; bucket < LIMIT.buckets.value; bucket++) {
    const ranked = members
      .map(({ path, weight }) => ({ path, score: -weight / Math.log(unit(bucket, path)) }))
      .sort((a, b) => b.score - a.score || a.path - b.path)
    ranked.slice(0, choices).forEach(({ path }, i) => {
      table[bucket * choices + i] = path
    })
  }
  return table
}

/** A number in (0, 1) that looks random and depends on bucket and path alone: the finaliser of MurmurHash3. */
function unit(bucket: number, path: number): number {
  let h = Math.imul(bucket + 1, 0x9e3779b1) ^ Math.imul(path + 1, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (((h ^ (h >>> 16)) >>> 0) + 0.5) / 2 ** 32
}

const planPathCodec = new Codec(PLAN_PATH, 'packed')

/** What C must know of each path that may carry thin flows. Copies go where they cost nothing and come in time. */
function arrivalTable(thin: readonly PathPolicy[], carriers: readonly number[]): Uint8Array {
  const table = new Uint8Array(thin.length * planPathCodec.size)
  thin.forEach(({ path, metered, targetUs, capBytesPerS }, i) => {
    const copies = !metered && carriers.includes(path)
    const flags =
      (metered ? PLAN_PATH_FLAG.metered.value : 0) | (copies ? PLAN_PATH_FLAG.duplicate.value : 0)
    const fields = { path, flags, targetUs, capBytesPerS }
    planPathCodec.encodeInto(table.subarray(i * planPathCodec.size), fields)
  })
  return table
}

const planCodec = new Codec(PLAN, 'packed')

function maskOf(paths: readonly number[]): number {
  return paths.reduce((mask, path) => mask | (1 << path), 0)
}

function entries({ kind, table }: Plan): number {
  if (kind === 'slots') return table.length
  return kind === 'arrival' ? table.length / planPathCodec.size : 0
}

/** The payload of the command planPublish. @param resting paths that are kept alive and no more. */
export function encodePlan(
  plan: Plan,
  policy: Policy,
  resting: readonly number[] = [],
): Uint8Array {
  const bytes = new Uint8Array(planCodec.size + plan.table.length)
  const order = new Uint8Array(LIMIT.paths.value).fill(CROSSING.noPath.value)
  order.set([...plan.carriers, ...plan.reserves])
  planCodec.encodeInto(bytes, {
    kind: PLAN_KIND[plan.kind].value,
    hash: XMIT_HASH[policy.mode === 'balance-xor' ? policy.hash : 'layer3+4'].value,
    carrying: maskOf(plan.carriers),
    slots: entries(plan),
    order,
    resting: maskOf(resting),
  })
  bytes.set(plan.table, planCodec.size)
  return bytes
}
