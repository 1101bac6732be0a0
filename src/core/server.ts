/**
 * The server: answers handshakes of keys that it knows or has invited, and keeps one peer for each.
 * Nothing is kept of a stranger.
 */
import type { EngineEvent, EventOf } from '../boundary.js'
import { Codec } from '../layout.js'
import { sameOctets } from '../octets.js'
import { CLOSE_REASON, LIMIT, MESSAGE, MTU } from '../wire.js'
import type { ControlMessage } from './channel.js'
import { type Client, Clients, type Registry } from './clients.js'
import { type CoreOptions, FEATURES, offerOf } from './context.js'
import { endpointOf } from './endpoint.js'
import { aeadName } from './epochs.js'
import { INSTANCE_BYTES, NO_INVITE, NO_PSK } from './handshake.js'
import { decodeNames, NO_NAMES } from './names.js'
import type { Peer } from './peer.js'
import { DEFAULT_POLICY, decodePolicy, type Policy } from './policy.js'
import { type Initiation, Responder } from './responder.js'
import { Tunnel } from './tunnel.js'

export interface ServerOptions extends CoreOptions {
  readonly registry: Registry
  /** The server's own will about modes, instead of the clients'. */
  readonly override?: Partial<Omit<Policy, 'paths' | 'primary'>>
}

/** Datagrams and policies overtake each other: for so long a path may be known that no policy names. */
const UNNAMED_US = 5_000_000

/** A plan takes up to 1.5 ms to compile: a client that changes its mind all the time gets 3 % of a core for it. */
const ADOPT_PAUSE_US = 50_000

const mtuCodec = new Codec(MTU, 'packed')

export class Server extends Tunnel {
  readonly #registry: Registry
  readonly #responder: Responder
  readonly #clients: Clients
  #override: Partial<Policy>
  #nextPort = 0

