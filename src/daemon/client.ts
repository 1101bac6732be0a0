/** The client's daemon: what is wanted of its uplinks, and what is kept and told of it all. */

import type { Setting } from '../config/setting.js'
import type { ClientConfig, TunnelConfig } from '../config/tunnel.js'
import type { UplinkConfig } from '../config/uplink.js'
import { Client } from '../core/client.js'
import type { Fact } from '../core/facts.js'
import type { HostPort } from '../core/hostport.js'
import { inviteId } from '../core/invite.js'
import { equalInConstantTime } from '../core/keys.js'
import { DEFAULT_POLICY } from '../core/policy.js'
import { configError, messageOf } from '../errors.js'
import { formatCidr } from '../net/address.js'
import { raiseTun } from '../net/tundevice.js'
import type { ServerRecord } from '../records.js'
import { Addressing } from './addressing.js'
import { silence } from './facts.js'
import type { Loop } from './loop.js'
import { Masquerading } from './masquerading.js'
import { tellObstacles } from './obstacles.js'
import { reportPeer } from './report.js'
import { Resolver } from './resolver.js'
import { Jobs, policyOf, type Role, type RoleReport, type Surroundings } from './role.js'
import { Sockets } from './sockets.js'
import { timestampMemory } from './timestamps.js'

/** What metered uplinks have used is kept so often: what a crash forgets is less than a minute's. */
const KEEP_USAGE_US = 60_000_000
/** A lease comes in several changes of a device, and later than its carrier. */
const LOOK_AGAIN_US = 1_000_000

