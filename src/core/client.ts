/**
 * The client: uplinks become paths to one server. Shakes hands on every uplink at once, again before
 * keys are old and whenever no path is left, for ever.
 */
import type { EngineEvent, EventOf } from '../boundary.js'
import { CROSSING } from '../boundary.js'
import { Codec } from '../layout.js'
import { sameOctets } from '../octets.js'
import { CLOSE, CLOSE_REASON, LIMIT, MESSAGE, TIMER } from '../wire.js'
import type { Usage } from './budget.js'
import type { ControlMessage } from './channel.js'
import { type CoreOptions, FEATURES, offerOf } from './context.js'
import { aeadName } from './epochs.js'
import { INSTANCE_BYTES } from './handshake.js'
import { type Credential, type Established, Initiator } from './initiator.js'
import { Meters } from './meters.js'
import { Peer } from './peer.js'
import { DEFAULT_POLICY, encodePolicy, type Policy } from './policy.js'
import type { PathSnapshot } from './snapshot.js'
import { Tunnel } from './tunnel.js'
import { type Family, type ServerEndpoint, Uplink, type UplinkPolicy } from './uplink.js'

export type { Family, ServerEndpoint, UplinkPolicy, UplinkTraits } from './uplink.js'

export interface ClientOptions extends CoreOptions {
  readonly serverPublicKey: Uint8Array
  /** Set until the server knows our key. */
  readonly invitation?: Credential
  /** What metered uplinks have used before, by name. */
  readonly usage?: Readonly<Record<string, Usage>>
}

/** A new session must have a path alive by then, or it was agreed with a server that is gone. */
const FIRST_PATH_WITHIN_US = 5_000_000
/** A server that has revoked us is asked this rarely. */
const REVOKED_RETRY_US = 60_000_000
const SERVER = 0

const closeCodec = new Codec(CLOSE, 'packed')

export class Client extends Tunnel {
  readonly #options: ClientOptions
  readonly #initiator: Initiator
  readonly #server: Peer
  readonly #uplinks = new Map<string, Uplink>()
  /** Taken away and still listened to; an uplink of the same name begins as another path. */
  readonly #leaving = new Set<Uplink>()
  readonly #usedPorts = new Set<number>()
  readonly #meters: Meters
  #invitation: Credential | undefined
  #endpoints: readonly ServerEndpoint[] = []
  #policy: Policy = DEFAULT_POLICY
  /** Name of an uplink that need not exist yet. */
  #primary: string | undefined
  /** What the session is called, by us and by the server; anew whenever there is none. */
  #instance: Uint8Array | undefined
  #serverInstance: Uint8Array | undefined
  #pendingIndex: number | undefined
  #established: Established | undefined
  #rekeyAtUs = Number.POSITIVE_INFINITY
  #startAtUs = Number.POSITIVE_INFINITY
  #firstPathByUs = Number.POSITIVE_INFINITY

