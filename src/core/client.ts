/** The client: uplinks become paths to one server. */
import type { EngineEvent, EventOf } from '../boundary.js'
import { Codec } from '../layout.js'
import { sameOctets } from '../octets.js'
import { CLOSE, CLOSE_REASON, MTU } from '../wire.js'
import type { Usage } from './budget.js'
import type { ControlMessage } from './channel.js'
import { Dialer, type DialerOptions } from './dialer.js'
import { aeadName } from './epochs.js'
import { BASE_MTU_BYTES, InnerMtu } from './innermtu.js'
import { Meters } from './meters.js'
import { encodeNames } from './names.js'
import type { Family } from './pathmtu.js'
import { Peer } from './peer.js'
import { DEFAULT_POLICY, encodePolicy, type Policy } from './policy.js'
import { Roster } from './roster.js'
import type { PathSnapshot } from './snapshot.js'
import type { UplinkPolicy } from './terms.js'
import { Tunnel } from './tunnel.js'
import type { ServerEndpoint, Uplink } from './uplink.js'

export type { Family } from './pathmtu.js'
export type { UplinkPolicy, UplinkTraits } from './terms.js'
export type { ServerEndpoint } from './uplink.js'

export interface ClientOptions extends DialerOptions {
  /** What metered uplinks have used before, by name. */
  readonly usage?: Readonly<Record<string, Usage>>
  /** Of the TUN, LIMIT.leastMtu to LIMIT.packetBytes; left out: what passes every path whole. */
  readonly mtuBytes?: number
}

const SERVER = 0

const closeCodec = new Codec(CLOSE, 'packed')
const mtuCodec = new Codec(MTU, 'packed')

export class Client extends Tunnel {
  readonly #server: Peer
  readonly #roster = new Roster()
  readonly #dialer: Dialer
  readonly #meters: Meters
  readonly #foundMtu: InnerMtu
  #wantedMtuBytes: number | undefined
  /** As the server and the outside were told last. */
  #toldMtuBytes: number | undefined
  #toldNames: Uint8Array | undefined
  #policy: Policy = DEFAULT_POLICY
  /** Name of an uplink that need not exist yet. */
  #primary: string | undefined

