/**
 * One peer, as both roles see it: its keys over time, its paths, its policy, and the plan that
 * follows from them.
 */
import type { Endpoint, EngineEvent, EventOf } from '../boundary.js'
import { sameOctets } from '../octets.js'
import { FEATURE, TIMER } from '../wire.js'
import type { Known, Load } from './candidate.js'
import { ControlChannel, type ControlMessage } from './channel.js'
import type { Context } from './context.js'
import { Epochs } from './epochs.js'
import type { Fact } from './facts.js'
import { lossSentence, PathLife } from './path.js'
import { Planner } from './planner.js'
import { DEFAULT_POLICY, type Mode, type Policy, pathPolicy } from './policy.js'
import { encodePlan, NOTHING_CARRIES, type Plan } from './schedule.js'
import type { PathSnapshot, PeerSnapshot } from './snapshot.js'
import { type PathMeasurements, PathStats, PeerStats } from './stats.js'

interface PeerPath {
  readonly life: PathLife
  readonly stats: PathStats
  label: string
  endpoint: Endpoint | undefined
}

export interface PeerOptions {
  /** Slot in C. */
  readonly id: number
  readonly name: string
  /** The client: keeps idle paths alive. */
  readonly initiator: boolean
}

/** Silence of so many probe intervals takes a path out: two lost probes and a half for jitter. */
const SILENT_INTERVALS = 2.5
/** What a field of 32 bits holds: the other side may wish for a longer delay than can be told to C. */
const LONGEST_US = 2 ** 32 - 1
/**
 * In the mode adaptive C puts a path aside by itself within a round trip and sends again what was on it:
 * only a path that stays silent is given up. Routine gaps of LTE and of Starlink are shorter.
 */
const ADAPTIVE_SILENCE_US = 3_000_000
/** And a path that comes back is back soon: its window keeps it from harm. */
const ADAPTIVE_HOLD_US = 1_000_000

export class Peer {
  readonly id: number
  name: string
  readonly epochs: Epochs
  readonly channel: ControlChannel
  readonly #context: Context
  readonly #initiator: boolean
  readonly #paths = new Map<number, PeerPath>()
  #policy: Policy = DEFAULT_POLICY
  readonly #planner = new Planner()
  #planBytes: Uint8Array | undefined
  readonly #stats = new PeerStats()
  #inUse = false
  /** The other side does not take our packets yet: no path of it comes up. */
  #isHeld = false
  /** Told to C last. */
  #silenceUs: number | undefined

  constructor(context: Context, options: PeerOptions) {
    this.#context = context
    this.id = options.id
    this.name = options.name
    this.#initiator = options.initiator
    this.epochs = new Epochs(context, options.id)
    this.channel = new ControlChannel(context, options.id)
  }

  get policy(): Policy {
    return this.#policy
  }

  /** The mode that is carried out: the policy's, or the nearest to it that the other side can follow. */
  get mode(): Mode {
    const { mode } = this.#policy
    const { features } = this.epochs
    // Whoever sends such packets needs reports; without a session nobody knows, and nothing is sent.
    const hasRepair = features === undefined || (features & FEATURE.repair.value) !== 0
    return mode === 'adaptive' && !hasRepair ? 'balance-rr' : mode
  }

  get isInUse(): boolean {
    return this.#inUse
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  get hasPathUp(): boolean {
    return [...this.#paths.values()].some(({ life }) => life.state === 'up')
  }

  get pathIds(): readonly number[] {
    return [...this.#paths.keys()]
  }

  /** Tells C how to probe. Call once after peerAdd. */
  publishProbing(): void {
    const { intervalUs, keepaliveUs } = this.#context.options.probing
    this.#silenceUs = this.#wantedSilenceUs()
    this.#context.command({
      kind: 'probing',
      fields: {
        peer: this.id,
        intervalUs,
        keepaliveUs,
        silenceUs: this.#silenceUs,
        idleAfterUs: TIMER.idleAfterUs.value,
        initiator: this.#initiator ? 1 : 0,
      },
    })
  }

  /** Keeps its paths from coming up, until it is admitted. Call before any is alive. */
  hold(): void {
    this.#isHeld = true
  }

  /** The other side takes our packets from here on. */
  admit(nowUs: number): void {
    this.#isHeld = false
    this.#raiseAll(nowUs)
  }

  /** How its paths are to be used from now on. */
  setPolicy(policy: Policy): void {
    const before = this.#policy
    this.#policy = policy
    if (policy.mode !== before.mode) {
      this.#fact({ kind: 'policy', peer: this.name, mode: policy.mode })
    }
    this.#adjust()
  }

  /** Keys came into use: the other side may have other features than before. */
  handleSession(): void {
    this.#adjust()
  }

  #adjust(): void {
    const isTold = this.#silenceUs !== undefined
    if (isTold && this.#silenceUs !== this.#wantedSilenceUs()) this.publishProbing()
    this.#replan()
  }

  #wantedSilenceUs(): number {
    const { intervalUs } = this.#context.options.probing
    const probedUs = Math.round(SILENT_INTERVALS * intervalUs) + this.#policy.downdelayUs
    const silenceUs = this.mode === 'adaptive' ? Math.max(ADAPTIVE_SILENCE_US, probedUs) : probedUs
    return Math.min(LONGEST_US, silenceUs)
  }

