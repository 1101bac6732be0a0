/**
 * active-backup: which path is the active one. The rules and words are those of the kernel's
 * bonding driver (Documentation/networking/bonding.rst, `primary` and `primary_reselect`); tiers,
 * which it does not have, make a primary where there is none.
 */
import type { PathPolicy, Policy } from './policy.js'

/**
 * The active path among `members` (the paths that may carry data, at least one).
 *
 * always: the primary whenever it is a member. better: the primary when it is better than the
 * present one, that is, of smaller tier or of greater weight, which stands for the speed that a
 * network card would tell. failure: the primary only when the present one is gone. Without a
 * present one the primary is always taken, as when bonding enslaves it first.
 *
 * Where there is no primary, the best path of a smaller tier than the present one's stands for it.
 */
export function chooseActive(
  policy: Policy,
  members: readonly PathPolicy[],
  present: number | undefined,
): number {
  const current = members.find(({ path }) => path === present)
  const named = members.find(({ path }) => path === policy.primary)
  if (current === undefined) return (named ?? best(members)).path
  const primary = named ?? bestBefore(current, members)
  if (primary === undefined || primary === current) return current.path
  switch (policy.reselect) {
    case 'always':
      return primary.path
    case 'better':
      return isBetter(primary, current) ? primary.path : current.path
    case 'failure':
      return current.path
  }
}

function isBetter(a: PathPolicy, b: PathPolicy): boolean {
  return a.tier < b.tier || (a.tier === b.tier && a.weight > b.weight)
}

function bestBefore(current: PathPolicy, members: readonly PathPolicy[]): PathPolicy | undefined {
  const before = members.filter(({ tier }) => tier < current.tier)
  return before.length > 0 ? best(before) : undefined
}

function best(members: readonly PathPolicy[]): PathPolicy {
  return members.reduce((a, b) => (isBetter(b, a) ? b : a))
}
