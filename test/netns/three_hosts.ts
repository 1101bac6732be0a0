/**
 * A client and a server joined by bare veths, and a third host behind the server, which forwards:
 *
 *   client  wan0 192.168.10.2  ------  wan0 192.168.10.1  server  lan 10.99.0.1  ----  lan 10.99.0.2  beyond
 *           wan1 192.168.11.2  ------  wan1 192.168.11.1  (198.51.100.1 on lo)
 *
 * The veth between server and third host stands for a wire: both ends compute all checksums and cut all
 * segments before they send, as a network card would, so that what is captured behind it is whole.
 */

import { addNamespace, ipBatch, run } from '../../bench/lab/namespaces.js'
import { NamespaceSite, type Side } from '../../bench/lab/site.js'
import { HOST_SYSCTLS, ROUTER_SYSCTLS, SERVER_ADDRESS } from '../../bench/lab/topology.js'
import type { Linked } from '../../bench/lab/tunnel.js'
import { until } from '../../bench/throughput/until.js'

export const BEYOND: Side = 'router:beyond'
export const BEYOND_4 = '10.99.0.2'
export const BEYOND_6 = 'fd99::2'
/** Of the TUN devices, as the product finds it out over an Ethernet. */
export const TUNNEL_MTU_BYTES = 1440
/** What the client routes into the tunnel. */
export const BEYOND_WORDS = ['--route', '10.99.0.0/24', '--route', 'fd99::/64']

/**
 * A TUN drops what its queue does not take, and the kernel's own 500 packets are soon over when the daemon
 * waits for a busy machine: more than a test ever has under way.
 */
const TUN_QUEUE_PACKETS = 20_000

export class ThreeHosts extends NamespaceSite implements Linked {
  readonly links: ReadonlyMap<string, number> = new Map([
    ['wan0', 10],
    ['wan1', 11],
  ])

  static async open(name: string): Promise<ThreeHosts> {
    const hosts = new ThreeHosts(name)
    try {
      await hosts.#build()
    } catch (error) {
      await hosts.close()
      throw error
    }
    return hosts
  }

  override namespace(side: Side): string {
    return super.namespace(side === BEYOND ? ('beyond' as Side) : side)
  }

  protected override namespaces(): readonly string[] {
    return (['client', 'server', BEYOND] as const).map((side) => this.namespace(side))
  }

  async deepenQueue(side: Side, tun: string): Promise<void> {
    const words = ['dev', tun, 'txqueuelen', String(TUN_QUEUE_PACKETS)]
    await this.exec(side, ['ip', 'link', 'set', ...words])
  }

  /** Makes the client's links carry so much each way, behind queues of 100 ms; without a rate all they can. */
  async limit(mbit: number | undefined): Promise<void> {
    const filter = ['tbf', 'rate', `${mbit}mbit`, 'burst', '32kb', 'latency', '100ms']
    const ways = (['client', 'server'] as const).flatMap((side) =>
      [...this.links.keys()].map((device) => ({ side, device })),
    )
    await Promise.all(
      ways.map(({ side, device }) => {
        const [verb, ...what] = mbit === undefined ? ['del'] : ['replace', ...filter]
        const words = ['tc', 'qdisc', verb!, 'dev', device, 'root', ...what]
        return this.exec(side, words, { check: mbit !== undefined })
      }),
    )
  }

  async #build(): Promise<void> {
    const [client, server, beyond] = this.namespaces() as [string, string, string]
    await Promise.all([
      addNamespace(client, HOST_SYSCTLS),
      addNamespace(server, ROUTER_SYSCTLS),
      addNamespace(beyond, HOST_SYSCTLS),
    ])
    const links = [...this.links]
    await ipBatch(
      client,
      links.flatMap(([device, number], index) => [
        `link add ${device} type veth peer name ${device} netns ${server}`,
        `address add 192.168.${number}.2/24 dev ${device}`,
        `link set ${device} up`,
        `route add default via 192.168.${number}.1 dev ${device} metric ${100 + index}`,
      ]),
    )
    await ipBatch(server, [
      `address add ${SERVER_ADDRESS}/32 dev lo`,
      ...links.flatMap(([device, number]) => [
        `address add 192.168.${number}.1/24 dev ${device}`,
        `link set ${device} up`,
      ]),
      `link add lan type veth peer name lan netns ${beyond}`,
      'address add 10.99.0.1/24 dev lan',
      'address add fd99::1/64 dev lan nodad',
      // A router asks for neighbours from there.
      'address add fe80::1/64 dev lan nodad',
      'link set lan up',
    ])
    await ipBatch(beyond, [
      `address add ${BEYOND_4}/24 dev lan`,
      `address add ${BEYOND_6}/64 dev lan nodad`,
      'address add fe80::2/64 dev lan nodad',
      'link set lan up',
      'route add default via 10.99.0.1',
      // Found out, it would cost a packet, and again whenever the host forgets.
      `route add default via fd99::1 mtu ${TUNNEL_MTU_BYTES}`,
    ])
    for (const side of ['server', BEYOND] as const) {
      await this.exec(side, ['ethtool', '-K', 'lan', 'tx', 'off', 'tso', 'off', 'gso', 'off'])
    }
    // The kernel tells the carrier up to a second late (link_watch.c), and a tunnel watches its uplinks.
    await until('the veths to have a carrier', async () => {
      const seen = this.namespaces().map((name) => run(['ip', '-n', name, '-o', 'link']))
      return !(await Promise.all(seen)).some(({ stdout }) => stdout.includes('NO-CARRIER'))
    })
  }
}
