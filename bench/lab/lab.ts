/**
 * A lab: a client with several uplinks, a server, and emulated links, NAT and routers between them, all
 * in network namespaces of their own. For the demo, the tests over real sockets, and the benchmarks.
 */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Emulator, type LinkStats } from './emulator.js'
import {
  addNamespace,
  type Finished,
  inNamespace,
  ipBatch,
  NAMESPACE_PREFIX,
  type RunOptions,
  removeNamespaceSync,
  removeStaleLabs,
  run,
} from './namespaces.js'
import * as topology from './topology.js'

/** How long a program may take to obey SIGTERM at `close`. */
const TERM_MS = 2000

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

/** Where a program runs; `router:NAME` is the router behind the link of that name. */
export type Side = 'client' | 'server' | `router:${string}`

export interface Lab {
  readonly links: ReadonlyMap<string, topology.LinkAddresses>
  readonly server: { readonly address: string; readonly address6: string }
  /** For files that live as long as the lab, 0700. */
  readonly directory: string
  namespace(side: Side): string
  /** Runs a program to its end. Rejects on a non-zero exit unless `check` is false. */
  exec(side: Side, argv: readonly string[], options?: RunOptions): Promise<Finished>
  /** Starts a program; `close` ends it, if it still runs, by SIGTERM, 2 s later by SIGKILL. */
  spawn(side: Side, argv: readonly string[], options?: SpawnOptions): ChildProcess
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
  /** The uplink's device goes away as when a stick is pulled. */
  deleteDevice(name: string): Promise<void>
  /** It comes back with its addresses and its default route. */
  recreateDevice(name: string): Promise<void>
  /** Removes everything: programs, devices, namespaces, files. Safe to call twice. */
  close(): Promise<void>
}

interface Link extends topology.LinkAddresses {
  name: string
  nat: boolean
  router: string
  natGeneration: number
}

const openLabs = new Set<BuiltLab>()
let labCount = 0

/**
 * Builds a lab, and removes what labs of processes that were killed left behind. Needs root, iproute2,
 * and nftables where a link has a NAT.
 */
export async function createLab(options: LabOptions): Promise<Lab> {
  checkOptions(options)
  removeStaleLabs()
  const lab = new BuiltLab(options)
  openLabs.add(lab)
  if (openLabs.size === 1) armSignals()
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

class BuiltLab implements Lab {
  readonly links: ReadonlyMap<string, Link>
  readonly server = { address: topology.SERVER_ADDRESS, address6: topology.SERVER_ADDRESS_6 }
  readonly directory: string
  readonly #prefix: string
  readonly #children = new Set<ChildProcess>()
  #emulator: Emulator | undefined

  constructor(options: LabOptions) {
    this.#prefix = `${NAMESPACE_PREFIX}.${process.pid}.${labCount++}.${options.name}`
    this.directory = mkdtempSync(join(tmpdir(), `${NAMESPACE_PREFIX}-`))
    this.links = new Map(
      options.links.map(({ name, nat = true }, index) => [
        name,
        {
          ...topology.addressesOf(name, index),
          name,
          nat,
          router: `${this.#prefix}.router-${name}`,
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

  namespace(side: Side): string {
    if (side === 'client' || side === 'server') return `${this.#prefix}.${side}`
    return this.#link(side.slice('router:'.length)).router
  }

  exec(side: Side, argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(inNamespace(this.namespace(side), argv), options)
  }

  spawn(side: Side, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [command = '', ...args] = inNamespace(this.namespace(side), argv)
    const child = spawn(command, args, options)
    this.#children.add(child)
    child.once('close', () => this.#children.delete(child))
    return child
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

  async deleteDevice(name: string): Promise<void> {
    await this.#command(`unplug ${this.#link(name).name} a`)
  }

  async recreateDevice(name: string): Promise<void> {
    const link = this.#link(name)
    await this.#command(`plug ${link.name} a`)
    await ipBatch(this.namespace('client'), topology.uplinkCommands(link))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map(endChild))
    await this.#emulator?.close()
    this.closeNow()
  }

  /** What can be done without waiting, for the end of the process. */
  closeNow(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#emulator?.killNow()
    for (const { router } of this.links.values()) removeNamespaceSync(router)
    removeNamespaceSync(this.namespace('client'))
    removeNamespaceSync(this.namespace('server'))
    rmSync(this.directory, { recursive: true, force: true })
    if (openLabs.delete(this) && openLabs.size === 0) disarmSignals()
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

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_MS)
  await closed
  clearTimeout(timer)
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function closeAllNow(): void {
  for (const lab of [...openLabs]) lab.closeNow()
}

/** Cleans up, then lets the signal do what it would have done without a lab. */
function onSignal(signal: NodeJS.Signals): void {
  closeAllNow()
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function armSignals(): void {
  for (const signal of SIGNALS) process.on(signal, onSignal)
  process.on('exit', closeAllNow)
}

function disarmSignals(): void {
  for (const signal of SIGNALS) process.off(signal, onSignal)
  process.off('exit', closeAllNow)
}
