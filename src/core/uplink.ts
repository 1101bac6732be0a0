/**
 * One uplink of the client: its sockets, and which of the server's addresses it uses. A machine may
 * have an IPv6 address that leads nowhere, and a server an IPv4 address that this uplink cannot
 * reach: an address that does not answer is left for the next one, one that works is kept.
 */
import type { Endpoint } from '../boundary.js'
import { DEFAULT_PATH_POLICY, type Intent, type PathPolicy } from './policy.js'

export type Family = 4 | 6

/** Where the server listens: 4 or 16 octets and a port. */
export interface ServerEndpoint {
  readonly family: Family
  readonly address: Uint8Array
  readonly port: number
}

export type UplinkPolicy = Partial<Omit<PathPolicy, 'path'>>

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
  #intent: Intent = DEFAULT_PATH_POLICY.intent
  #tier: number = DEFAULT_PATH_POLICY.tier
  #weight: number = DEFAULT_PATH_POLICY.weight
  readonly #ports = new Map<Family, number>()
  #servers: readonly ServerEndpoint[] = []
  /** The one in use; kept as long as it is one of them. */
  #server: ServerEndpoint | undefined
  /** Where C sends for it. */
  #attached: Endpoint | undefined
  #tries = 0
  #turnAtUs = Number.POSITIVE_INFINITY
  /** Set when it was taken away. */
  leavesAtUs = Number.POSITIVE_INFINITY

  constructor(name: string, path: number, wanted: UplinkPolicy) {
    this.name = name
    this.path = path
    this.setPolicy(wanted)
  }

  get policy(): PathPolicy {
    const { path } = this
    return {
      ...DEFAULT_PATH_POLICY,
      path,
      intent: this.#intent,
      tier: this.#tier,
      weight: this.#weight,
    }
  }

  /** Numbers of its sockets in C. */
  get ports(): readonly number[] {
    return [...this.#ports.values()]
  }

  /** C has a path for it. */
  get isAttached(): boolean {
    return this.#attached !== undefined
  }

  /** What is left out stays as it is. */
  setPolicy({ intent, tier, weight }: UplinkPolicy): void {
    this.#intent = intent ?? this.#intent
    this.#tier = tier ?? this.#tier
    this.#weight = weight ?? this.#weight
  }

  /** It was taken away: nothing more is sent on it. */
  leave(nowUs: number): void {
    this.#intent = 'down'
    this.leavesAtUs = nowUs + LEAVE_US
  }

  /** The server's addresses, best first. */
  setServers(servers: readonly ServerEndpoint[]): void {
    this.#servers = servers
  }

  /** Gives it a socket; returns the one that it replaces. */
  setPort(family: Family, port: number): number | undefined {
    const before = this.#ports.get(family)
    this.#ports.set(family, port)
    this.unavailable = ''
    return before
  }

  /** Takes the socket of this family away and returns it. */
  removePort(family: Family, why: string): number | undefined {
    const port = this.#ports.get(family)
    this.#ports.delete(family)
    if (this.#ports.size === 0) this.unavailable = why
    // The next socket may get the same number, and C has to hear of it all the same.
    if (port !== undefined && this.#attached?.port === port) this.#attached = undefined
    return port
  }

  /** Where it sends now. Undefined without a socket and an address of the same family. */
  target(): Endpoint | undefined {
    const reachable = this.#reachable()
    this.#server = reachable.find((each) => isSame(each, this.#server)) ?? reachable[0]
    if (this.#server === undefined) return undefined
    const { family, address, port: remotePort } = this.#server
    const remote = new Uint8Array(16)
    remote.set(address)
    const port = this.#ports.get(family)!
    return { port, family, remotePort, remote, scope: 0, local: new Uint8Array(16) }
  }

  /** An initiation is about to go out while there is no session. */
  countTry(): void {
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
  }

  /** Its path does not work, or not yet: gives the address some time where there is another. */
  handleDead(nowUs: number): void {
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

function isSame(a: ServerEndpoint, b: ServerEndpoint | undefined): boolean {
  return a.family === b?.family && a.port === b.port && isSameAddress(a.address, b.address)
}

function isSameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  return a.port === b?.port && a.remotePort === b.remotePort && isSameAddress(a.remote, b.remote)
}

function isSameAddress(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i])
}
