/**
 * One uplink of the client: its sockets, and which of the server's addresses it uses. A machine may
 * have an IPv6 address that leads nowhere, and a server an IPv4 address that this uplink cannot
 * reach: an address that does not answer is left for the next one, one that works is kept.
 */
import type { Endpoint, EventOf } from '../boundary.js'
import { sameOctets } from '../octets.js'
import type { Budget } from './budget.js'
import { endpointOf } from './endpoint.js'
import { type Family, HEADER_BYTES } from './pathmtu.js'
import { DEFAULT_PATH_POLICY, type Intent, type Mode, type PathPolicy } from './policy.js'
import { bitRate } from './quantity.js'

/** Where the server listens: 4 or 16 octets and a port. */
export interface ServerEndpoint {
  readonly family: Family
  readonly address: Uint8Array
  readonly port: number
}

/**
 * What becomes of an uplink whose budget is used up: nothing is on it, or what nothing else carries, or no more than
 * so many bytes per second in each direction.
 */
export const OVER_BUDGET = ['stop', 'standby'] as const
export type OverBudget = (typeof OVER_BUDGET)[number] | number

/** What the user wants of an uplink. */
export interface UplinkTraits {
  readonly intent: Intent
  /** Smaller is used first. */
  readonly tier: number
  /** 1 to LIMIT.weight. */
  readonly weight: number
  /** Each octet costs money; so it does where there is a budget. */
  readonly metered: boolean
  /** Bytes, both directions together; 0: no budget. */
  readonly budgetDayBytes: number
  readonly budgetMonthBytes: number
  /** Day of the month on which its month begins, 1 to 31. */
  readonly resetDay: number
  readonly overBudget: OverBudget
  /** Bytes per second that are sent on it, and that the server sends, at most; 0: no cap. */
  readonly rateUpBytesPerS: number
  readonly rateDownBytesPerS: number
  /** Queue to aim at, both directions; 0: from the round trip. */
  readonly targetUs: number
}

/** What is left out stays as it is. */
export type UplinkPolicy = Partial<UplinkTraits>

export const DEFAULT_UPLINK: UplinkTraits = {
  intent: DEFAULT_PATH_POLICY.intent,
  tier: DEFAULT_PATH_POLICY.tier,
  weight: DEFAULT_PATH_POLICY.weight,
  metered: false,
  budgetDayBytes: 0,
  budgetMonthBytes: 0,
  resetDay: 1,
  overBudget: 'stop',
  rateUpBytesPerS: 0,
  rateDownBytesPerS: 0,
  targetUs: 0,
}

/** Initiations to one address before the next is tried: about 2 s. */
const MOST_TRIES = 3
/**
 * An uplink that was taken away still receives for so long: until the server has heard of it and what
 * is under way has arrived. Chosen: one repetition of the news over slow uplinks.
 */
const LEAVE_US = 1_000_000
/** A lost path in use is probed seven times meanwhile (native/health.c); above every round trip. */
const TURN_AFTER_US = 3_000_000

export class Uplink {
  readonly name: string
  readonly path: number
  /** Why it has no socket: a sentence for people. */
  unavailable = 'waiting for the device'
  /** Why its budget is used up: a sentence for people; undefined when something is left. */
  spent: string | undefined
  #traits: UplinkTraits = DEFAULT_UPLINK
  /** What C has counted on its path, as it was told last. */
  #counted = 0
  readonly #ports = new Map<Family, number>()
  #servers: readonly ServerEndpoint[] = []
  /** The one in use; kept as long as it is one of them. */
  #server: ServerEndpoint | undefined
  /** Where C sends for it. */
  #attached: Endpoint | undefined
  /** The same, while its path works: the server may have moved there by itself. */
  #proved: Endpoint | undefined
  #tries = 0
  #turnAtUs = Number.POSITIVE_INFINITY
  /** Set when it was taken away. */
  leavesAtUs = Number.POSITIVE_INFINITY