  constructor(options: ClientOptions) {
    super(options)
    this.#options = options
    this.#invitation = options.invitation
    this.#meters = new Meters(this.context, options.usage ?? {})
    this.#initiator = new Initiator({
      staticKey: options.staticKey,
      serverPublicKey: options.serverPublicKey,
      offer: offerOf(options),
      random: options.randomBytes,
    })
    this.#server = new Peer(this.context, { id: SERVER, name: 'server', initiator: true })
    // Until it has bound our key, the server drops our packets: their addresses are nobody's.
    if (this.#invitation !== undefined) this.#server.hold()
    this.peers.set(SERVER, this.#server)
    this.context.command({ kind: 'peerAdd', fields: { peer: SERVER, everything: 1 } })
    this.#server.publishProbing()
  }

  get policy(): Policy {
    return this.#policy
  }

  /** The server's addresses, best first. May change while it runs. */
  setEndpoints(nowUs: number, endpoints: readonly ServerEndpoint[]): void {
    this.#endpoints = endpoints
    for (const uplink of this.#uplinks.values()) {
      uplink.setServers(endpoints)
      this.#attach(nowUs, uplink)
    }
    this.#startIfLost(nowUs, 'the addresses of the server are known')
  }

  /** Mode and options; paths follow from the uplinks. */
  setPolicy(nowUs: number, policy: Omit<Policy, 'paths' | 'primary'>, primary?: string): void {
    this.#policy = { ...this.#policy, ...policy }
    this.#primary = primary
    this.#publishPolicy(nowUs)
  }

  /** Adds an uplink or changes how it is used. False when there are as many as can be. */
  setUplink(nowUs: number, name: string, wanted: UplinkPolicy): boolean {
    const known = this.#uplinks.get(name)
    if (known !== undefined) {
      known.setPolicy(wanted)
      this.#meters.judge(nowUs, known)
      this.#publishPolicy(nowUs)
      return true
    }
    const path = this.#freePath() ?? this.#hurry(nowUs)
    if (path === undefined) return false
    const uplink = new Uplink(name, path, wanted)
    uplink.setServers(this.#endpoints)
    this.#uplinks.set(name, uplink)
    this.#server.setPath(nowUs, path, name, undefined)
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
    const uplink = this.#uplinks.get(name)
    if (uplink === undefined) return false
    this.#uplinks.delete(name)
    if (this.#server.epochs.aead === undefined || !uplink.isAttached) {
      this.#dropUplink(nowUs, uplink)
      return true
    }
    uplink.leave(nowUs)
    this.#leaving.add(uplink)
    this.#publishPolicy(nowUs)
    return true
  }

  #dropUplink(nowUs: number, uplink: Uplink): void {
    this.#leaving.delete(uplink)
    // The plan without it goes first, so that nothing is sent into a closed socket, not even the news.
    this.#server.removePath(uplink.path)
    this.#publishPolicy(nowUs)
    for (const port of uplink.ports) this.#closePort(port)
  }

  /** The outside opened a socket on the uplink's device; C owns it from here on. */
  handleSocket(nowUs: number, name: string, family: Family, fd: number): boolean {
    const uplink = this.#uplinks.get(name)
    const port = this.#freePort()
    if (uplink === undefined || port === undefined) return false
    this.#usedPorts.add(port)
    this.context.command({ kind: 'portOpen', fields: { port, family, fd } })
    const before = uplink.setPort(family, port)
    this.#attach(nowUs, uplink)
    if (before !== undefined) this.#closePort(before)
    this.#startIfLost(nowUs, `uplink ${name} is there`)
    return true
  }

  /** The uplink's device or its addresses of this family are gone. `why` is a sentence for status. */
  handleSocketGone(nowUs: number, name: string, family: Family, why: string): void {
    const uplink = this.#uplinks.get(name)
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
    const uplinks = new Map([...this.#uplinks.values()].map((uplink) => [uplink.path, uplink]))
    const leaving = new Set([...this.#leaving].map(({ path }) => path))
    const peers = snapshot.peers.map((peer) => ({
      ...peer,
      paths: peer.paths
        .filter(({ path }) => !leaving.has(path))
        .map((path) => this.#told(path, uplinks.get(path.path))),
    }))
    return { ...snapshot, peers }
  }

  /** A path with what only its uplink knows. */
  #told(path: PathSnapshot, uplink: Uplink | undefined): PathSnapshot {
    if (uplink === undefined) return path
    const used = this.#meters.told(uplink)
    return {
      ...path,
      why: uplink.unavailable || uplink.spent || path.why,
      notes: used === undefined ? path.notes : [...path.notes, used],
    }
  }

  protected handleHandshake(nowUs: number, event: EventOf<'handshake'>): void {
    const message = event.bytes.slice(0, event.length)
    const uplink = this.#uplinkOf(event.port)
    if (uplink === undefined) return
    if (message[0] === MESSAGE.cookie.value) {
      const refused = this.#initiator.handleCookie(nowUs, uplink.path, message)
      if (refused !== undefined) this.refuse(event, refused.refused)
      return
    }
    const answer = this.#initiator.handleResponse(message)
    if ('refused' in answer) {
      // The same answer comes over every uplink; all but the first find nothing under way.
      if (answer.refused !== 'index') this.refuse(event, answer.refused)
      return
    }
    this.#establish(nowUs, answer)
  }

  protected handleConfirmed(nowUs: number, peer: Peer, isNew: boolean): void {
    const established = this.#established
    if (established === undefined) return
    const { payload } = established
    this.#rekeyAtUs = nowUs + TIMER.rekeyAfterUs.value
    this.#firstPathByUs = nowUs + FIRST_PATH_WITHIN_US
    if (!isNew) {
      this.context.fact({ kind: 'session-rekeyed', peer: peer.name })
      // What it answers to was given up.
      if (peer.isHeld) this.#publishPolicy(nowUs)
      return
    }
    for (const uplink of this.#uplinks.values()) {
      uplink.handleDead(nowUs)
      uplink.restartCount()
    }
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
    peer.restart(nowUs)
    this.#rekeyAtUs = Number.POSITIVE_INFINITY
    this.context.fact({ kind: 'session-down', peer: peer.name, why })
    if (isRevoked) {
      this.#initiator.stop()
      this.#startAtUs = nowUs + REVOKED_RETRY_US
    } else {
      this.#start(nowUs, why)
    }
  }

  protected handlePeerChanged(nowUs: number, _peer: Peer, event: EngineEvent): void {
    if (event.kind === 'pathStats') this.#count(nowUs, event)
    if (event.kind !== 'pathAlive' && event.kind !== 'pathLost') return
    const uplink = this.#uplinkOfPath(event.path)
    if (event.kind === 'pathAlive') {
      if (!this.#server.isHeld) this.#firstPathByUs = Number.POSITIVE_INFINITY
      uplink?.handleAlive()
      return
    }
    uplink?.handleDead(nowUs)
    this.#startIfLost(nowUs, 'no path to the server is left')
  }

  /** The server's core, not only its C, has answered: it has bound our key, and the secret has done its work. */
  #handleEnrolled(nowUs: number, peer: Peer): void {
    if (this.#invitation === undefined) return
    this.#invitation = undefined
    peer.admit(nowUs)
    this.context.fact({ kind: 'peer-enrolled', peer: peer.name })
  }

  protected handleRoleTimeout(nowUs: number): void {
    if (this.#server.epochs.handleTimeout(nowUs)) {
      const why = 'its keys are too old and no new ones could be agreed'
      this.context.fact({ kind: 'session-down', peer: this.#server.name, why })
    }
    if (nowUs >= this.#rekeyAtUs) {
      this.#rekeyAtUs = Number.POSITIVE_INFINITY
      this.#initiator.start(nowUs)
    }
    if (nowUs >= this.#startAtUs) this.#start(nowUs, 'trying again')
    if (this.#meters.handleTimeout(nowUs, this.#uplinks.values())) this.#publishPolicy(nowUs)
    if (nowUs >= this.#firstPathByUs) {
      this.#firstPathByUs = Number.POSITIVE_INFINITY
      this.#startIfLost(nowUs, 'no path to the server came alive')
    }
    for (const uplink of this.#leaving) {
      if (nowUs >= uplink.leavesAtUs) this.#dropUplink(nowUs, uplink)
    }
    for (const uplink of this.#uplinks.values()) {
      if (uplink.handleTimeout(nowUs)) this.#attach(nowUs, uplink)
    }
    const dueUs = this.#initiator.nextTimeout()
    if (dueUs !== undefined && nowUs >= dueUs) this.#attempt(nowUs)
  }

  protected nextRoleTimeout(): number {
    return Math.min(
      this.#rekeyAtUs,
      this.#startAtUs,
      this.#firstPathByUs,
      this.#meters.nextTimeout(),
      this.#initiator.nextTimeout() ?? Number.POSITIVE_INFINITY,
      ...[...this.#uplinks.values()].map((uplink) => uplink.nextTimeout()),
      ...[...this.#leaving].map(({ leavesAtUs }) => leavesAtUs),
    )
  }

  #start(nowUs: number, why: string): void {
    this.#startAtUs = Number.POSITIVE_INFINITY
    this.#initiator.start(nowUs)
    this.context.fact({ kind: 'handshake-started', why })
  }

  #startIfLost(nowUs: number, why: string): void {
    const isUnderWay = this.#initiator.nextTimeout() !== undefined
    const canSend = [...this.#uplinks.values()].some(({ ports }) => ports.length > 0)
    if (isUnderWay || !canSend || this.#endpoints.length === 0) return
    if (this.#server.epochs.aead !== undefined && this.#server.hasPathUp) return
    if (Number.isFinite(this.#startAtUs)) return
    this.#start(nowUs, why)
  }

  /** One initiation, on every uplink. */
  #attempt(nowUs: number): void {
    if (this.#pendingIndex !== undefined) this.context.giveIndex(this.#pendingIndex)
    this.#pendingIndex = this.context.takeIndex()
    const hasSession = this.#server.epochs.aead !== undefined
    if (!hasSession) this.#instance = undefined
    this.#instance ??= this.context.options.randomBytes(INSTANCE_BYTES)
    this.#initiator.attempt(nowUs, {
      instance: this.#instance,
      wallUs: this.#options.wallUs(),
      localIndex: this.#pendingIndex,
      ...(this.#invitation === undefined ? {} : { invitation: this.#invitation }),
    })
    for (const uplink of this.#uplinks.values()) {
      if (!hasSession) uplink.countTry()
      const endpoint = uplink.target()
      const payload = this.#initiator.messageFor(nowUs, uplink.path)
      if (endpoint === undefined || payload === undefined) continue
      this.context.command({ kind: 'datagramSend', fields: endpoint, payload })
    }
  }

  #establish(nowUs: number, established: Established): void {
    const { localIndex, remoteIndex, payload, keys } = established
    this.#pendingIndex = undefined
    this.#established = established
    // Also in place of that of the session before, which is nobody's business any more.
    this.#firstPathByUs = nowUs + FIRST_PATH_WITHIN_US
    const before = this.#serverInstance
    const fresh = before === undefined || !sameOctets(payload.instance, before)
    this.#serverInstance = payload.instance
    this.#server.epochs.install(nowUs, {
      localIndex,
      remoteIndex,
      aead: payload.aead,
      features: payload.features & FEATURES,
      keys,
      fresh,
      confirmed: true,
    })
    for (const uplink of this.#uplinks.values()) this.#attach(nowUs, uplink)
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
    const uplinks = [...this.#uplinks.values(), ...this.#leaving]
    const uplink = uplinks.find(({ path }) => path === event.path)
    if (uplink !== undefined && this.#meters.count(nowUs, uplink, event)) this.#publishPolicy(nowUs)
  }

  #publishPolicy(nowUs: number): void {
    const uplinks = [...this.#uplinks.values(), ...this.#leaving]
    const paths = uplinks.map(({ policy }) => policy)
    const primary = this.#primary === undefined ? undefined : this.#uplinks.get(this.#primary)?.path
    this.#policy = { ...this.#policy, primary, paths }
    this.#server.setPolicy(this.#policy)
    if (this.#server.epochs.aead === undefined) return
    const told = { ...this.#policy, paths: uplinks.map((uplink) => uplink.policyForServer) }
    this.#server.channel.send(nowUs, 'policy', encodePolicy(told))
  }

  #uplinkOf(port: number): Uplink | undefined {
    return [...this.#uplinks.values()].find(({ ports }) => ports.includes(port))
  }

  #uplinkOfPath(path: number): Uplink | undefined {
    return [...this.#uplinks.values()].find((uplink) => uplink.path === path)
  }

  #freePath(): number | undefined {
    const used = [...this.#uplinks.values(), ...this.#leaving].map(({ path }) => path)
    return free(LIMIT.paths.value, new Set(used))
  }

  /** Makes room for a path at the cost of those that leave. */
  #hurry(nowUs: number): number | undefined {
    for (const uplink of this.#leaving) this.#dropUplink(nowUs, uplink)
    return this.#freePath()
  }

  #freePort(): number | undefined {
    return free(CROSSING.ports.value, this.#usedPorts)
  }

  #closePort(port: number): void {
    this.#usedPorts.delete(port)
    this.context.command({ kind: 'portClose', fields: { port } })
  }
}

function free(limit: number, used: ReadonlySet<number>): number | undefined {
  for (let candidate = 0; candidate < limit; candidate++) {
    if (!used.has(candidate)) return candidate
  }
  return undefined
}
