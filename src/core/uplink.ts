/**
 * One uplink of the client: its sockets, and which of the server's addresses it uses. A machine may
 * have an IPv6 address that leads nowhere, and a server an IPv4 address that this uplink cannot
 * reach: an address that does not answer is left for the next one, one that works is kept.
 */
import type { Endpoint, EventOf } from '../boundary.js'
import { sameOctets } from '../octets.js'
import { endpointOf } from './endpoint.js'
import { type Family, HEADER_BYTES } from './pathmtu.js'
import { Terms, type UplinkPolicy } from './terms.js'

/** Where the server listens: 4 or 16 octets and a port. */
export interface ServerEndpoint {
  readonly family: Family
  readonly address: Uint8Array
  readonly port: number
}

const NOTHING = { bytes: 0, datagrams: 0 }

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
  readonly terms: Terms
  /** Why it has no socket: a sentence for people. */
  unavailable = 'waiting for the device'
  /** What C has counted on its path, both directions together, as it was told last. */
  #counted = NOTHING
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
    this.terms = new Terms(path, wanted)
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

  /** Octets on the wire, both directions together, since C was asked last. */
  takeCount({ txBytes, txDatagrams, rxBytes, rxDatagrams }: EventOf<'pathStats'>): number {
    const counted = { bytes: txBytes + rxBytes, datagrams: txDatagrams + rxDatagrams }
    const before = counted.bytes < this.#counted.bytes ? NOTHING : this.#counted
    this.#counted = counted
    const datagrams = counted.datagrams - before.datagrams
    // Headers are on the bill too.
    return counted.bytes - before.bytes + HEADER_BYTES[this.family] * datagrams
  }

  /** A new session: C counts from zero again. */
  restartCount(): void {
    this.#counted = NOTHING
  }

  /** It was taken away: nothing more is sent on it. */
  leave(nowUs: number): void {
    this.terms.change({ intent: 'down' })
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

function isSame(a: ServerEndpoint, b: ServerEndpoint | undefined): boolean {
  return a.family === b?.family && a.port === b.port && sameOctets(a.address, b.address)
}

function isSameEndpoint(a: Endpoint, b: Endpoint | undefined): boolean {
  return a.port === b?.port && a.remotePort === b.remotePort && sameOctets(a.remote, b.remote)
}
