/**
 * A host that does not forward IPv6 drops what its peers send to others without a word, and their programs wait for a
 * timeout before they try IPv4. Refused by a rule (ICMPv6 "no route to destination", RFC 4443 section 3.1), they try at once.
 */

import { readValue } from './proc.js'
import type { Run } from './program.js'

export interface UnforwardedOptions {
  readonly run: Run
  readonly tun: string
  /** /proc, or a directory that plays its part. */
  readonly procDir?: string
}

export class Unforwarded {
  readonly #options: UnforwardedOptions
  /** Undefined: what a daemon that was killed has left is not known. */
  #isRefused: boolean | undefined

  constructor(options: UnforwardedOptions) {
    this.#options = options
  }

  /** Refuses, or does so no longer, as the host forwards now. Call from time to time: it may be changed at any time. */
  async settle(): Promise<void> {
    const { procDir = '/proc' } = this.#options
    const isRefused = readValue(`${procDir}/sys/net/ipv6/conf/all/forwarding`) === '0'
    if (isRefused === this.#isRefused) return
    if (this.#isRefused !== false) await this.end()
    // Without a place given, the kernel puts it right behind the rule for the host's own addresses.
    if (isRefused) await this.#change('add')
    this.#isRefused = isRefused
  }

  /** Never throws. */
  async end(): Promise<void> {
    await this.#change('delete')
    this.#isRefused = false
  }

  async #change(verb: 'add' | 'delete'): Promise<void> {
    const { run, tun } = this.#options
    // Nothing to delete, or no right to: IPv6 is then dropped as before.
    await run('ip', ['-6', 'rule', verb, 'iif', tun, 'unreachable']).catch(() => '')
  }
}