  constructor(name: string, path: number, wanted: UplinkPolicy) {
    this.name = name
    this.path = path
    this.setPolicy(wanted)
  }

  /** How this side uses its path, and how the server is to, in this mode. */
  policies(mode: Mode): { readonly own: PathPolicy; readonly servers: PathPolicy } {
    const { intent, tier, weight, rateUpBytesPerS, rateDownBytesPerS, targetUs } = this.#traits
    const over = this.#overBudget(mode)
    const own = {
      path: this.path,
      intent: over === 'standby' && intent === 'up' ? 'standby' : intent,
      tier,
      weight,
      metered: this.isMetered,
      spent: over === 'stop',
      capBytesPerS: slower(rateUpBytesPerS, over),
      targetUs,
    }
    return { own, servers: { ...own, capBytesPerS: slower(rateDownBytesPerS, over) } }
  }

  /** That it carries on at a lower rate, for people: the rest of a sentence. */
  slowed(mode: Mode): string | undefined {
    const over = this.#overBudget(mode)
    return typeof over === 'number' ? `is held to ${bitRate(over)}: ${this.spent}` : undefined
  }

  /** The cap that the server keeps to, for people: the rest of a sentence. This end's own is in its policy. */
  toldServer(mode: Mode): string | undefined {
    const { rateDownBytesPerS } = this.#traits
    if (mode !== 'adaptive' || rateDownBytesPerS === 0) return undefined
    return `is sent at most ${bitRate(rateDownBytesPerS)} by the server`
  }

