/** The client's daemon: uplinks of this machine, the names of the server, and the device's addresses and routes. */

import { isIP } from 'node:net'
import type { Setting } from '../config/setting.js'
import type { ClientConfig, TunnelConfig } from '../config/tunnel.js'
import type { UplinkConfig } from '../config/uplink.js'
import type { HostPort } from '../config/values.js'
import { Client, type Family, type ServerEndpoint } from '../core/client.js'
import type { Fact, InnerAddresses } from '../core/facts.js'
import { inviteId } from '../core/invite.js'
import { DEFAULT_POLICY } from '../core/policy.js'
import { configError, messageOf } from '../errors.js'
import { type Cidr, formatCidr, formatEndpoint } from '../net/address.js'
import { listDevices } from '../net/devices.js'
import { resolveEndpoints } from '../net/resolve.js'
import { addressTun, dropRoutes, innerCidrs, raiseTun } from '../net/tundevice.js'
import { type UplinkChange, Uplinks } from '../net/uplinks.js'
import type { StatusReport } from '../status.js'
import type { ServerRecord } from '../store.js'
import type { Loop } from './loop.js'
import { reportPeer } from './report.js'
import { Jobs, policyOf, type Role, type Surroundings } from './role.js'

/** rtnetlink tells one change in several messages: they are looked at together. */
const SETTLE_US = 30_000
/** A socket that was refused is tried again, should no message of the kernel come. */
const REFUSED_RETRY_US = 5_000_000
/** From the first failure to find the server's name to the next try; doubles up to the last. */
const RESOLVE_RETRY_US = 1_000_000
const RESOLVE_RETRY_MOST_US = 30_000_000
/** What metered uplinks have used is kept so often: what a crash forgets is less than a minute's. */
const KEEP_USAGE_US = 60_000_000

export class ClientRole implements Role {
  readonly core: Client
  readonly #around: Surroundings
  readonly #uplinks = new Uplinks()
  readonly #wanted = new Map<string, UplinkConfig>()
  readonly #jobs: Jobs
  #config: ClientConfig
  #server: ServerRecord
  #loop: Loop | undefined
  #endpoints: readonly ServerEndpoint[] = []
  #inner: InnerAddresses | undefined
  /** What the device has, as it was told last. */
  #addressed = ''
  #resolveRetryUs = RESOLVE_RETRY_US
  /** As it was kept last. */
  #usage: string

