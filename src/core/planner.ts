/** From the paths of one peer that work to their plan: which may carry, and what keeps the others from it. */
import { Adaptive, type Admission } from './adaptive.js'
import { chooseActive } from './backup.js'
import { candidatesOf, type Known, type Load } from './candidate.js'
import type { PathPolicy, Policy } from './policy.js'
import { arrivalPlan, compilePlan, type Plan } from './schedule.js'

export class Planner {
  #adaptive = new Adaptive()
  /** Of the last plan: undefined in other modes than adaptive, and than active-backup. */
  #admission: Admission | undefined
  #active: number | undefined
  #carriers: readonly number[] = []

  /** The active path of active-backup. */
  get active(): number | undefined {
    return this.#active
  }

  /** The plan for paths that are up and wanted, at least one. */
  plan(policy: Policy, paths: readonly Known[]): Plan {
    const members = membersOf(policy, paths)
    const plan =
      policy.mode === 'adaptive'
        ? this.#adaptivePlan(paths, members)
        : this.#fixedPlan(policy, paths, members)
    this.#carriers = plan.carriers
    return plan
  }

  /** Nothing carries: no path is left that is up and wanted. */
  clear(): void {
    this.#admission = undefined
    this.#carriers = []
  }

  /** In the mode adaptive: what was measured since. */
  observe(nowUs: number, policy: Policy, paths: readonly Known[], load: Load): void {
    this.#adaptive.observe(nowUs, candidatesOf(membersOf(policy, paths)), load)
  }

  /** What was measured is void. */
  restart(): void {
    this.#adaptive = new Adaptive()
  }

  /** Packets are smaller from now on. */
  handleSmaller(nowUs: number): void {
    this.#adaptive.handleSmaller(nowUs)
  }

  /** The path is gone, and its number another's from here on. */
  forget(path: number): void {
    this.#adaptive.forget(path)
  }

  /** Whether anything may be on this path. */
  carries(path: number): boolean {
    return this.#carriers.includes(path) || (this.#admission?.thin.includes(path) ?? false)
  }

  /** Why bulk does not use this path, for people; undefined when it does. */
  left(path: number): string | undefined {
    return this.#admission?.left.get(path)
  }

  /** Why a path that works carries nothing. @param labelOf names a path. */
  whyIdle(
    { path, intent, tier, spent }: PathPolicy,
    labelOf: (path: number) => string | undefined,
  ): string {
    if (spent) return 'its budget is used up'
    if (intent === 'down') return 'taken out by configuration'
    if (intent === 'standby') return 'standby: waits until no other path is left'
    if (this.#active !== undefined) {
      return `backup: ${labelOf(this.#active) ?? 'another path'} is the active path`
    }
    if (this.#admission === undefined) {
      return `tier ${tier}: waits until no path of a smaller tier is left`
    }
    return this.left(path) ?? `tier ${tier}: waits until the tiers before it are full`
  }

  #fixedPlan(policy: Policy, paths: readonly Known[], members: readonly Known[]): Plan {
    const ofMembers = policiesOf(members)
    const active = chooseActive(policy, ofMembers, this.#active)
    this.#active = policy.mode === 'active-backup' ? active : undefined
    this.#admission = undefined
    const others = policiesOf(paths.filter((path) => !members.includes(path)))
    return compilePlan(policy, ofMembers, others, active)
  }

  #adaptivePlan(paths: readonly Known[], members: readonly Known[]): Plan {
    const admission = this.#adaptive.admit(candidatesOf(members))
    this.#active = undefined
    this.#admission = admission
    const of = (ids: readonly number[]) =>
      policiesOf(members.filter(({ policy }) => ids.includes(policy.path)))
    const others = policiesOf(paths.filter(({ policy }) => !admission.thin.includes(policy.path)))
    return arrivalPlan({ bulk: of(admission.bulk), thin: of(admission.thin), others })
  }
}

/** Those of the best intent and, where tiers do not join by demand, of the smallest one that is left. */
function membersOf({ mode }: Policy, paths: readonly Known[]): readonly Known[] {
  const first = paths.filter(({ policy }) => policy.intent === 'up')
  const members = first.length > 0 ? first : paths
  if (mode === 'active-backup' || mode === 'adaptive') return members
  const tier = Math.min(...members.map(({ policy }) => policy.tier))
  return members.filter(({ policy }) => policy.tier === tier)
}

function policiesOf(paths: readonly Known[]): PathPolicy[] {
  return paths.map(({ policy }) => policy)
}
