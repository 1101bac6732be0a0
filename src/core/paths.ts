/**
 * The paths of one peer: what each is called, where it leads, whether it works and what was measured of it.
 * Which of them carry is the planner's.
 */
import type { Endpoint, EventOf } from '../boundary.js'
import type { Known } from './candidate.js'
import type { Context } from './context.js'
import { endpointOf } from './endpoint.js'
import { lossSentence, PathLife } from './path.js'
import type { Planner } from './planner.js'
import { type Policy, pathPolicy } from './policy.js'
import type { PathSnapshot } from './snapshot.js'
import { type PathMeasurements, PathStats } from './stats.js'

interface PeerPath {
  readonly life: PathLife
  readonly stats: PathStats
  label: string
  endpoint: Endpoint | undefined
}

/** Whose paths they are: the slot in C, and the present name. */
export interface Owner {
  readonly id: number
  readonly name: string
}

export class Paths {
  readonly #context: Context
  readonly #owner: Owner
  readonly #paths = new Map<number, PeerPath>()

  constructor(context: Context, owner: Owner) {
    this.#context = context
    this.#owner = owner
  }

  get ids(): readonly number[] {
    return [...this.#paths.keys()]
  }

  /** There is nothing to choose from. */
  get isAlone(): boolean {
    return this.#paths.size < 2
  }

  get hasUp(): boolean {
    return [...this.#paths.values()].some(({ life }) => life.state === 'up')
  }

  /** Bytes per second that were sent on all of them in the last second. */
  get sentBytesPerS(): number {
    const all = [...this.#paths.values()].map(({ stats }) => stats.measurements())
    return all.reduce((sum, path) => sum + (path?.recentTxBytesPerS ?? 0), 0)
  }

  labelOf(path: number): string | undefined {
    return this.#paths.get(path)?.label
  }

  /** Makes a path known, or gives it another endpoint; undefined: it has none yet. */
  set(nowUs: number, path: number, label: string, endpoint: Endpoint | undefined): void {
    const known = this.#paths.get(path) ?? { life: new PathLife(nowUs), stats: new PathStats() }
    this.#paths.set(path, { ...known, label, endpoint: endpoint && endpointOf(endpoint) })
  }

  setLabel(path: number, label: string): void {
    const known = this.#paths.get(path)
    if (known !== undefined) known.label = label
  }

  /** False when it is not known. */
  remove(path: number): boolean {
    return this.#paths.delete(path)
  }

  handleSample(nowUs: number, sample: EventOf<'pathStats'>): void {
    this.#paths.get(sample.path)?.stats.handleSample(nowUs, sample)
  }

  /** One was sent that is to find out what the path passes whole. */
  handleSizeProbe(path: number): void {
    this.#paths.get(path)?.stats.handleSizeProbe()
  }

  handleSizeEcho(path: number): void {
    this.#paths.get(path)?.stats.handleSizeEcho()
  }

  handleMoved(event: EventOf<'pathMoved'>): void {
    const entry = this.#paths.get(event.path)
    if (entry === undefined) return
    const endpoint = endpointOf(event)
    entry.endpoint = endpoint
    const { label } = entry
    const { name: peer } = this.#owner
    this.#context.fact({ kind: 'path-moved', peer, path: event.path, label, endpoint })
  }

  /** C took one out. Flapping makes of its next hold-down at most `mostHoldUs`. */
  handleLost(
    nowUs: number,
    { path, why, errorNumber }: EventOf<'pathLost'>,
    updelayUs: number,
    mostHoldUs: number | undefined,
  ): void {
    this.#change(path, (life) =>
      life.handleLost(nowUs, lossSentence(why, errorNumber), updelayUs, mostHoldUs),
    )
  }

  handleAlive(nowUs: number, path: number, updelayUs: number): void {
    // C had taken it out before a word of ours arrived there; the word stands.
    if (this.#paths.get(path)?.life.state === 'up') this.#allow(path)
    this.#change(path, (life) => life.handleAlive(nowUs, updelayUs))
  }

  /** Without any path up, those that are alive do not wait (bonding.rst, "updelay"). */
  release(): void {
    for (const { life } of this.#paths.values()) life.release()
  }

  /** Lets a path in whose hold-down is over. True when it has just come up. */
  raise(nowUs: number, path: number): boolean {
    let isUp = false
    this.#change(path, (life) => {
      isUp = life.handleTimeout(nowUs)
    })
    if (isUp) this.#allow(path)
    return isUp
  }

  nextTimeout(): number {
    let nextUs = Number.POSITIVE_INFINITY
    for (const { life } of this.#paths.values()) nextUs = Math.min(nextUs, life.nextTimeout())
    return nextUs
  }

  /** The session began anew: C has forgotten its measurements and takes no path for usable. */
  restart(nowUs: number, why?: string): void {
    for (const [path, { stats }] of this.#paths) {
      stats.restart()
      this.#change(path, (life) => life.restart(nowUs, why))
    }
  }

  /** Those that work and that the user wants. */
  willing(policy: Policy): Known[] {
    return [...this.#paths]
      .filter(([, { life }]) => life.state === 'up')
      .map(([path, { label, stats }]) => ({
        policy: pathPolicy(policy, path),
        label,
        measurements: stats.measurements(),
      }))
      .filter(({ policy: { intent, spent } }) => intent !== 'down' && !spent)
  }

  /**
   * Those that carry nothing and need not be watched: a failure of the others would find them as they were
   * some seconds ago. Metered ones everywhere; in the mode adaptive, where C finds out within a round trip
   * whether a path works, all that work. `policy`: with the mode that is carried out.
   */
  resting(policy: Policy, planner: Planner): number[] {
    return [...this.#paths]
      .filter(([path]) => !planner.carries(path))
      .filter(
        ([path, { life }]) =>
          pathPolicy(policy, path).metered || (policy.mode === 'adaptive' && life.state === 'up'),
      )
      .map(([path]) => path)
  }

  snapshot(policy: Policy, planner: Planner): PathSnapshot[] {
    return [...this.#paths].map(([path, entry]) => {
      const { life, stats, label, endpoint } = entry
      const { intent, tier, weight, metered, capBytesPerS } = pathPolicy(policy, path)
      const inPlan = life.state === 'up' && planner.carries(path)
      const measurements = stats.measurements()
      return {
        path,
        label,
        endpoint,
        state: life.state,
        sinceUs: life.sinceUs,
        inPlan,
        why: inPlan ? '' : this.#whyNot(path, life, policy, planner),
        intent,
        tier,
        weight,
        metered,
        capBytesPerS,
        notes: inPlan ? notesOf(measurements, planner.left(path)) : [],
        measurements,
      }
    })
  }

  #whyNot(path: number, life: PathLife, policy: Policy, planner: Planner): string {
    if (life.state !== 'up') return life.why
    return planner.whyIdle(pathPolicy(policy, path), (other) => this.labelOf(other))
  }

  #allow(path: number): void {
    const { id: peer } = this.#owner
    this.#context.command({ kind: 'pathAllow', fields: { peer, path, allowed: 1 } })
  }

  /** Applies a change to a path's life and tells when its state became another. */
  #change(path: number, change: (life: PathLife) => void): void {
    const entry = this.#paths.get(path)
    if (entry === undefined) return
    const { life, label } = entry
    const from = life.state
    change(life)
    const { state: to, why } = life
    if (from === to) return
    const { name: peer } = this.#owner
    this.#context.fact({ kind: 'path-state', peer, path, label, from, to, why })
  }
}

/** What C has found out about a path that is up. */
function notesOf(of: PathMeasurements | undefined, left: string | undefined): string[] {
  const notes = left === undefined ? [] : [`is left out of bulk: ${left}`]
  if (!of?.suspect) return notes
  const silentMs = Math.round(of.silentUs / 1000)
  return [
    ...notes,
    `is suspect: no answer since ${silentMs} ms; its packets were sent again on others`,
  ]
}