  /** Makes a path known, or gives it another endpoint; undefined: it has none yet. */
  setPath(nowUs: number, path: number, label: string, endpoint: Endpoint | undefined): void {
    const known = this.#paths.get(path) ?? { life: new PathLife(nowUs), stats: new PathStats() }
    this.#paths.set(path, { ...known, label, endpoint: endpoint && placeOf(endpoint) })
  }

  removePath(path: number): void {
    if (!this.#paths.delete(path)) return
    this.#replan()
    this.#context.command({ kind: 'pathRemove', fields: { peer: this.id, path } })
  }

  /** Handles what C says of this peer; returns a control message that is for the role to act on. */
  handleEvent(nowUs: number, event: EngineEvent): ControlMessage | undefined {
    switch (event.kind) {
      case 'control':
        return this.channel.handle(event.bytes.subarray(0, event.length), event.path)
      case 'pathMoved':
        this.#handleMoved(event)
        return undefined
      case 'pathLost': {
        const why = lossSentence(event.why, event.errorNumber)
        const mostHoldUs = this.mode === 'adaptive' ? ADAPTIVE_HOLD_US : undefined
        this.#change(event.path, (life) =>
          life.handleLost(nowUs, why, this.#policy.updelayUs, mostHoldUs),
        )
        this.#replan()
        this.#raiseAll(nowUs)
        return undefined
      }
      case 'pathAlive':
        this.#handleAlive(nowUs, event.path)
        return undefined
      case 'peerUse':
        this.#inUse = event.inUse === 1
        return undefined
      case 'pathStats':
        this.#paths.get(event.path)?.stats.handleSample(nowUs, event)
        return undefined
      case 'peerStats':
        this.#stats.handleSample(nowUs, event)
        return undefined
      default:
        return undefined
    }
  }

  /** The session began anew: C has forgotten its measurements and takes no path for usable. */
  restart(nowUs: number): void {
    this.#planBytes = undefined
    this.channel.restart()
    this.#stats.restart()
    this.#planner.restart()
    for (const [path, { stats }] of this.#paths) {
      stats.restart()
      this.#change(path, (life) => life.restart(nowUs))
    }
  }

  /** All measurements of one moment have been told. */
  handleSampled(nowUs: number): void {
    if (this.mode !== 'adaptive' || !this.#inUse) return
    this.#planner.observe(nowUs, this.#policy, this.#willing(), this.#load())
    this.#replan()
  }

  handleTimeout(nowUs: number): void {
    this.channel.handleTimeout(nowUs)
    this.#raiseAll(nowUs)
  }

  nextTimeout(): number {
    const paths = this.#isHeld ? [] : [...this.#paths.values()]
    const lives = paths.map(({ life }) => life.nextTimeout())
    return Math.min(this.channel.nextTimeout(), this.epochs.nextTimeout(), ...lives)
  }

  snapshot(): PeerSnapshot {
    return {
      name: this.name,
      aead: this.epochs.aead,
      sessionSinceUs: this.epochs.currentSinceUs,
      inUse: this.#inUse,
      policy: this.#policy,
      mode: this.mode,
      paths: [...this.#paths].map(([path, entry]) => this.#pathSnapshot(path, entry)),
      measurements: this.#stats.measurements(),
    }
  }

  #handleMoved(event: EventOf<'pathMoved'>): void {
    const entry = this.#paths.get(event.path)
    if (entry === undefined) return
    const endpoint = placeOf(event)
    entry.endpoint = endpoint
    const { label } = entry
    this.#fact({ kind: 'path-moved', peer: this.name, path: event.path, label, endpoint })
  }

  #handleAlive(nowUs: number, path: number): void {
    // C had taken it out before a word of ours arrived there; the word stands.
    if (this.#paths.get(path)?.life.state === 'up') this.#allow(path)
    this.#change(path, (life) => life.handleAlive(nowUs, this.#policy.updelayUs))
    if (this.#willing().length === 0) this.#release()
    this.#raise(nowUs, path)
    this.channel.handleAlive(nowUs)
  }

  /** Without any path up, those that are alive do not wait (bonding.rst, "updelay"). */
  #release(): void {
    for (const { life } of this.#paths.values()) life.release()
  }

  #raiseAll(nowUs: number): void {
    for (const path of this.#paths.keys()) this.#raise(nowUs, path)
  }

  #raise(nowUs: number, path: number): void {
    if (this.#isHeld) return
    let isUp = false
    this.#change(path, (life) => {
      isUp = life.handleTimeout(nowUs)
    })
    if (!isUp) return
    this.#allow(path)
    this.#replan()
  }

  #allow(path: number): void {
    this.#context.command({ kind: 'pathAllow', fields: { peer: this.id, path, allowed: 1 } })
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
    this.#fact({ kind: 'path-state', peer: this.name, path, label, from, to, why })
  }

