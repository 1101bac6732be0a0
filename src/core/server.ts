/**
 * The server: answers handshakes of keys that it knows or has invited, and keeps one peer for each.
 * Nothing is kept of a stranger.
 */
import { CROSSING, type EngineEvent, type EventOf } from '../boundary.js'
import { Codec } from '../layout.js'
import { sameOctets } from '../octets.js'
import { CLOSE, CLOSE_REASON, LIMIT, MESSAGE, MTU } from '../wire.js'
import type { ControlMessage } from './channel.js'
import { type CoreOptions, FEATURES, offerOf } from './context.js'
import { endpointOf } from './endpoint.js'
import { aeadName } from './epochs.js'
import type { InnerAddresses } from './facts.js'
import { INSTANCE_BYTES, NO_INVITE, NO_PSK } from './handshake.js'
import { formatKey } from './keys.js'
import { Peer } from './peer.js'
import { DEFAULT_POLICY, decodePolicy, type Policy } from './policy.js'
import { type Initiation, Responder } from './responder.js'
import { Rivals } from './rivals.js'
import { Tunnel } from './tunnel.js'

export interface RegisteredPeer {
  readonly name: string
  readonly ipv4: Uint8Array
  readonly ipv6: Uint8Array
}

export interface Invite extends RegisteredPeer {
  readonly secret: Uint8Array
}

/** Who may come in. The outside keeps it on disk; look-ups are of the present moment. */
export interface Registry {
  readonly server: InnerAddresses
  findPeer(publicKey: Uint8Array): RegisteredPeer | undefined
  /** An invitation that has neither expired nor been used, and the addresses kept for it. */
  findInvite(id: Uint8Array): Invite | undefined
  /** Binds the key to the invitation's name, for good, and ends the invitation. Undefined when it is gone. */
  enrol(id: Uint8Array, publicKey: Uint8Array): RegisteredPeer | undefined
}

export interface ServerOptions extends CoreOptions {
  readonly registry: Registry
  /** The server's own will about modes, instead of the clients'. */
  readonly override?: Partial<Omit<Policy, 'paths' | 'primary'>>
}

interface Client {
  readonly key: string
  readonly publicKey: Uint8Array
  readonly peer: Peer
  /** Not enrolled yet: the invitation that its key is to be bound to. */
  invite: Uint8Array | undefined
  /** What its session is called, by itself and by us. */
  instances: { readonly theirs: Uint8Array; readonly ours: Uint8Array } | undefined
  readonly rivals: Rivals
  aead: number
  /** What it wishes itself. */
  policy: Policy
  /** When its wish was last adopted, and when the next one will be. */
  adoptedUs: number
  adoptAtUs: number
  /** When paths that its policy does not name are forgotten. */
  pruneAtUs: number
}

/** Datagrams and policies overtake each other: for so long a path may be known that no policy names. */
const UNNAMED_US = 5_000_000

/** A plan takes up to 1.5 ms to compile: a client that changes its mind all the time gets 3 % of a core for it. */
const ADOPT_PAUSE_US = 50_000

const closeCodec = new Codec(CLOSE, 'packed')
const mtuCodec = new Codec(MTU, 'packed')

export class Server extends Tunnel {
  readonly #registry: Registry
  readonly #responder: Responder
  readonly #clients = new Map<string, Client>()
  #override: Partial<Policy>
  #nextPort = 0
  #nextPeer = 0

  constructor(options: ServerOptions) {
    super(options)
    this.#registry = options.registry
    this.#override = options.override ?? {}
    this.#responder = new Responder({
      staticKey: options.staticKey,
      offer: offerOf(options),
      random: options.randomBytes,
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
    for (const { peer, policy } of this.#clients.values()) {
      peer.setPolicy({ ...policy, ...override })
    }
  }

