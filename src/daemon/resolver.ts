/** Where the server is: its names are asked for beside the loop, and again until all of them have an address. */

import { isIP } from 'node:net'
import type { HostPort } from '../config/values.js'
import type { ServerEndpoint } from '../core/client.js'
import { messageOf } from '../errors.js'
import { formatEndpoint } from '../net/address.js'
import { resolveEndpoints } from '../net/resolve.js'
import type { Loop } from './loop.js'
import type { Surroundings } from './role.js'

/** From the first failure to find the server's name to the next try; doubles up to the last. */
const FIRST_RETRY_US = 1_000_000
const LONGEST_RETRY_US = 30_000_000

export interface ResolverOptions {
  readonly around: Surroundings
  /** As they are now: a reload may change them. */
  readonly names: () => readonly HostPort[]
  /** They are others than before. */
  readonly onFound: (nowUs: number, endpoints: readonly ServerEndpoint[]) => void
}

export class Resolver {
  readonly #options: ResolverOptions
  #loop: Loop | undefined
  /** As they were found last. */
  endpoints: readonly ServerEndpoint[] = []
  #retryUs = FIRST_RETRY_US

  constructor(options: ResolverOptions) {
    this.#options = options
  }

  start(loop: Loop): void {
    this.#loop = loop
    this.resolve()
  }

  /** Names and the addresses that were found for them, without repetition. */
  texts(): string[] {
    const names = this.#options.names().map(({ host, port }) => formatEndpoint(host, port))
    return [...new Set([...names, ...textsOf(this.endpoints)])]
  }

  /** A name server may take seconds to answer: returns at once. */
  resolve(): void {
    const { machine, log } = this.#options.around
    resolveEndpoints(this.#options.names(), machine.lookup)
      .then(({ endpoints, faults }) => this.#handleAnswer(endpoints, faults))
      .catch((error: unknown) => log.write('server.unresolved', { why: messageOf(error) }))
  }

  /** The server does not answer, and may have moved: asks again, without haste. */
  resolveLater(nowUs: number): void {
    if (this.#options.names().every(({ host }) => isIP(host) !== 0)) return
    this.#loop?.planOnce('resolve', nowUs + LONGEST_RETRY_US, () => this.resolve())
  }

  /** The server answers. */
  rest(): void {
    this.#loop?.callOff('resolve')
  }

  #handleAnswer(endpoints: readonly ServerEndpoint[], faults: readonly string[]): void {
    const { machine, log } = this.#options.around
    const nowUs = machine.clock.nowUs()
    for (const why of faults) log.write('server.unresolved', { why })
    if (faults.length > 0) {
      this.#loop?.plan('resolve', nowUs + this.#retryUs, () => this.resolve())
      this.#retryUs = Math.min(LONGEST_RETRY_US, 2 * this.#retryUs)
    } else {
      this.#retryUs = FIRST_RETRY_US
    }
    const at = textsOf(endpoints).join()
    // What was known before is better than nothing.
    if (endpoints.length === 0 || at === textsOf(this.endpoints).join()) return
    this.endpoints = endpoints
    log.write('server.resolved', { at })
    this.#options.onFound(nowUs, endpoints)
    this.#loop?.wake()
  }
}

function textsOf(endpoints: readonly ServerEndpoint[]): string[] {
  return endpoints.map(({ address, port }) => formatEndpoint(address, port))
}