  /** MPTUN_E_CONFIG_NOT_JOINED when there is no server to go to. */
  constructor(around: Surroundings, config: ClientConfig) {
    const server = around.store.readServer()
    if (server === undefined) {
      throw configError(
        'NOT_JOINED',
        `${around.store.dir} knows no server; on the server run mptun invite NAME, then here mptun join 'mptun://...'`,
      )
    }
    this.#around = around
    this.#config = config
    this.#server = server
    const { secret, publicKey } = server
    const usage = around.store.readUsage()
    this.#usage = JSON.stringify(usage)
    this.core = new Client({
      ...around.core,
      serverPublicKey: publicKey,
      usage,
      ...(secret === undefined ? {} : { invitation: { id: inviteId(secret), secret } }),
    })
    this.#jobs = new Jobs((error) =>
      around.log.write('addresses.failed', { why: messageOf(error) }),
    )
  }

  async start(loop: Loop): Promise<void> {
    this.#loop = loop
    await raiseTun(this.#around.machine.run, this.#around.tun, this.#config.mtuBytes)
    for (const uplink of this.#config.uplinks) this.#add(uplink)
    this.#applyPolicy()
    this.#resolve()
    await this.#look()
    loop.wake()
  }

  handleFact(nowUs: number, fact: Fact): void {
    switch (fact.kind) {
      case 'links-changed':
        this.#planLook(nowUs, SETTLE_US)
        return
      case 'addresses':
        this.#inner = fact.own
        this.#address()
        return
      case 'peer-enrolled':
        this.#server = { ...this.#server, secret: undefined }
        this.#around.store.writeServer(this.#server)
        return
      case 'handshake-started':
        // The server may have moved: its name is asked for again, without haste.
        if (this.#names().some(({ host }) => isIP(host) === 0)) {
          this.#loop?.planOnce('resolve', nowUs + RESOLVE_RETRY_MOST_US, () => this.#resolve())
        }
        return
      case 'stats':
        this.#loop?.planOnce('usage', nowUs + KEEP_USAGE_US, () => this.#keepUsage())
        return
      case 'budget':
        this.#keepUsage()
        return
      case 'session-up':
        this.#loop?.callOff('resolve')
        return
      default:
        return
    }
  }

  set(setting: Setting): void {
    const nowUs = this.#around.machine.clock.nowUs()
    switch (setting.kind) {
      case 'policy': {
        const policy = { ...this.#config.policy, ...setting.change }
        if (policy.primary !== undefined) this.#expectUplink(policy.primary)
        this.#config = { ...this.#config, policy }
        this.#applyPolicy()
        break
      }
      case 'uplink': {
        const before = this.#expectUplink(setting.name)
        this.#wanted.set(setting.name, { ...before, ...setting.traits })
        this.core.setUplink(nowUs, setting.name, setting.traits)
        break
      }
      case 'add-uplink':
        this.#add(setting.uplink)
        this.#applyPolicy()
        this.#planLook(nowUs, 0)
        break
      case 'remove-uplink':
        this.#expectUplink(setting.name)
        if (this.#wanted.size === 1) {
          throw configError(
            'SETTING',
            `${setting.name} is the last uplink; mptun down ends the tunnel, mptun set uplink ${setting.name} down rests it`,
          )
        }
        this.#remove(setting.name)
        break
    }
    this.#loop?.wake()
  }

  /** The server that is kept on disk is read at the start: joining another one while this runs changes nothing. */
  refresh(): void {}

  async reload(config: TunnelConfig): Promise<void> {
    if (config.role !== 'client') return
    const dropped = this.#config.routes.filter(
      (route) => !config.routes.some((other) => formatCidr(other) === formatCidr(route)),
    )
    this.#config = config
    for (const name of [...this.#wanted.keys()]) {
      if (!config.uplinks.some((uplink) => uplink.name === name)) this.#remove(name)
    }
    for (const uplink of config.uplinks) this.#add(uplink)
    this.#applyPolicy()
    this.#resolve()
    const { machine, tun } = this.#around
    await raiseTun(machine.run, tun, config.mtuBytes)
    await dropRoutes(machine.run, tun, dropped)
    if (this.#inner !== undefined) this.#address()
    await this.#look()
    this.#loop?.wake()
  }

  report(nowUs: number): Pick<StatusReport, 'addresses' | 'endpoints' | 'peers'> {
    return {
      addresses: this.#inner === undefined ? [] : innerCidrs(this.#inner).map(formatCidr),
      endpoints: this.#endpointTexts(),
      peers: this.core.snapshot().peers.map((peer) => reportPeer(nowUs, peer, [])),
    }
  }

  async stop(): Promise<void> {
    this.#keepUsage()
    await this.#jobs.idle()
  }

  /** Nothing to write when nothing is metered. A full disk stops no tunnel. */
  #keepUsage(): void {
    const { store, log } = this.#around
    const usage = this.core.usage()
    const text = JSON.stringify(usage)
    if (text === this.#usage) return
    try {
      store.writeUsage(usage)
      this.#usage = text
    } catch (error) {
      log.write('usage.unwritten', { why: messageOf(error) })
    }
  }

  #endpointTexts(): string[] {
    const names = this.#names().map(({ host, port }) => formatEndpoint(host, port))
    const found = this.#endpoints.map(({ address, port }) => formatEndpoint(address, port))
    return [...new Set([...names, ...found])]
  }

  #add(uplink: UplinkConfig): void {
    const { name, ...traits } = uplink
    if (!this.core.setUplink(this.#around.machine.clock.nowUs(), name, traits)) {
      throw configError(
        'SETTING',
        `${name} cannot be added: there are ${this.#wanted.size} uplinks and no more fit; remove one first`,
      )
    }
    this.#wanted.set(name, uplink)
    this.#uplinks.add(name)
  }

  #remove(name: string): void {
    this.#wanted.delete(name)
    this.#uplinks.remove(name)
    if (this.#config.policy.primary === name) {
      this.#config = { ...this.#config, policy: { ...this.#config.policy, primary: undefined } }
    }
    this.core.removeUplink(this.#around.machine.clock.nowUs(), name)
    this.#applyPolicy()
  }

  #expectUplink(name: string): UplinkConfig {
    const uplink = this.#wanted.get(name)
    if (uplink !== undefined) return uplink
    throw configError(
      'SETTING',
      `found uplink "${name}", accepted is ${[...this.#wanted.keys()].join(', ')}; mptun set add-uplink adds one`,
    )
  }

  #applyPolicy(): void {
    const { policy } = this.#config
    const nowUs = this.#around.machine.clock.nowUs()
    this.core.setPolicy(nowUs, { ...DEFAULT_POLICY, ...policyOf(policy) }, policy.primary)
  }

  #planLook(nowUs: number, delayUs: number): void {
    this.#loop?.planOnce('look', nowUs + delayUs, () => {
      this.#jobs.add(async () => {
        await this.#look()
        this.#loop?.wake()
      })
    })
  }

  /** Brings sockets in line with the devices that there are. */
  async #look(): Promise<void> {
    const { machine, log } = this.#around
    try {
      const devices = await listDevices(machine.run)
      for (const change of this.#uplinks.update(devices)) this.#apply(change)
    } catch (error) {
      log.write('uplink.unreadable', { why: messageOf(error) })
      this.#planLook(machine.clock.nowUs(), REFUSED_RETRY_US)
    }
  }

  #apply(change: UplinkChange): void {
    const { machine, log } = this.#around
    const { name } = change
    switch (change.kind) {
      case 'waiting':
        log.write('uplink.waiting', { uplink: name, why: change.why })
        // No socket goes with it; the core keeps the sentence for status.
        for (const family of [4, 6] as const) {
          this.core.handleSocketGone(machine.clock.nowUs(), name, family, change.why)
        }
        return
      case 'gone':
        log.write('uplink.waiting', { uplink: name, family: change.family, why: change.why })
        this.core.handleSocketGone(machine.clock.nowUs(), name, change.family, change.why)
        return
      case 'open':
        this.#open(name, change.family)
    }
  }

  #open(name: string, family: Family): void {
    const { machine, log } = this.#around
    const nowUs = machine.clock.nowUs()
    try {
      const { fd } = machine.openUdp({ family, device: name })
      if (!this.core.handleSocket(nowUs, name, family, fd)) {
        machine.closeDescriptor(fd)
        return
      }
      log.write('uplink.opened', { uplink: name, family })
      if (family === 4 && machine.isStrictlyFiltered(name)) {
        log.write('uplink.filtered', {
          uplink: name,
          why: `net.ipv4.conf.${name}.rp_filter is strict; run sysctl -w net.ipv4.conf.all.rp_filter=2`,
        })
      }
    } catch (error) {
      const why = messageOf(error)
      this.#uplinks.handleRefused(name, family, why)
      this.core.handleSocketGone(nowUs, name, family, why)
      log.write('uplink.waiting', { uplink: name, family, why })
      this.#planLook(nowUs, REFUSED_RETRY_US)
    }
  }

  #names(): readonly HostPort[] {
    return this.#config.server === undefined ? this.#server.endpoints : [this.#config.server]
  }

  /** Runs beside the loop: a name server may take seconds to answer. */
  #resolve(): void {
    const { machine, log } = this.#around
    resolveEndpoints(this.#names(), machine.lookup)
      .then(({ endpoints, faults }) => {
        const nowUs = machine.clock.nowUs()
        for (const why of faults) log.write('server.unresolved', { why })
        if (faults.length > 0) {
          this.#loop?.plan('resolve', nowUs + this.#resolveRetryUs, () => this.#resolve())
          this.#resolveRetryUs = Math.min(RESOLVE_RETRY_MOST_US, 2 * this.#resolveRetryUs)
        } else {
          this.#resolveRetryUs = RESOLVE_RETRY_US
        }
        // What was known before is better than nothing.
        if (endpoints.length === 0 || isSame(endpoints, this.#endpoints)) return
        this.#endpoints = endpoints
        log.write('server.resolved', {
          at: endpoints.map(({ address, port }) => formatEndpoint(address, port)).join(','),
        })
        this.core.setEndpoints(nowUs, endpoints)
        this.#loop?.wake()
      })
      .catch((error: unknown) => log.write('server.unresolved', { why: messageOf(error) }))
  }

  #address(): void {
    const inner = this.#inner
    if (inner === undefined) return
    this.#jobs.add(async () => {
      const { machine, log, tun } = this.#around
      const addresses = innerCidrs(inner)
      const { mtuBytes, routes } = this.#config
      const faults = await addressTun(machine.run, { name: tun, mtuBytes, addresses, routes })
      for (const why of faults) log.write('addresses.failed', { why })
      const set = { addresses: texts(addresses), routes: texts(routes) || undefined }
      // Every new session tells the same addresses again.
      if (JSON.stringify(set) === this.#addressed) return
      this.#addressed = JSON.stringify(set)
      log.write('addresses.set', { device: tun, ...set })
    })
  }
}

function texts(cidrs: readonly Cidr[]): string {
  return cidrs.map(formatCidr).join(',')
}

function isSame(a: readonly ServerEndpoint[], b: readonly ServerEndpoint[]): boolean {
  const text = (endpoints: readonly ServerEndpoint[]) =>
    endpoints.map(({ address, port }) => formatEndpoint(address, port)).join()
  return text(a) === text(b)
}