  /** Paths that work and that the user wants. */
  #willing(): Known[] {
    return [...this.#paths]
      .filter(([, { life }]) => life.state === 'up')
      .map(([path, { label, stats }]) => ({
        policy: pathPolicy(this.#policy, path),
        label,
        measurements: stats.measurements(),
      }))
      .filter(({ policy }) => policy.intent !== 'down' && !policy.spent)
  }

  /**
   * Publishes the plan that follows from policy and paths. Without any path up the old one stays: it
   * may still work. When paths are up and none of them is to be used, nothing carries.
   */
  #replan(): void {
    const willing = this.#willing()
    if (willing.length === 0) {
      this.#planner.clear()
      if (this.hasPathUp) this.#publish(NOTHING_CARRIES)
      this.#release()
      return
    }
    const before = this.#planner.active
    const plan = this.#planner.plan({ ...this.#policy, mode: this.mode }, willing)
    const { active } = this.#planner
    if (active !== undefined && active !== before) {
      const label = this.#labelOf(active) ?? ''
      this.#fact({ kind: 'active-path', peer: this.name, path: active, label })
    }
    this.#publish(plan)
  }

  #load(): Load {
    const of = this.#stats.measurements()
    const all = [...this.#paths.values()].map(({ stats }) => stats.measurements())
    const sent = all.reduce((sum, path) => sum + (path?.recentTxBytesPerS ?? 0), 0)
    return {
      backlogUs: of?.backlogUs ?? 0,
      sentBytesPerS: Math.max(0, sent - (of?.recentResentBytesPerS ?? 0)),
    }
  }

  /**
   * Paths that carry nothing and need not be watched: a failure of the others would find them as they were
   * some seconds ago. Metered ones everywhere; in the mode adaptive, where C finds out within a round trip
   * whether a path works, all that work.
   */
  #resting(): number[] {
    const isAdaptive = this.mode === 'adaptive'
    return [...this.#paths]
      .filter(([path]) => !this.#planner.carries(path))
      .filter(
        ([path, { life }]) =>
          pathPolicy(this.#policy, path).metered || (isAdaptive && life.state === 'up'),
      )
      .map(([path]) => path)
  }

  #publish(plan: Plan): void {
    const payload = encodePlan(plan, this.#policy, this.#resting())
    if (this.#planBytes !== undefined && sameOctets(this.#planBytes, payload)) return
    this.#planBytes = payload
    this.#context.command({ kind: 'planPublish', fields: { peer: this.id }, payload })
  }

  #pathSnapshot(path: number, { life, stats, label, endpoint }: PeerPath): PathSnapshot {
    const policy = pathPolicy(this.#policy, path)
    const inPlan = life.state === 'up' && this.#planner.carries(path)
    const measurements = stats.measurements()
    return {
      path,
      label,
      endpoint,
      state: life.state,
      sinceUs: life.sinceUs,
      inPlan,
      why: inPlan
        ? ''
        : life.state === 'up'
          ? this.#planner.whyIdle(policy, (other) => this.#labelOf(other))
          : life.why,
      intent: policy.intent,
      tier: policy.tier,
      weight: policy.weight,
      metered: policy.metered,
      capBytesPerS: policy.capBytesPerS,
      notes: inPlan ? notesOf(measurements, this.#planner.left(path)) : [],
      measurements,
    }
  }

  #labelOf(path: number): string | undefined {
    return this.#paths.get(path)?.label
  }

  #fact(fact: Fact): void {
    this.#context.fact(fact)
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

/** The endpoint in a record that carries more. */
function placeOf({ port, family, remotePort, remote, scope, local }: Endpoint): Endpoint {
  return { port, family, remotePort, remote, scope, local }
}
