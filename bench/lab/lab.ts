/**
 * A lab: a client with several uplinks, a server, and emulated links, NAT and routers between them, all
 * in network namespaces of their own. For the demo, the tests over real sockets, and the benchmarks.
 */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Emulator, type LinkStats } from './emulator.js'
import { addNamespace, inNamespace, ipBatch, run } from './namespaces.js'
import { NamespaceSite, type Side, type Site } from './site.js'
import * as topology from './topology.js'

export type { Side } from './site.js'

export interface LabLink {
  /** Names the link and its device in the client: up to 12 letters, digits, `_` and `-`. */
  name: string
  /** As the emulator's --link: `rate=20,delay=15,up.rate=5`; `up` is what the client sends. */
  description: string
  /** Whether a NAT stands on its way (the default) or a plain router. */
  nat?: boolean
}

export interface LabOptions {
  /** Becomes part of the namespaces' names: letters, digits and `-`. */
  name: string
  links: readonly LabLink[]
  /** Of the links' chance: the same seed, the same losses. */
  seed?: number
  /** Another emulator than build/mptun-emulator. */
  emulatorPath?: string
}

export interface Lab extends Site {
  readonly links: ReadonlyMap<string, topology.LinkAddresses>
  readonly server: { readonly address: string; readonly address6: string }
  /** Changes a running link: only the words given. */
  setLink(name: string, description: string): Promise<void>
  /** Cuts it silently: what is under way is lost, the devices stay up. */
  cutLink(name: string): Promise<void>
  restoreLink(name: string): Promise<void>
  stats(): Promise<LinkStats[]>
  /**
   * Gives every flow of a NAT a new port, in mid-flow. The new port range comes first; then the public
   * address is taken away and given back, at which the kernel's masquerade forgets its mappings
   * (nf_nat_masquerade.c, masq_inet_event). Packets within these few milliseconds are lost.
   */
  rebindNat(name: string): Promise<void>
  /** Its router drops whatever is longer than that, and tells nobody; undefined: nothing more. */
  narrowLink(name: string, bytes: number | undefined): Promise<void>
  /** The client's device has the other of its two IPv4 addresses from now on, as after DHCP. */
  renumberDevice(name: string): Promise<void>
  /** The uplink's device goes away as when a stick is pulled; the kernel may take another 30 ms for it. */
  deleteDevice(name: string): Promise<void>
  /** It comes back with its addresses and its default route. */
  recreateDevice(name: string): Promise<void>
}

interface Link extends topology.LinkAddresses {
  name: string
  nat: boolean
  router: string
  natGeneration: number
}

/**
 * Builds a lab, and removes what labs of processes that were killed left behind. Needs root, iproute2,
 * and nftables where a link has a NAT.
 */
export async function createLab(options: LabOptions): Promise<Lab> {
  checkOptions(options)
  const lab = new BuiltLab(options)
  try {
    await lab.build(options)
  } catch (error) {
    await lab.close()
    throw error
  }
  return lab
}

function checkOptions(options: LabOptions): void {
  if (!/^[A-Za-z0-9-]{1,20}$/.test(options.name)) {
    throw new Error(
      `lab name: found ${JSON.stringify(options.name)}, accepted: 1 to 20 letters, digits and -`,
    )
  }
  const names = options.links.map(({ name }) => name)
  const bad = names.find((name) => !/^[A-Za-z][A-Za-z0-9_-]{0,11}$/.test(name) || name === 'lo')
  if (bad !== undefined) {
    throw new Error(
      `link name: found ${JSON.stringify(bad)}, accepted: a letter, then up to 11 letters, digits, _ and -`,
    )
  }
  if (new Set(names).size !== names.length || names.length === 0 || names.length > 64) {
    throw new Error(`links: found ${names.join(', ') || 'none'}, accepted: 1 to 64 different names`)
  }
}

class BuiltLab extends NamespaceSite implements Lab {
  readonly links: ReadonlyMap<string, Link>
  readonly server = { address: topology.SERVER_ADDRESS, address6: topology.SERVER_ADDRESS_6 }
  #emulator: Emulator | undefined

  constructor(options: LabOptions) {
    super(options.name)
    this.links = new Map(
      options.links.map(({ name, nat = true }, index) => [
        name,
        {
          ...topology.addressesOf(name, index),
          name,
          nat,
          router: `${this.prefix}.router-${name}`,
          natGeneration: 0,
        },
      ]),
    )
  }

