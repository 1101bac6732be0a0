/**
 * A client and a server joined by bare veths: no rate, no delay, no loss, so that the tunnel is what limits.
 *
 *   client  wan0 192.168.10.2  ------  wan0 192.168.10.1  server  198.51.100.1 (on lo)
 *           wan1 192.168.11.2  ------  wan1 192.168.11.1
 *
 * Each contestant has a wire of its own.
 */

import { addNamespace, inNamespace, ipBatch, run } from '../lab/namespaces.js'
import { NamespaceSite, type Side } from '../lab/site.js'
import { HOST_SYSCTLS, SERVER_ADDRESS } from '../lab/topology.js'
import { until } from './until.js'

const FIRST_NUMBER = 10

/** Of all tunnels, so that all carry the same packets: with the greatest overhead among them it fits 1500. */
export const INNER_MTU_BYTES = 1400

export interface WireOptions {
  /** Letters, digits and `-`. */
  readonly name: string
  readonly links: number
  /** As after `taskset -c`, for everything that runs here; absent: all of the machine's. */
  readonly cpus?: string | undefined
  /** The same for the server's daemon, which then shares them with nobody; see `apart`. */
  readonly serverCpus?: string | undefined
}

export interface WireLink {
  readonly device: string
  readonly client: string
  readonly server: string
}

export class Wire extends NamespaceSite {
  /** By the name of the device, the same on both sides. */
  readonly links: ReadonlyMap<string, WireLink>
  readonly #cpus: string | undefined
  readonly #serverCpus: string | undefined
  readonly #atEnd: (() => void)[] = []

  private constructor({ name, links, cpus, serverCpus }: WireOptions) {
    super(name)
    this.#cpus = cpus
    this.#serverCpus = serverCpus
    this.links = new Map(
      Array.from({ length: links }, (_, index) => {
        const device = `wan${index}`
        const network = `192.168.${FIRST_NUMBER + index}`
        return [device, { device, client: `${network}.2`, server: `${network}.1` }]
      }),
    )
  }

  static async open(options: WireOptions): Promise<Wire> {
    const wire = new Wire(options)
    try {
      await wire.#build()
    } catch (error) {
      await wire.close()
      throw error
    }
    return wire
  }

  /** The link of those that use only one. */
  get first(): WireLink {
    return this.links.get('wan0')!
  }

  async #build(): Promise<void> {
    const client = this.namespace('client')
    const server = this.namespace('server')
    for (const namespace of [client, server]) await addNamespace(namespace, HOST_SYSCTLS)
    const links = [...this.links.values()]
    await ipBatch(server, [`address add ${SERVER_ADDRESS}/32 dev lo`])
    await ipBatch(
      client,
      links.flatMap(({ device, client: address }) => [
        `link add ${device} type veth peer name ${device} netns ${server}`,
        `address add ${address}/24 dev ${device}`,
        `link set ${device} up`,
      ]),
    )
    await ipBatch(
      server,
      links.flatMap(({ device, server: address }) => [
        `address add ${address}/24 dev ${device}`,
        `link set ${device} up`,
      ]),
    )
    await ipBatch(
      client,
      links.map(
        ({ device, server: gateway }, index) =>
          `route add default via ${gateway} dev ${device} metric ${100 + index}`,
      ),
    )
    // The kernel tells the carrier up to a second late (link_watch.c), and a tunnel watches its uplinks.
    for (const namespace of [client, server]) {
      await until('the veths to have a carrier', async () => {
        const { stdout } = await run(['ip', '-n', namespace, '-o', 'link'])
        return !stdout.includes('NO-CARRIER')
      })
    }
    if (this.#serverCpus !== undefined) {
      await this.#receiveOn('client', this.#cpus)
      await this.#receiveOn('server', this.#serverCpus)
    }
  }

  /**
   * A veth hands a packet to the far socket, and wakes who waits there, in the time of whoever sends it. As
   * behind a card, that is the receiver's own affair then: networking/scaling.rst, RPS.
   */
  async #receiveOn(side: Side, cpus = ''): Promise<void> {
    const mask = cpus.split(',').reduce((bits, cpu) => bits | (1 << Number(cpu)), 0)
    for (const { device } of this.links.values()) {
      const file = `/sys/class/net/${device}/queues/rx-0/rps_cpus`
      await run(inNamespace(this.namespace(side), ['tee', file]), { input: mask.toString(16) })
    }
  }

  /** Before the words of the server's daemon. */
  get apart(): readonly string[] {
    return this.#serverCpus === undefined ? [] : ['taskset', '-c', this.#serverCpus]
  }

  protected override namespaces(): readonly string[] {
    return [this.namespace('client'), this.namespace('server')]
  }

  protected override command(side: Side, argv: readonly string[]): string[] {
    const pinned = this.#cpus === undefined ? [] : ['taskset', '-c', this.#cpus]
    return [...pinned, ...super.command(side, argv)]
  }

  /** Does this at the end too, however it comes: for what programs leave outside of their namespace. */
  atEnd(deed: () => void): void {
    this.#atEnd.push(deed)
  }

  override closeNow(): void {
    super.closeNow()
    for (const deed of this.#atEnd.splice(0)) deed()
  }

  /** Runs `ip` commands on a side. */
  async ip(side: Side, ...lines: readonly string[]): Promise<void> {
    await ipBatch(this.namespace(side), lines)
  }
}
