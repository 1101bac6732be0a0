/** The server's daemon: listening sockets, pools and masquerading, and who may come in. */

import { DEFAULT_PORT } from '../config/options.js'
import type { Setting } from '../config/setting.js'
import type { ServerConfig, TunnelConfig } from '../config/tunnel.js'
import type { Listen } from '../config/values.js'
import type { Fact } from '../core/facts.js'
import { LARGEST_MTU_BYTES } from '../core/innermtu.js'
import type { RandomBytes } from '../core/keys.js'
import { Server } from '../core/server.js'
import { configError } from '../errors.js'
import {
  type Cidr,
  familyOf,
  formatAddress,
  formatCidr,
  formatEndpoint,
  networkOf,
} from '../net/address.js'
import { findOverlaps } from '../net/clashes.js'
import { listDevices } from '../net/devices.js'
import { addressTun, innerCidrs, raiseTun } from '../net/tundevice.js'
import { StoreRegistry } from '../registry.js'
import type { PeerReport } from '../status.js'
import { keyShared } from './facts.js'
import type { Loop } from './loop.js'
import { Masquerading } from './masquerading.js'
import { PeerMtus } from './peermtus.js'
import { reportPeer } from './report.js'
import { policyOf, type Role, type RoleReport, type Surroundings } from './role.js'

/** It is told every minute while it lasts. */
const SHARED_US = 120_000_000

export class ServerRole implements Role {
  readonly core: Server
  readonly #around: Surroundings
  readonly #registry: StoreRegistry
  readonly #listening: string[] = []
  readonly #masquerading: Masquerading
  readonly #peerMtus: PeerMtus
  /** By name: of peers whose key two machines have. */
  readonly #shared = new Map<string, { readonly untilUs: number; readonly warning: string }>()
  #config: ServerConfig
  #loop: Loop | undefined