  async build(options: LabOptions): Promise<void> {
    const links = [...this.links.values()]
    const client = this.namespace('client')
    const server = this.namespace('server')
    await Promise.all([
      addNamespace(client, topology.HOST_SYSCTLS),
      addNamespace(server, topology.HOST_SYSCTLS),
      ...links.map(({ router }) => addNamespace(router, topology.ROUTER_SYSCTLS)),
    ])
    this.#emulator = await Emulator.start({
      links: options.links.map(({ name, description }) => {
        const ends = `a=${client},b=${this.#link(name).router},dev-a=${name},dev-b=lan`
        return `${description},name=${name},${ends}`
      }),
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(options.emulatorPath === undefined ? {} : { path: options.emulatorPath }),
    })
    await ipBatch(server, topology.serverCommands())
    await Promise.all(links.map((link) => this.#connect(link)))
    await ipBatch(client, links.flatMap(topology.uplinkCommands))
  }

  async #connect(link: Link): Promise<void> {
    const server = this.namespace('server')
    await ipBatch(link.router, [
      `link add wan type veth peer name ${link.serverDevice} netns ${server}`,
      ...topology.lanCommands(link),
      ...topology.wanCommands(link),
    ])
    await ipBatch(server, topology.serverLinkCommands(link, link.nat))
    if (link.nat) await this.#loadNat(link)
  }

  async #loadNat(link: Link): Promise<void> {
    const file = join(this.directory, `${link.name}.nft`)
    writeFileSync(file, topology.natRules(link.natGeneration))
    await run(inNamespace(link.router, ['nft', '-f', file]))
  }

  override namespace(side: Side): string {
    if (side === 'client' || side === 'server') return super.namespace(side)
    return this.#link(side.slice('router:'.length)).router
  }

  protected override namespaces(): readonly string[] {
    const routers = [...this.links.values()].map(({ router }) => router)
    return [...routers, this.namespace('client'), this.namespace('server')]
  }

  async setLink(name: string, description: string): Promise<void> {
    await this.#command(`set ${this.#link(name).name} ${description}`)
  }

  async cutLink(name: string): Promise<void> {
    await this.#command(`down ${this.#link(name).name}`)
  }

  async restoreLink(name: string): Promise<void> {
    await this.#command(`up ${this.#link(name).name}`)
  }

  async stats(): Promise<LinkStats[]> {
    return (await this.#running().stats()).links
  }

  async rebindNat(name: string): Promise<void> {
    const link = this.#link(name)
    if (!link.nat) throw new Error(`link ${name} has no NAT to rebind`)
    link.natGeneration++
    await this.#loadNat(link)
    await ipBatch(link.router, [
      ...topology.dropPublicAddressCommands(link),
      ...topology.wanCommands(link),
    ])
  }

  async narrowLink(name: string, bytes: number | undefined): Promise<void> {
    const { router } = this.#link(name)
    const file = join(this.directory, `${name}.narrow.nft`)
    writeFileSync(file, topology.narrowRules(bytes))
    await run(inNamespace(router, ['nft', '-f', file]))
  }

  async renumberDevice(name: string): Promise<void> {
    const link = this.#link(name)
    const before = link.address
    link.address = topology.otherAddress(link)
    await ipBatch(this.namespace('client'), [
      `address delete ${before}/24 dev ${link.device}`,
      ...topology.uplinkCommands(link),
    ])
  }

  async deleteDevice(name: string): Promise<void> {
    await this.#command(`unplug ${this.#link(name).name} a`)
  }

  async recreateDevice(name: string): Promise<void> {
    const link = this.#link(name)
    await this.#command(`plug ${link.name} a`)
    await ipBatch(this.namespace('client'), topology.uplinkCommands(link))
  }

  override async close(): Promise<void> {
    await this.endPrograms()
    await this.#emulator?.close()
    this.closeNow()
  }

  override closeNow(): void {
    this.#emulator?.killNow()
    super.closeNow()
  }

  #link(name: string): Link {
    const link = this.links.get(name)
    if (link) return link
    throw new Error(`link: found "${name}", accepted: ${[...this.links.keys()].join(', ')}`)
  }

  #running(): Emulator {
    if (this.#emulator) return this.#emulator
    throw new Error('the lab is not built')
  }

  async #command(line: string): Promise<void> {
    await this.#running().command(line)
  }
}