  constructor(options: ClientOptions) {
    super(options)
    this.#meters = new Meters(this.context, options.usage ?? {})
    this.#server = new Peer(this.context, { id: SERVER, name: 'server', initiator: true })
    // Until it has bound our key, the server drops our packets: their addresses are nobody's.
    if (options.invitation !== undefined) this.#server.hold()
    this.#dialer = new Dialer(this.context, options, this.#server, this.#roster)
    this.#foundMtu = new InnerMtu(this.#server)
    this.#wantedMtuBytes = options.mtuBytes
    this.peers.set(SERVER, this.#server)
    this.context.command({ kind: 'peerAdd', fields: { peer: SERVER, everything: 1 } })
    this.#server.publishProbing()
  }

  get policy(): Policy {
    return this.#policy
  }

  /** Largest inner packet, for the TUN. */
  get mtuBytes(): number {
    return this.#wantedMtuBytes ?? this.#foundMtu.bytes ?? BASE_MTU_BYTES
  }

  /** LIMIT.leastMtu to LIMIT.packetBytes; undefined: what passes every path whole. */
  setMtu(nowUs: number, bytes: number | undefined): void {
    this.#wantedMtuBytes = bytes
    this.#tellMtu(nowUs)
  }

  /** The server's addresses, best first. May change while it runs. */
  setEndpoints(nowUs: number, endpoints: readonly ServerEndpoint[]): void {
    this.#roster.setServers(endpoints)
    for (const uplink of this.#roster.present) this.#attach(nowUs, uplink)
    this.#dialer.startIfLost(nowUs, 'the addresses of the server are known')
  }

  /** Mode and options; paths follow from the uplinks. */
  setPolicy(nowUs: number, policy: Omit<Policy, 'paths' | 'primary'>, primary?: string): void {
    this.#policy = { ...this.#policy, ...policy }
    this.#primary = primary
    this.#publishPolicy(nowUs)
  }

  /** Adds an uplink or changes how it is used. False when there are as many as can be. */
  setUplink(nowUs: number, name: string, wanted: UplinkPolicy): boolean {
    const known = this.#roster.named(name)
    if (known !== undefined) {
      known.terms.change(wanted)
      this.#meters.judge(nowUs, known)
      this.#publishPolicy(nowUs)
      return true
    }
    const uplink = this.#roster.add(name, wanted) ?? this.#hurry(nowUs, name, wanted)
    if (uplink === undefined) return false
    this.#server.setPath(nowUs, uplink.path, name, undefined)
    this.#meters.judge(nowUs, uplink)
    this.#publishPolicy(nowUs)
    return true
  }

  /** What metered uplinks have used, by name: to be kept across restarts. */
  usage(): Record<string, Usage> {
    return this.#meters.usage()
  }

  /** Takes an uplink away. Nothing is lost: it is listened to until the server has stopped using it. */
  removeUplink(nowUs: number, name: string): boolean {
    const uplink = this.#roster.named(name)
    if (uplink === undefined) return false
    if (this.#server.epochs.aead === undefined || !uplink.isAttached) {
      this.#dropUplink(nowUs, uplink)
      return true
    }
    this.#roster.leave(nowUs, uplink)
    this.#publishPolicy(nowUs)
    return true
  }

  #dropUplink(nowUs: number, uplink: Uplink): void {
    this.#roster.forget(uplink)
    // The plan without it goes first, so that nothing is sent into a closed socket, not even the news.
    this.#server.removePath(uplink.path)
    this.#foundMtu.removePath(uplink.path)
    this.#publishPolicy(nowUs)
    for (const port of uplink.ports) this.#closePort(port)
  }

  /** The outside opened a socket on the uplink's device; C owns it from here on. */
  handleSocket(nowUs: number, name: string, family: Family, fd: number): boolean {
    const uplink = this.#roster.named(name)
    // Where all numbers are in use it is one of its own that it replaces: C closes that socket before.
    const port = uplink && (this.#roster.takePort() ?? uplink.removePort(family, ''))
    if (uplink === undefined || port === undefined) return false
    this.context.command({ kind: 'portOpen', fields: { port, family, fd } })
    const before = uplink.setPort(family, port)
    this.#attach(nowUs, uplink)
    if (before !== undefined) this.#closePort(before)
    this.#dialer.startIfLost(nowUs, `uplink ${name} is there`)
    return true
  }

  /** The uplink's device or its addresses of this family are gone. `why` is a sentence for status. */
  handleSocketGone(nowUs: number, name: string, family: Family, why: string): void {
    const uplink = this.#roster.named(name)
    const port = uplink?.removePort(family, why)
    if (uplink === undefined || port === undefined) return
    this.#attach(nowUs, uplink)
    this.#closePort(port)
  }

  close(): void {
    const body = closeCodec.encode({ reason: CLOSE_REASON.shutdown.value })
    this.#server.channel.sendOnce('close', body, this.#server.pathIds)
    this.#server.epochs.dropAll()
  }

  override snapshot() {
    const snapshot = super.snapshot()
    const leaving = new Set(this.#roster.leaving.map(({ path }) => path))
    const peers = snapshot.peers.map((peer) => ({
      ...peer,
      paths: peer.paths
        .filter(({ path }) => !leaving.has(path))
        .map((path) => this.#told(path, this.#roster.withPath(path.path))),
    }))
    return { ...snapshot, peers }
  }

  /** A path with what only its uplink knows. */
  #told(path: PathSnapshot, uplink: Uplink | undefined): PathSnapshot {
    if (uplink === undefined) return path
    const { mode } = this.#policy
    const own = [
      uplink.terms.toldServer(mode),
      this.#meters.told(uplink),
      uplink.terms.slowed(mode),
      this.#foundMtu.told(uplink.path),
    ]
    const spent = uplink.terms.policies(mode).own.spent ? uplink.terms.spent : undefined
    return {
      ...path,
      why: uplink.unavailable || uplink.unreachable || spent || path.why,
      notes: [...path.notes, ...own.filter((note) => note !== undefined)],
    }
  }

  protected handleHandshake(nowUs: number, event: EventOf<'handshake'>): void {
    const message = event.bytes.slice(0, event.length)
    const uplink = this.#roster.withPort(event.port)
    if (uplink === undefined) return
    const outcome = this.#dialer.handle(nowUs, uplink.path, message)
    if (outcome === undefined) return
    if (outcome !== 'agreed') this.refuse(event, outcome.refused)
    else for (const each of this.#roster.present) this.#attach(nowUs, each)
  }

  protected handleConfirmed(nowUs: number, peer: Peer, isNew: boolean): void {
    const payload = this.#dialer.handleConfirmed(nowUs)
    if (payload === undefined) return
    if (!isNew) {
      this.context.fact({ kind: 'session-rekeyed', peer: peer.name })
      return
    }
    for (const uplink of this.#roster.present) {
      uplink.handleDead(nowUs)
      uplink.restartCount()
    }
    this.#toldMtuBytes = this.#toldNames = undefined
    this.#tellMtu(nowUs)
    const aead = aeadName(payload.aead)
    this.context.fact({ kind: 'session-up', peer: peer.name, aead })
    const { ipv4, ipv4Prefix, ipv6, ipv6Prefix, serverIpv4, serverIpv6 } = payload
    this.context.fact({
      kind: 'addresses',
      own: { ipv4, ipv4Prefix, ipv6, ipv6Prefix },
      server: { ipv4: serverIpv4, ipv4Prefix: 32, ipv6: serverIpv6, ipv6Prefix: 128 },
    })
    this.#publishPolicy(nowUs)
  }

  protected handleControl(nowUs: number, peer: Peer, { kind, body }: ControlMessage): void {
    if (kind === 'ack') this.#handleEnrolled(nowUs, peer)
    if (kind !== 'close' || body.length !== closeCodec.size) return
    // The same word comes over every path; the first has ended the session.
    if (peer.epochs.aead === undefined) return
    const isRevoked = closeCodec.decode(body).reason === CLOSE_REASON.revoked.value
    const why = isRevoked
      ? 'the server has revoked this key: ask for a new invitation'
      : 'the server was shut down'
    peer.epochs.dropAll()
    this.#endSession(nowUs, why, isRevoked)
  }

  /** C has no keys any more. */
  #endSession(nowUs: number, why: string, isRevoked = false): void {
    this.#server.restart(nowUs, why)
    this.context.fact({ kind: 'session-down', peer: this.#server.name, why })
    this.#dialer.handleClosed(nowUs, isRevoked, why)
  }

  protected handlePeerChanged(nowUs: number, _peer: Peer, event: EngineEvent): void {
    switch (event.kind) {
      case 'pathStats':
        this.#count(nowUs, event)
        return
      case 'sizeEchoed':
        this.#foundMtu.handleEcho(nowUs, event.path, event.octets)
        this.#tellMtu(nowUs)
        return
      case 'pathMoved':
        this.#roster.withPath(event.path)?.handleMoved(event)
        return
      case 'pathAlive': {
        if (!this.#server.isHeld) this.#dialer.handleAlive()
        const uplink = this.#roster.withPath(event.path)
        if (uplink === undefined) return
        uplink.handleAlive()
        this.#foundMtu.handleAlive(nowUs, event.path, uplink.family)
        return
      }
      case 'pathLost':
        this.#roster.withPath(event.path)?.handleDead(nowUs)
        this.#foundMtu.handleLost(nowUs, event.path)
        this.#dialer.startIfLost(nowUs, 'no path to the server is left')
    }
  }

  /** The server's core, not only its C, has answered: it has bound our key. */
  #handleEnrolled(nowUs: number, peer: Peer): void {
    if (!this.#dialer.handleEnrolled()) return
    peer.admit(nowUs)
    this.context.fact({ kind: 'peer-enrolled', peer: peer.name })
  }

  protected handleRoleTimeout(nowUs: number): void {
    if (this.#server.epochs.handleTimeout(nowUs)) {
      this.#endSession(nowUs, 'its keys are too old and no new ones could be agreed')
    }
    this.#dialer.handleTimeout(nowUs)
    this.#foundMtu.handleTimeout(nowUs)
    this.#tellMtu(nowUs)
    if (this.#meters.handleTimeout(nowUs, this.#roster.present)) this.#publishPolicy(nowUs)
    for (const uplink of this.#roster.leaving) {
      if (nowUs >= uplink.leavesAtUs) this.#dropUplink(nowUs, uplink)
    }
    for (const uplink of this.#roster.present) {
      if (uplink.handleTimeout(nowUs)) this.#attach(nowUs, uplink)
    }
    this.#dialer.attemptIfDue(nowUs)
  }

  protected nextRoleTimeout(): number {
    return Math.min(
      this.#dialer.nextTimeout(),
      this.#meters.nextTimeout(),
      this.#foundMtu.nextTimeout(),
      ...this.#roster.present.map((uplink) => uplink.nextTimeout()),
      ...this.#roster.leaving.map(({ leavesAtUs }) => leavesAtUs),
    )
  }

  /** Gives C a path for the uplink, where it has a socket and the server an address that match. */
  #attach(nowUs: number, uplink: Uplink): void {
    if (this.#server.epochs.isEmpty) return
    const endpoint = uplink.attach(nowUs)
    if (endpoint === undefined) return
    this.#server.setPath(nowUs, uplink.path, uplink.name, endpoint)
    this.context.command({
      kind: 'pathAdd',
      fields: { ...endpoint, peer: SERVER, path: uplink.path },
    })
  }

  #count(nowUs: number, event: EventOf<'pathStats'>): void {
    const uplink = this.#roster.all.find(({ path }) => path === event.path)
    if (uplink === undefined) return
    const bytes = uplink.takeCount(event)
    this.#foundMtu.handleCarried(nowUs, event.path, bytes)
    if (this.#meters.count(nowUs, uplink, bytes)) this.#publishPolicy(nowUs)
  }

  /** Nothing, as long as nothing is known. */
  #tellMtu(nowUs: number): void {
    const mtu = this.#wantedMtuBytes ?? this.#foundMtu.bytes
    if (mtu === undefined || mtu === this.#toldMtuBytes) return
    if (this.#server.epochs.aead === undefined) return
    this.#toldMtuBytes = mtu
    this.#server.handleMtu(nowUs, mtu)
    this.#server.channel.send(nowUs, 'mtu', mtuCodec.encode({ mtu }))
    this.context.fact({ kind: 'mtu', bytes: mtu })
  }

  #publishPolicy(nowUs: number): void {
    const policies = this.#roster.all.map(({ terms }) => terms.policies(this.#policy.mode))
    const paths = policies.map(({ own }) => own)
    const primary =
      this.#primary === undefined ? undefined : this.#roster.named(this.#primary)?.path
    this.#policy = { ...this.#policy, primary, paths }
    this.#server.setPolicy(this.#policy)
    if (this.#server.epochs.aead === undefined) return
    const told = { ...this.#policy, paths: policies.map(({ servers }) => servers) }
    this.#server.channel.send(nowUs, 'policy', encodePolicy(told))
    this.#tellNames(nowUs)
  }

  #tellNames(nowUs: number): void {
    const names = encodeNames(this.#roster.all)
    if (this.#toldNames !== undefined && sameOctets(names, this.#toldNames)) return
    this.#toldNames = names
    this.#server.channel.send(nowUs, 'names', names)
  }

  /** Makes room for an uplink at the cost of those that leave. */
  #hurry(nowUs: number, name: string, wanted: UplinkPolicy): Uplink | undefined {
    for (const uplink of this.#roster.leaving) this.#dropUplink(nowUs, uplink)
    return this.#roster.add(name, wanted)
  }

  #closePort(port: number): void {
    this.#roster.givePort(port)
    this.context.command({ kind: 'portClose', fields: { port } })
  }
}