  /** Ends the sessions of a peer that was revoked. False when it had none. */
  revoke(name: string): boolean {
    const clients = [...this.#clients.values()].filter(({ peer }) => peer.name === name)
    for (const client of clients) {
      this.#sayClose(client.peer, CLOSE_REASON.revoked.value)
      this.#responder.forget(client.publicKey)
      this.#forget(client, 'revoked')
    }
    return clients.length > 0
  }

  close(): void {
    for (const { peer } of this.#clients.values()) {
      this.#sayClose(peer, CLOSE_REASON.shutdown.value)
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
    const client = this.#clientOf(peer)
    if (client === undefined || !this.#enrol(client)) return
    if (isNew) {
      const aead = aeadName(client.aead)
      this.context.fact({ kind: 'session-up', peer: peer.name, aead })
    } else {
      this.context.fact({ kind: 'session-rekeyed', peer: peer.name })
    }
  }

  protected handleControl(nowUs: number, peer: Peer, { kind, body }: ControlMessage): void {
    const client = this.#clientOf(peer)
    if (client === undefined) return
    if (kind === 'close') {
      this.#forget(client, 'the client was shut down')
      return
    }
    if (kind === 'mtu') this.#handleMtu(peer, body)
    if (kind !== 'policy') return
    const policy = decodePolicy(body)
    if (policy === undefined) return
    client.policy = policy
    client.adoptAtUs = client.adoptedUs + ADOPT_PAUSE_US
    if (nowUs >= client.adoptAtUs) this.#adopt(nowUs, client)
  }

  #handleMtu(peer: Peer, body: Uint8Array): void {
    if (body.length !== mtuCodec.size) return
    const { mtu: bytes } = mtuCodec.decode(body)
    if (bytes < LIMIT.leastMtu.value || bytes > LIMIT.packetBytes.value) return
    this.context.fact({ kind: 'peer-mtu', peer: peer.name, bytes })
  }

  protected override handlePathSeen(nowUs: number, peer: Peer, event: EventOf<'pathSeen'>): void {
    peer.setPath(nowUs, event.path, `path ${event.path}`, event)
    const client = this.#clientOf(peer)
    if (client !== undefined) client.pruneAtUs = nowUs + UNNAMED_US
  }

  protected handlePeerChanged(_nowUs: number, _peer: Peer, _event: EngineEvent): void {}

  protected handleRoleTimeout(nowUs: number): void {
    for (const client of [...this.#clients.values()]) {
      const { epochs, name } = client.peer
      if (epochs.handleTimeout(nowUs)) {
        const why = 'nothing was heard until its keys expired'
        this.context.fact({ kind: 'session-down', peer: name, why })
      }
      if (epochs.isEmpty) this.#forget(client, '')
      else if (nowUs >= client.adoptAtUs) this.#adopt(nowUs, client)
      else if (nowUs >= client.pruneAtUs) this.#prune(client)
    }
  }

  /** Epochs are among the peers' own timeouts. */
  protected nextRoleTimeout(): number {
    const times = [...this.#clients.values()].flatMap((each) => [each.pruneAtUs, each.adoptAtUs])
    return Math.min(Number.POSITIVE_INFINITY, ...times)
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
    const registered = known ?? invite
    const client =
      registered && this.#clientFor(peerPublicKey, registered, invite && payload.invite)
    if (registered === undefined || client === undefined) {
      this.#responder.dismiss(initiation)
      this.refuse(event, 'stranger')
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

  #clientFor(
    publicKey: Uint8Array,
    registered: RegisteredPeer,
    invite: Uint8Array | undefined,
  ): Client | undefined {
    const key = formatKey(publicKey)
    if (invite !== undefined) this.#forgetTrying(invite, key)
    const known = this.#clients.get(key)
    if (known !== undefined) {
      known.invite = invite
      return known
    }
    const id = this.#freePeer()
    if (id === undefined) return undefined
    const peer = new Peer(this.context, { id, name: registered.name, initiator: false })
    this.peers.set(id, peer)
    const client: Client = {
      key,
      publicKey,
      peer,
      invite,
      instances: undefined,
      rivals: new Rivals(),
      aead: 0,
      policy: DEFAULT_POLICY,
      adoptedUs: Number.NEGATIVE_INFINITY,
      adoptAtUs: Number.POSITIVE_INFINITY,
      pruneAtUs: Number.POSITIVE_INFINITY,
    }
    this.#clients.set(key, client)
    // Whoever holds an invitation gets its addresses when it has shown that it holds the secret.
    this.#addPeer(id, invite === undefined ? registered : undefined)
    peer.publishProbing()
    peer.setPolicy({ ...DEFAULT_POLICY, ...this.#override })
    return client
  }

  /** One key at a time tries an invitation, so that its holder cannot fill the server with keys. */
  #forgetTrying(invite: Uint8Array, except: string): void {
    for (const client of [...this.#clients.values()]) {
      const isTrying = client.peer.epochs.aead === undefined && client.key !== except
      if (isTrying && client.invite !== undefined && sameOctets(client.invite, invite)) {
        this.#forget(client, 'its invitation is tried by another key')
      }
    }
  }

  #addPeer(peer: number, registered: RegisteredPeer | undefined): void {
    const { ipv4, ipv6 } = registered ?? {}
    this.context.command({
      kind: 'peerAdd',
      fields: { peer, ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) },
    })
  }

  /** Binds a key that has proved to hold the invitation's secret. False when the invitation has gone meanwhile. */
  #enrol(client: Client): boolean {
    if (client.invite === undefined) return true
    const registered = this.#registry.enrol(client.invite, client.publicKey)
    if (registered === undefined) {
      this.#sayClose(client.peer, CLOSE_REASON.revoked.value)
      this.#forget(client, 'its invitation was used by another key, or its use cannot be kept')
      return false
    }
    client.invite = undefined
    // A new key for an old name takes the name over.
    for (const other of [...this.#clients.values()]) {
      if (other !== client && other.peer.name === registered.name) {
        this.#sayClose(other.peer, CLOSE_REASON.revoked.value)
        this.#forget(other, 'its name was given to another key')
      }
    }
    client.peer.name = registered.name
    this.#addPeer(client.peer.id, registered)
    this.context.fact({ kind: 'peer-enrolled', peer: registered.name })
    return true
  }

  #forget(client: Client, why: string): void {
    const { peer } = client
    if (peer.epochs.aead !== undefined) {
      this.context.fact({ kind: 'session-down', peer: peer.name, why })
    }
    peer.epochs.dropAll()
    // Of a key that never proved anything, not even its time is kept.
    if (client.invite !== undefined) this.#responder.forget(client.publicKey)
    this.#clients.delete(client.key)
    this.peers.delete(peer.id)
    this.context.command({ kind: 'peerRemove', fields: { peer: peer.id } })
  }

  /** On every path; C may know one that we have not heard of. */
  #sayClose(peer: Peer, reason: number): void {
    const paths = peer.pathIds.length > 0 ? peer.pathIds : [CROSSING.noPath.value]
    peer.channel.sendOnce('close', closeCodec.encode({ reason }), paths)
  }

  #reply(event: EventOf<'handshake'>, payload: Uint8Array): void {
    this.context.command({ kind: 'datagramSend', fields: endpointOf(event), payload })
  }

  #clientOf(peer: Peer): Client | undefined {
    return [...this.#clients.values()].find((client) => client.peer === peer)
  }

  /** The slot that was left longest ago: events of its former peer may still be under way. */
  #freePeer(): number | undefined {
    const limit = CROSSING.peers.value
    for (let i = 0; i < limit; i++) {
      const id = (this.#nextPeer + i) % limit
      if (this.peers.has(id)) continue
      this.#nextPeer = id + 1
      return id
    }
    return undefined
  }
}
