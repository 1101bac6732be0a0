/** A server's routes to single peers that take smaller packets than its device does. */

import { type Cidr, formatCidr } from './address.js'
import type { Run } from './program.js'

interface Present {
  /** What was asked for, to know it again. */
  readonly wish: string
  readonly destinations: readonly Cidr[]
}

export class PeerRoutes {
  readonly #run: Run
  readonly #tun: string
  readonly #present = new Map<string, Present>()

  constructor(run: Run, tun: string) {
    this.#run = run
    this.#tun = tun
  }

  /** What goes to the peer has at most this size; undefined: what the device takes. Throws what `ip` says. */
  async set(peer: string, addresses: readonly Cidr[], mtuBytes: number | undefined): Promise<void> {
    const destinations = mtuBytes === undefined ? [] : addresses
    const wish = [mtuBytes, ...destinations.map(formatCidr)].join(' ')
    const before = this.#present.get(peer)
    if (before?.wish === wish || (before === undefined && destinations.length === 0)) return
    // Noted as soon as there may be something to take away; as done, when it is.
    this.#present.set(peer, { wish: '', destinations })
    for (const gone of before?.destinations ?? []) {
      // With the address of the device the kernel has taken the route away.
      await this.#change('delete', gone).catch(() => '')
    }
    for (const destination of destinations) {
      await this.#change('replace', destination, 'mtu', String(mtuBytes))
    }
    if (destinations.length === 0) this.#present.delete(peer)
    else this.#present.set(peer, { wish, destinations })
  }

  async #change(verb: string, to: Cidr, ...words: string[]): Promise<void> {
    const args = [`-${to.family}`, 'route', verb, formatCidr(to), 'dev', this.#tun, ...words]
    await this.#run('ip', args)
  }
}