  /** Undefined while something of its budget is left. No mode but adaptive keeps to a rate: there it stops. */
  #overBudget(mode: Mode): OverBudget | undefined {
    if (this.spent === undefined) return undefined
    const { overBudget } = this.#traits
    return typeof overBudget === 'number' && mode !== 'adaptive' ? 'stop' : overBudget
  }

  get isMetered(): boolean {
    const { metered, budgetDayBytes, budgetMonthBytes } = this.#traits
    return metered || budgetDayBytes > 0 || budgetMonthBytes > 0
  }

  get budget(): Budget {
    const { budgetDayBytes: dayBytes, budgetMonthBytes: monthBytes, resetDay } = this.#traits
    return { dayBytes, monthBytes, resetDay }
  }

  /** Numbers of its sockets in C. */
  get ports(): readonly number[] {
    return [...this.#ports.values()]
  }

  /** Of the addresses between which its datagrams go. */
  get family(): Family {
    return this.#attached?.family === 6 ? 6 : 4
  }

  /** C has a path for it. */
  get isAttached(): boolean {
    return this.#attached !== undefined
  }

  setPolicy(wanted: UplinkPolicy): void {
    this.#traits = { ...this.#traits, ...wanted }
  }

  /** Octets on the wire, both directions together, since C was asked last. */
  takeCount({ txBytes, txDatagrams, rxBytes, rxDatagrams }: EventOf<'pathStats'>): number {
    // They are on the bill too.
    const headerBytes = HEADER_BYTES[this.family]
    const counted = txBytes + rxBytes + headerBytes * (txDatagrams + rxDatagrams)
    const before = counted < this.#counted ? 0 : this.#counted
    this.#counted = counted
    return counted - before
  }

  /** A new session: C counts from zero again. */
  restartCount(): void {
    this.#counted = 0
  }

  /** It was taken away: nothing more is sent on it. */
  leave(nowUs: number): void {
    this.#traits = { ...this.#traits, intent: 'down' }
    this.leavesAtUs = nowUs + LEAVE_US
  }

  /** The server's addresses, best first. */
  setServers(servers: readonly ServerEndpoint[]): void {
    this.#servers = servers
    this.#proved = undefined
  }

  /** Gives it a socket; returns the one that it replaces. */
  setPort(family: Family, port: number): number | undefined {
    const before = this.#ports.get(family)
    this.#ports.set(family, port)
    if (this.#proved?.port === before) this.#proved = undefined
    this.unavailable = ''
    return before
  }

  /** Takes the socket of this family away and returns it. */
  removePort(family: Family, why: string): number | undefined {
    const port = this.#ports.get(family)
    this.#ports.delete(family)
    if (this.#ports.size === 0) this.unavailable = why
    // The next socket may get the same number, and C has to hear of it all the same.
    if (port !== undefined && this.#attached?.port === port) {
      this.#attached = this.#proved = undefined
    }
    return port
  }

  /** Where it sends now. Undefined without a socket and an address of the same family. */
  target(): Endpoint | undefined {
    if (this.#proved !== undefined) return this.#proved
    const reachable = this.#reachable()
    this.#server = reachable.find((each) => isSame(each, this.#server)) ?? reachable[0]
    if (this.#server === undefined) return undefined
    const { family, address, port: remotePort } = this.#server
    const remote = new Uint8Array(16)
    remote.set(address)
    const port = this.#ports.get(family)!
    return { port, family, remotePort, remote, scope: 0, local: new Uint8Array(16) }
  }

  /** Why it has nowhere to send: a sentence for people; empty while it has, or has no socket. */
  get unreachable(): string {
    if (this.#ports.size === 0 || this.#reachable().length > 0) return ''
    if (this.#servers.length === 0) return 'the address of the server is not known yet'
    const families = new Set(this.#servers.map(({ family }) => `IPv${family}`))
    return `it has no ${[...families].join(' or ')} address, and the server is known by no other`
  }

  /** An initiation is about to go out while there is no session. */
  countTry(): void {
    this.#proved = undefined
    if (this.#tries++ < MOST_TRIES) return
    this.#turn()
    this.#tries = 1
  }

  /** There is a session: where C has to send from now on, if it does not already. */
  attach(nowUs: number): Endpoint | undefined {
    this.#tries = 0
    const target = this.target()
    if (target === undefined || isSameEndpoint(target, this.#attached)) return undefined
    this.#attached = target
    this.handleDead(nowUs)
    return target
  }

  /** Its path works: the address is the right one. */
  handleAlive(): void {
    this.#turnAtUs = Number.POSITIVE_INFINITY
    this.#proved = this.#attached
  }

  /** The server was heard from elsewhere, and C sends there now. Of a socket that was given up that means nothing. */
  handleMoved(endpoint: Endpoint): void {
    if (endpoint.port !== this.#attached?.port) return
    this.#attached = endpointOf(endpoint)
    if (this.#proved !== undefined) this.#proved = this.#attached
  }

  /** Its path does not work, or not yet: gives the address some time where there is another. */
  handleDead(nowUs: number): void {
    this.#proved = undefined
    const canTurn = this.#reachable().length > 1
    this.#turnAtUs = canTurn ? nowUs + TURN_AFTER_US : Number.POSITIVE_INFINITY
  }

  /** True when it has turned to another address, to which it is to be attached. */
  handleTimeout(nowUs: number): boolean {
    if (nowUs < this.#turnAtUs) return false
    this.#turnAtUs = Number.POSITIVE_INFINITY
    this.#turn()
    return true
  }

  nextTimeout(): number {
    return this.#turnAtUs
  }

  #reachable(): ServerEndpoint[] {
    return this.#servers.filter(({ family }) => this.#ports.has(family))
  }

  #turn(): void {
    const reachable = this.#reachable()
    const present = reachable.findIndex((each) => isSame(each, this.#server))
    this.#server = reachable[(present + 1) % reachable.length]
  }
}

/** The lesser of two caps, of which 0 is none. */
function slower(capBytesPerS: number, over: OverBudget | undefined): number {
  if (typeof over !== 'number') return capBytesPerS
  return capBytesPerS === 0 ? over : Math.min(capBytesPerS, over)
}

function isSame(a: ServerEndpoint, b: ServerEndpoint | undefined): boolean {
  return a.family === b?.family && a.port === b.port && sameOctets(a.address, b.address)
}

function isSameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  return a.port === b?.port && a.remotePort === b.remotePort && sameOctets(a.remote, b.remote)
}
