/** Where the server is: its names are asked for beside the loop, and again until all of them have an address. */

import { isIP } from 'node:net'
import type { ServerEndpoint } from '../core/client.js'
import type { HostPort } from '../core/hostport.js'
import { messageOf } from '../errors.js'
import { formatEndpoint } from '../net/address.js'
import { type Lookup, resolveEndpoints } from '../net/resolve.js'
import type { Loop } from './loop.js'
import type { Surroundings } from './role.js'
import { lookupOver, type Way } from './uplinklookup.js'

/** From the first failure to find the server by its name, or at it, to the next try; doubles up to the last. */
const FIRST_RETRY_US = 1_000_000
const LONGEST_RETRY_US = 30_000_000

export interface ResolverOptions {
  readonly around: Surroundings
  /** As they are now: a reload may change them. */
  readonly names: () => readonly HostPort[]
  /** Uplinks that have a socket. */
  readonly ways: () => readonly Way[]
  /** They are others than before. */
  readonly onFound: (nowUs: number, endpoints: readonly ServerEndpoint[]) => void
}

export class Resolver {
  readonly #options: ResolverOptions
  #loop: Loop | undefined
  /** Addresses by name, as each was found last: of several names one may fail while the server is only there. */
  readonly #known = new Map<string, readonly string[]>()
  /** As they were found last. */
  endpoints: readonly ServerEndpoint[] = []
  /** Why none is known; else empty. */
  fault = ''
  #retryUs = FIRST_RETRY_US
  /** The server does not answer, wherever it was found. */
  #isSearching = false

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  start(loop: Loop): void {
    this.#loop = loop
    this.resolve()
  }

  /** Names and the addresses that were found for them, without repetition. */
  texts(): string[] {
    return [...new Set([...this.#namesAsTexts(), ...textsOf(this.endpoints)])]
  }

  /** A name server may take seconds to answer: returns at once. */
  resolve(): void {
    const { machine, log } = this.#options.around
    const ask = this.#isSearching ? this.#lookupEverywhere : machine.lookup
    const asked = this.#namesAsTexts().join()
    resolveEndpoints(this.#options.names(), ask, this.#known)
      .then(({ endpoints, faults }) => {
        // A reload may have named another server meanwhile, which is asked for since.
        if (asked === this.#namesAsTexts().join()) this.#handleAnswer(endpoints, faults)
      })
      .catch((error: unknown) => log.write('server.unresolved', { why: messageOf(error) }))
  }

  /** The server does not answer, and may have moved: asks again and again, ever more rarely. */
  search(nowUs: number): void {
    if (this.#options.names().every(({ host }) => isIP(host) !== 0)) return
    this.#isSearching = true
    this.#loop?.planBy('resolve', nowUs + this.#retryUs, () => this.resolve())
  }

  /** The server answers. */
  rest(): void {
    this.#isSearching = false
    this.#retryUs = FIRST_RETRY_US
    this.#loop?.callOff('resolve')
  }

  /** What the uplinks bring is not kept waiting for a question that went into the tunnel. */
  #lookupEverywhere: Lookup = async (host) => {
    const { machine } = this.#options.around
    let known: readonly string[] = []
    const own = machine.lookup(host).then((addresses) => {
      known = addresses
      return addresses
    })
    own.catch(() => undefined)
    const found = await lookupOver(machine, this.#options.ways(), host)
    return found.length === 0 ? own : [...known, ...found]
  }

  #namesAsTexts(): string[] {
    return this.#options.names().map(({ host, port }) => formatEndpoint(host, port))
  }

  #handleAnswer(endpoints: readonly ServerEndpoint[], faults: readonly string[]): void {
    const { machine, log } = this.#options.around
    const nowUs = machine.clock.nowUs()
    for (const why of faults) log.write('server.unresolved', { why })
    const isKnown = endpoints.length > 0 || this.endpoints.length > 0
    this.fault = isKnown ? '' : faults.join('; ')
    if (faults.length > 0 || this.#isSearching) {
      this.#retryUs = Math.min(LONGEST_RETRY_US, 2 * this.#retryUs)
      this.#loop?.plan('resolve', nowUs + this.#retryUs, () => this.resolve())
    } else {
      this.#retryUs = FIRST_RETRY_US
    }
    // What was known before is better than nothing, and name servers give the same in turns.
    if (endpoints.length === 0 || isSame(endpoints, this.endpoints)) return
    this.endpoints = endpoints
    log.write('server.resolved', { at: textsOf(endpoints).join() })
    this.#options.onFound(nowUs, endpoints)
    this.#loop?.wake()
  }
}

function isSame(a: readonly ServerEndpoint[], b: readonly ServerEndpoint[]): boolean {
  return textsOf(a).sort().join() === textsOf(b).sort().join()
}

function textsOf(endpoints: readonly ServerEndpoint[]): string[] {
  return endpoints.map(({ address, port }) => formatEndpoint(address, port))
}