export class ClientRole implements Role {
  readonly core: Client
  readonly #around: Surroundings
  readonly #wanted = new Map<string, UplinkConfig>()
  readonly #jobs: Jobs
  readonly #masquerading: Masquerading
  readonly #sockets: Sockets
  readonly #resolver: Resolver
  readonly #addressing: Addressing
  #config: ClientConfig
  readonly #server: ServerRecord
  #loop: Loop | undefined
  /** What is wrong with the server that does not answer; else empty. */
  #silence = ''
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
      timestamps: timestampMemory(around),
      ...(config.mtuBytes === undefined ? {} : { mtuBytes: config.mtuBytes }),
      ...(secret === undefined ? {} : { invitation: { id: inviteId(secret), secret } }),
    })
    this.#jobs = new Jobs((error) =>
      around.log.write('addresses.failed', { why: messageOf(error) }),
    )
    this.#addressing = new Addressing({
      around,
      jobs: this.#jobs,
      uplinks: () => new Set(this.#wanted.keys()),
      routes: () => this.#config.routes,
    })
    this.#masquerading = new Masquerading(around, config.nat)
    this.#sockets = new Sockets(around, this.core, this.#jobs)
    this.#resolver = new Resolver({
      around,
      names: () => this.#names(),
      ways: () => this.#sockets.ways(),
      onFound: (nowUs, endpoints) => this.core.setEndpoints(nowUs, endpoints),
    })
  }

  async start(loop: Loop): Promise<void> {
    this.#loop = loop
    this.#sockets.start(loop)
    this.#addressing.start(loop)
    await raiseTun(this.#around.machine.run, this.#around.tun, this.core.mtuBytes)
    for (const uplink of this.#config.uplinks) this.#add(uplink)
    this.#applyPolicy()
    this.#resolver.start(loop)
    await this.#sockets.look()
    loop.wake()
    await this.#masquerading.start(loop)
  }

  handleFact(nowUs: number, fact: Fact): void {
    switch (fact.kind) {
      case 'links-changed':
        this.#sockets.lookSoon(nowUs)
        this.#addressing.lookAgain(nowUs + LOOK_AGAIN_US)
        return
      case 'addresses':
        this.#addressing.handleTold(fact.own)
        return
      case 'mtu':
        this.#raise()
        return
      case 'peer-enrolled':
        this.#forgetSecret()
        return
      case 'handshake-started':
        this.#resolver.search(nowUs)
        return
      case 'stats':
        this.#loop?.planBy('usage', nowUs + KEEP_USAGE_US, () => this.#keepUsage())
        return
      case 'budget':
        this.#keepUsage()
        return
      case 'handshake-unanswered':
        this.#silence = silence(fact)
        return
      case 'session-up':
      case 'session-rekeyed':
        this.#silence = ''
        this.#resolver.rest()
        return
      case 'path-state':
        if (fact.to === 'up') this.#resolver.rest()
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
        if (setting.uplink.name === this.#around.tun) {
          throw configError('SETTING', `${this.#around.tun} is the tunnel's own device`)
        }
        this.#refuseUplink(setting.uplink.name)
        this.#add(setting.uplink)
        this.#applyPolicy()
        this.#sockets.lookNow(nowUs)
        this.#addressing.lookAgain(nowUs)
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
        this.#addressing.lookAgain(nowUs)
        break
    }
    this.#loop?.wake()
  }

  /** The server that is kept on disk is read at the start: joining another one while this runs changes nothing. */
  refresh(): void {}

  async reload(config: TunnelConfig): Promise<void> {
    if (config.role !== 'client') return
    this.#config = config
    for (const name of [...this.#wanted.keys()]) {
      if (!config.uplinks.some((uplink) => uplink.name === name)) this.#remove(name)
    }
    for (const uplink of config.uplinks) this.#add(uplink)
    this.#applyPolicy()
    this.#resolver.resolve()
    const nowUs = this.#around.machine.clock.nowUs()
    this.core.setMtu(nowUs, config.mtuBytes)
    this.#raise()
    this.#addressing.apply()
    this.#sockets.lookNow(nowUs)
    this.#loop?.wake()
    await this.#jobs.idle()
  }

  async report(nowUs: number): Promise<RoleReport> {
    const { machine } = this.#around
    const { peers } = this.core.snapshot()
    const faults = [this.#resolver.fault, this.#silence, this.#addressing.warning]
    const warning = faults.filter((each) => each !== '').join('; ')
    const told = peers.map((peer) => reportPeer(nowUs, peer, [], warning))
    // What cannot be found out is not told; the rest is.
    const looked = tellObstacles(machine, told, {
      servers: this.#resolver.endpoints,
      familiesOf: (name) => this.#sockets.familiesOf(name),
    }).catch(() => told)
    return {
      mtuBytes: this.core.mtuBytes,
      addresses: this.#addressing.addresses.map(formatCidr),
      endpoints: this.#resolver.texts(),
      peers: await looked,
    }
  }

  async stop(): Promise<void> {
    this.#keepUsage()
    await this.#jobs.idle()
    await this.#masquerading.stop()
  }

  #raise(): void {
    const { machine, tun } = this.#around
    this.#jobs.add(() => raiseTun(machine.run, tun, this.core.mtuBytes))
  }

  /** Where that cannot be kept, the next start shows the server an invitation that is used, which it does not mind. */
  #forgetSecret(): void {
    const { store, log } = this.#around
    const { secret } = this.#server
    try {
      const kept = store.readServer()
      // Since our start another invitation may have been taken, which is for the next one.
      const isOurs = secret && kept?.secret && equalInConstantTime(secret, kept.secret)
      if (isOurs) store.writeServer({ ...kept, secret: undefined })
    } catch (error) {
      log.write('state.unwritten', { why: messageOf(error) })
    }
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

  #add(uplink: UplinkConfig): void {
    const { name, ...traits } = uplink
    if (!this.core.setUplink(this.#around.machine.clock.nowUs(), name, traits)) {
      throw configError(
        'SETTING',
        `${name} cannot be added: there are ${this.#wanted.size} uplinks and no more fit; remove one first`,
      )
    }
    this.#wanted.set(name, uplink)
    this.#sockets.add(name)
  }

  #remove(name: string): void {
    this.#wanted.delete(name)
    this.#sockets.remove(name)
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

  /** What is not said of an uplink that is added is the default: of one that there is, that would undo what was said before. */
  #refuseUplink(name: string): void {
    if (!this.#wanted.has(name)) return
    throw configError(
      'SETTING',
      `${name} is an uplink already; mptun set uplink ${name} TRAIT... changes how it is used`,
    )
  }

  #applyPolicy(): void {
    const { policy } = this.#config
    const nowUs = this.#around.machine.clock.nowUs()
    this.core.setPolicy(nowUs, { ...DEFAULT_POLICY, ...policyOf(policy) }, policy.primary)
  }

  #names(): readonly HostPort[] {
    return this.#config.server === undefined ? this.#server.endpoints : [this.#config.server]
  }
}