  constructor(around: Surroundings, config: ServerConfig) {
    const { machine, store, log } = around
    this.#around = around
    this.#config = config
    const ipv6 = config.pool6 ?? store.readPool6() ?? store.keepPool6(ownPool6(machine.randomBytes))
    const pools = { ipv4: config.pool, ipv6 }
    this.#registry = new StoreRegistry({
      store,
      pools,
      nowS: () => machine.clock.wallUs() / 1e6,
      onFault: ({ message }, deed) =>
        log.write(deed === 'read' ? 'state.unreadable' : 'state.unwritten', { why: message }),
      onShortage: (peer, why) => log.write('pool.exhausted', { peer, why }),
    })
    this.core = new Server({
      ...around.core,
      registry: this.#registry,
      override: policyOf(config.policy),
    })
    this.#peerMtus = new PeerMtus({
      around,
      deviceMtuBytes: () => this.#mtuBytes,
      addressesOf: (name) => this.#octets(name),
    })
    this.#masquerading = new Masquerading(around, config.nat, [pools.ipv4, pools.ipv6])
  }

  async start(loop: Loop): Promise<void> {
    this.#loop = loop
    const { machine, log, tun } = this.#around
    const addresses = innerCidrs(this.#registry.server)
    const devices = await listDevices(machine.run)
    const [clash] = findOverlaps(addresses, { tun, devices })
    if (clash !== undefined) throw configError('POOL', clash.why)
    for (const name of this.#registry.settle()) log.write('pool.moved', { peer: name })
    this.#peerMtus.start(loop)
    this.#listen()
    loop.wake()
    await raiseTun(machine.run, tun, this.#mtuBytes)
    const { faults } = await addressTun(machine.run, { name: tun, addresses, routes: [] })
    for (const why of faults) log.write('addresses.failed', { why })
    log.write('addresses.set', { device: tun, addresses: addresses.map(formatCidr).join(',') })
    await this.#masquerading.start(loop)
  }

  /** Sessions and paths are the core's own affair; the device has its addresses from the start. */
  handleFact(nowUs: number, fact: Fact): void {
    if (fact.kind === 'peer-mtu') this.#peerMtus.handleTold(nowUs, fact.peer, fact.bytes)
    if (fact.kind === 'key-shared') {
      this.#shared.set(fact.peer, { untilUs: nowUs + SHARED_US, warning: keyShared(fact.from) })
    }
  }

  set(setting: Setting): void {
    if (setting.kind !== 'policy') {
      throw configError(
        'SETTING',
        'uplinks belong to clients: run this on the client; a server takes mode, xmit-hash-policy, primary-reselect, updelay and downdelay',
      )
    }
    if ('primary' in setting.change) {
      throw configError('SETTING', 'primary names an uplink of a client: run this on the client')
    }
    const policy = { ...this.#config.policy, ...setting.change }
    this.#config = { ...this.#config, policy }
    this.core.setOverride(policyOf(policy))
    this.#loop?.wake()
  }

  refresh(): void {
    this.#endRevoked()
    this.#peerMtus.settleSoon(this.#around.machine.clock.nowUs())
    this.#loop?.wake()
  }

  async reload(config: TunnelConfig): Promise<void> {
    if (config.role !== 'server') return
    this.#config = config
    this.core.setOverride(policyOf(config.policy))
    await raiseTun(this.#around.machine.run, this.#around.tun, this.#mtuBytes)
    this.refresh()
  }

  async report(nowUs: number): Promise<RoleReport> {
    const live = this.core
      .snapshot()
      .peers.map((peer) =>
        reportPeer(nowUs, peer, this.#addresses(peer.name), this.#warningOf(nowUs, peer.name)),
      )
    const names = new Set(live.map(({ name }) => name))
    const absent = this.#registry
      .names()
      .filter((name) => !names.has(name))
      .map((name) => absentPeer(name, this.#addresses(name)))
    return {
      mtuBytes: this.#mtuBytes,
      addresses: innerCidrs(this.#registry.server).map(formatCidr),
      endpoints: this.#listening,
      peers: [...live, ...absent],
    }
  }

  async stop(): Promise<void> {
    await this.#peerMtus.idle()
    await this.#masquerading.stop()
  }

  #warningOf(nowUs: number, name: string): string {
    const shared = this.#shared.get(name)
    if (shared === undefined || nowUs < shared.untilUs) return shared?.warning ?? ''
    this.#shared.delete(name)
    return ''
  }

  #addresses(name: string): string[] {
    return this.#octets(name).map(formatAddress)
  }

  #octets(name: string): Uint8Array[] {
    const found = this.#registry.addressesOf(name)
    return found === undefined ? [] : [found.ipv4, found.ipv6]
  }

  get #mtuBytes(): number {
    return this.#config.mtuBytes ?? LARGEST_MTU_BYTES
  }

  /** Ends what there is of names that the store knows no more. */
  #endRevoked(): void {
    this.#registry.refresh()
    const welcome = this.#registry.welcome()
    for (const name of this.core.names) {
      if (welcome.has(name) || !this.core.revoke(name)) continue
      this.#around.log.write('peer.revoked', { peer: name })
    }
  }

  #listen(): void {
    const { machine, log } = this.#around
    const wanted =
      this.#config.listen.length > 0 ? this.#config.listen : defaults(machine.hasIpv6())
    for (const { address, port } of wanted) {
      const family = familyOf(address)
      const { fd } = machine.openUdp({ family, address: formatAddress(address), port })
      this.core.listen(family, fd)
      const text = formatEndpoint(address, port)
      this.#listening.push(text)
      log.write('listen.opened', { at: text })
    }
  }
}

function defaults(hasIpv6: boolean): Listen[] {
  const any = (octets: number) => ({ address: new Uint8Array(octets), port: DEFAULT_PORT })
  return hasIpv6 ? [any(4), any(16)] : [any(4)]
}

/** A unique local prefix: fd, 40 random bits, subnet 0 (RFC 4193, section 3.2). */
function ownPool6(randomBytes: RandomBytes): Cidr {
  const address = new Uint8Array(16)
  address[0] = 0xfd
  address.set(randomBytes(5), 1)
  return networkOf({ family: 6, address, prefix: 64 })
}

function absentPeer(name: string, addresses: readonly string[]): PeerReport {
  return {
    name,
    sessionS: undefined,
    aead: undefined,
    inUse: false,
    mode: '',
    modeInUse: '',
    addresses,
    warning: '',
    paths: [],
    order: undefined,
    repair: undefined,
  }
}