  constructor(options: ServerOptions) {
    super(options)
    this.#registry = options.registry
    this.#override = options.override ?? {}
    this.#responder = new Responder({
      staticKey: options.staticKey,
      offer: offerOf(options),
      random: options.randomBytes,
    })
    this.#clients = new Clients(this.context, {
      registry: options.registry,
      responder: this.#responder,
      peers: this.peers,
    })
  }

  /** The outside opened a listening socket; C owns it from here on. */
  listen(family: 4 | 6, fd: number): void {
    const port = this.#nextPort++
    this.context.command({ kind: 'portOpen', fields: { port, family, fd } })
  }

  /** The server's own will about modes; what is left out follows each client. */
  setOverride(override: Partial<Omit<Policy, 'paths' | 'primary'>>): void {
    this.#override = override
    for (const { peer, policy } of this.#clients.all) {
      peer.setPolicy({ ...policy, ...override })
    }
  }

  /** Of whose keys it knows something. */
  get names(): ReadonlySet<string> {
    return this.#clients.names
  }

  /** Ends the sessions of a peer that was revoked, and forgets its keys. False when it had no session. */
  revoke(name: string): boolean {
    return this.#clients.expelNamed(name, 'revoked')
  }

  close(): void {
    for (const { peer } of this.#clients.all) {
      this.#clients.sayClose(peer, CLOSE_REASON.shutdown.value)
      peer.epochs.dropAll()
    }
  }

  protected handleHandshake(nowUs: number, event: EventOf<'handshake'>): void {
    const message = event.bytes.slice(0, event.length)
    if (message[0] !== MESSAGE.initiation.value) {
      this.refuse(event, 'type')
      return
    }
    const address = event.remote.subarray(0, event.family === 4 ? 4 : 16)
    const source = { address, port: event.remotePort }
    const received = this.#responder.handle(nowUs, source, message)
    switch (received.kind) {
      case 'refused': {
        const { refused, peerPublicKey } = received
        const peer = peerPublicKey && this.#registry.findPeer(peerPublicKey)
        this.refuse(event, refused, peer?.name)
        return
      }
      case 'cookie':
      case 'repeated':
        this.#reply(event, received.message)
        return
      case 'initiation':
        this.#answer(nowUs, event, received.initiation)
    }
  }

  protected handleConfirmed(_nowUs: number, peer: Peer, isNew: boolean): void {
    const client = this.#clients.of(peer)
    if (client === undefined || !this.#clients.enrol(client)) return
    if (isNew) {
      this.#label(client, NO_NAMES)
      const aead = aeadName(client.aead)
      this.context.fact({ kind: 'session-up', peer: peer.name, aead })
    } else {
      this.context.fact({ kind: 'session-rekeyed', peer: peer.name })
    }
  }

  protected handleControl(nowUs: number, peer: Peer, { kind, body }: ControlMessage): void {
    const client = this.#clients.of(peer)
    if (client === undefined) return
    if (kind === 'close') {
      this.#clients.forget(client, 'the client was shut down')
      return
    }
    if (kind === 'mtu') this.#handleMtu(nowUs, peer, body)
    if (kind === 'names') this.#label(client, decodeNames(body))
    if (kind !== 'policy') return
    const policy = decodePolicy(body)
    if (policy === undefined) return
    client.policy = policy
    client.adoptAtUs = client.adoptedUs + ADOPT_PAUSE_US
    if (nowUs >= client.adoptAtUs) this.#adopt(nowUs, client)
  }

  #handleMtu(nowUs: number, peer: Peer, body: Uint8Array): void {
    if (body.length !== mtuCodec.size) return
    const { mtu: bytes } = mtuCodec.decode(body)
    if (bytes < LIMIT.leastMtu.value || bytes > LIMIT.packetBytes.value) return
    peer.handleMtu(nowUs, bytes)
    this.context.fact({ kind: 'peer-mtu', peer: peer.name, bytes })
  }

  #label(client: Client, labels: readonly string[]): void {
    client.labels = labels
    for (const path of client.peer.pathIds) client.peer.setLabel(path, labels[path]!)
  }

  protected override handlePathSeen(nowUs: number, peer: Peer, event: EventOf<'pathSeen'>): void {
    const client = this.#clients.of(peer)
    if (client === undefined) return
    peer.setPath(nowUs, event.path, client.labels[event.path]!, event)
    client.pruneAtUs = nowUs + UNNAMED_US
  }

  protected handlePeerChanged(_nowUs: number, _peer: Peer, _event: EngineEvent): void {}

  protected handleRoleTimeout(nowUs: number): void {
    for (const client of this.#clients.all) {
      const { epochs, name } = client.peer
      if (epochs.handleTimeout(nowUs)) {
        const why = 'nothing was heard until its keys expired'
        this.context.fact({ kind: 'session-down', peer: name, why })
      }
      if (epochs.isEmpty) this.#clients.forget(client, '')
      else if (nowUs >= client.adoptAtUs) this.#adopt(nowUs, client)
      else if (nowUs >= client.pruneAtUs) this.#prune(client)
    }
  }

  /** Epochs are among the peers' own timeouts. */
  protected nextRoleTimeout(): number {
    let nextUs = Number.POSITIVE_INFINITY
    for (const { pruneAtUs, adoptAtUs } of this.#clients.all)
      nextUs = Math.min(nextUs, pruneAtUs, adoptAtUs)
    return nextUs
  }

  #adopt(nowUs: number, client: Client): void {
    client.adoptedUs = nowUs
    client.adoptAtUs = Number.POSITIVE_INFINITY
    this.#prune(client)
    client.peer.setPolicy({ ...client.policy, ...this.#override })
  }

  /** Forgets paths that the client has given up, and those of its last words that came after it had said so. */
  #prune(client: Client): void {
    client.pruneAtUs = Number.POSITIVE_INFINITY
    const { peer, policy } = client
    if (policy === DEFAULT_POLICY) return // it has not spoken yet
    for (const path of peer.pathIds) {
      if (!policy.paths.some((each) => each.path === path)) peer.removePath(path)
    }
  }

  #answer(nowUs: number, event: EventOf<'handshake'>, initiation: Initiation): void {
    const { peerPublicKey, payload } = initiation
    const known = this.#registry.findPeer(peerPublicKey)
    const isInvited = !sameOctets(payload.invite, NO_INVITE)
    const invite =
      known === undefined && isInvited ? this.#registry.findInvite(payload.invite) : undefined
    // Whoever finds it later is not to take the place of the machine that it was for.
    if (known !== undefined && isInvited) this.#registry.spend(payload.invite, known.name)
    const registered = known ?? invite
    const client =
      registered &&
      this.#clients.admit(peerPublicKey, registered, invite && payload.invite, {
        ...DEFAULT_POLICY,
        ...this.#override,
      })
    if (registered === undefined || client === undefined) {
      this.#responder.dismiss(initiation)
      if (registered === undefined) this.refuse(event, 'stranger')
      else this.refuse(event, 'full', registered.name)
      return
    }
    const localIndex = this.context.takeIndex()
    const { server } = this.#registry
    const fresh =
      client.peer.epochs.aead === undefined ||
      client.instances === undefined ||
      !sameOctets(payload.instance, client.instances.theirs)
    const instance = fresh
      ? this.context.options.randomBytes(INSTANCE_BYTES)
      : client.instances!.ours
    const answer = this.#responder.answer(nowUs, initiation, {
      psk: invite?.secret ?? NO_PSK,
      localIndex,
      assignment: {
        instance,
        ipv4: registered.ipv4,
        ipv4Prefix: server.ipv4Prefix,
        ipv6: registered.ipv6,
        ipv6Prefix: server.ipv6Prefix,
        serverIpv4: server.ipv4,
        serverIpv6: server.ipv6,
      },
    })
    if ('refused' in answer) {
      this.context.giveIndex(localIndex)
      this.refuse(event, answer.refused)
      return
    }
    const { aead } = initiation
    const before = client.instances?.theirs
    if (before !== undefined && client.rivals.handleTurn(nowUs, before, payload.instance)) {
      this.context.fact({ kind: 'key-shared', peer: client.peer.name, from: event })
    }
    client.instances = { theirs: payload.instance, ours: instance }
    client.aead = aead
    client.peer.epochs.install(nowUs, {
      localIndex,
      remoteIndex: initiation.remoteIndex,
      aead,
      features: payload.features & FEATURES,
      keys: answer.keys,
      fresh,
      confirmed: false,
    })
    this.#reply(event, answer.message)
  }

  #reply(event: EventOf<'handshake'>, payload: Uint8Array): void {
    this.context.command({ kind: 'datagramSend', fields: endpointOf(event), payload })
  }
}
