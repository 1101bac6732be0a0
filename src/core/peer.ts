/**
 * One peer, as both roles see it: its keys over time, its paths, its policy, and the plan that
 * follows from them.
 */
import type { Endpoint, EngineEvent } from '../boundary.js'
import { sameOctets } from '../octets.js'
import { FEATURE, TIMER } from '../wire.js'
import type { Known, Load } from './candidate.js'
import { ControlChannel, type ControlMessage } from './channel.js'
import type { Context } from './context.js'
import { Epochs } from './epochs.js'
import { Paths } from './paths.js'
import { Planner } from './planner.js'
import { DEFAULT_POLICY, type Mode, type Policy } from './policy.js'
import { encodePlan, NOTHING_CARRIES, type Plan } from './schedule.js'
import type { PeerSnapshot } from './snapshot.js'
import { PeerStats } from './stats.js'

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
  readonly #paths: Paths
  #policy: Policy = DEFAULT_POLICY
  readonly #planner = new Planner()
  #planBytes: Uint8Array | undefined
  readonly #stats = new PeerStats()
  #inUse = false
  #mtuBytes: number | undefined
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
    this.#paths = new Paths(context, this)
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

  /** The policy with the mode that is carried out. */
  get #carriedOut(): Policy {
    return { ...this.#policy, mode: this.mode }
  }

  get isInUse(): boolean {
    return this.#inUse
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  get hasPathUp(): boolean {
    return this.#paths.hasUp
  }

  /** Measurements decide which of its paths carry, so long as it is in use. */
  get choosesBySamples(): boolean {
    return this.mode === 'adaptive' && !this.#paths.isAlone
  }

  get pathIds(): readonly number[] {
    return this.#paths.ids
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
      this.#context.fact({ kind: 'policy', peer: this.name, mode: policy.mode })
    }
    this.#adjust()
  }

  /** Keys came into use: the other side may have other features than before. */
  handleKeys(nowUs: number): void {
    this.#adjust()
    this.channel.retry(nowUs)
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
    this.#paths.set(nowUs, path, label, endpoint)
  }

  setLabel(path: number, label: string): void {
    this.#paths.setLabel(path, label)
  }

  removePath(path: number): void {
    if (!this.#paths.remove(path)) return
    if (this.#paths.isAlone) this.#planner.restart()
    else this.#planner.forget(path)
    this.#replan()
    this.#context.command({ kind: 'pathRemove', fields: { peer: this.id, path } })
  }

  /** Handles what C says of this peer; returns a control message that is for the role to act on. */
  handleEvent(nowUs: number, event: EngineEvent): ControlMessage | undefined {
    switch (event.kind) {
      case 'control':
        return this.channel.handle(event.bytes.subarray(0, event.length), event.path)
      case 'pathMoved':
        this.#paths.handleMoved(event)
        return undefined
      case 'pathLost': {
        const mostHoldUs = this.mode === 'adaptive' ? ADAPTIVE_HOLD_US : undefined
        this.#paths.handleLost(nowUs, event, this.#policy.updelayUs, mostHoldUs)
        this.#replan()
        this.#raiseAll(nowUs)
        this.channel.retry(nowUs)
        return undefined
      }
      case 'pathAlive':
        this.#handleAlive(nowUs, event.path)
        return undefined
      case 'peerUse':
        this.#inUse = event.inUse === 1
        return undefined
      case 'pathStats':
        this.#paths.handleSample(nowUs, event)
        return undefined
      case 'sizeEchoed':
        this.#paths.handleSizeEcho(event.path)
        return undefined
      case 'peerStats':
        this.#stats.handleSample(nowUs, event)
        return undefined
      default:
        return undefined
    }
  }

  /** Asks for an echo of this many octets. */
  probeSize(path: number, octets: number): void {
    this.#context.command({ kind: 'sizeProbe', fields: { peer: this.id, path, octets } })
    this.#paths.handleSizeProbe(path)
  }

  /** The session began anew or, `why`, is over: C has forgotten its measurements and takes no path for usable. */
  restart(nowUs: number, why?: string): void {
    this.#planBytes = undefined
    this.#inUse = false
    this.#mtuBytes = undefined
    this.channel.restart()
    this.#stats.restart()
    this.#planner.restart()
    this.#paths.restart(nowUs, why)
  }

  /**
   * All measurements of one moment have been told. Of an only path they decide nothing: a hundred busy clients
   * that have no other cost a server 9 ms of JavaScript in a second so, and 20 where each is judged.
   */
  handleSampled(nowUs: number): void {
    if (!this.#inUse || !this.choosesBySamples) return
    this.#planner.observe(nowUs, this.#policy, this.#willing(), this.#load())
    this.#replan()
  }

  /** Inner packets are at most so large from now on. */
  handleMtu(nowUs: number, bytes: number): void {
    const before = this.#mtuBytes
    this.#mtuBytes = bytes
    if (before !== undefined && bytes < before) this.#planner.handleSmaller(nowUs)
  }

  handleTimeout(nowUs: number): void {
    this.channel.handleTimeout(nowUs)
    this.#raiseAll(nowUs)
  }

  nextTimeout(): number {
    const pathsUs = this.#isHeld ? Number.POSITIVE_INFINITY : this.#paths.nextTimeout()
    return Math.min(this.channel.nextTimeout(), this.epochs.nextTimeout(), pathsUs)
  }

  snapshot(): PeerSnapshot {
    return {
      name: this.name,
      aead: this.epochs.aead,
      sessionSinceUs: this.epochs.currentSinceUs,
      inUse: this.#inUse,
      policy: this.#policy,
      mode: this.mode,
      paths: this.#paths.snapshot(this.#policy, this.#planner),
      measurements: this.#stats.measurements(),
    }
  }

  #handleAlive(nowUs: number, path: number): void {
    this.#paths.handleAlive(nowUs, path, this.#policy.updelayUs)
    if (this.#willing().length === 0) this.#paths.release()
    this.#raise(nowUs, path)
    this.channel.retry(nowUs)
  }

  #raiseAll(nowUs: number): void {
    for (const path of this.#paths.ids) this.#raise(nowUs, path)
  }

  #raise(nowUs: number, path: number): void {
    if (!this.#isHeld && this.#paths.raise(nowUs, path)) this.#replan()
  }

  #willing(): Known[] {
    return this.#paths.willing(this.#policy)
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
      this.#paths.release()
      return
    }
    const before = this.#planner.active
    const plan = this.#planner.plan(this.#carriedOut, willing)
    const { active } = this.#planner
    if (active !== undefined && active !== before) {
      const label = this.#paths.labelOf(active) ?? ''
      this.#context.fact({ kind: 'active-path', peer: this.name, path: active, label })
    }
    this.#publish(plan)
  }

  #load(): Load {
    const of = this.#stats.measurements()
    return {
      backlogUs: of?.backlogUs ?? 0,
      sentBytesPerS: Math.max(0, this.#paths.sentBytesPerS - (of?.recentResentBytesPerS ?? 0)),
    }
  }

  #publish(plan: Plan): void {
    const resting = this.#paths.resting(this.#carriedOut, this.#planner)
    const payload = encodePlan(plan, this.#policy, resting)
    if (this.#planBytes !== undefined && sameOctets(this.#planBytes, payload)) return
    this.#planBytes = payload
    this.#context.command({ kind: 'planPublish', fields: { peer: this.id }, payload })
  }
}
