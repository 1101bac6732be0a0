/** Who is a client of the server: one peer for each key that it has answered, until the key is forgotten. */
import { CROSSING } from '../boundary.js'
import { Codec } from '../layout.js'
import { sameOctets } from '../octets.js'
import { CLOSE, CLOSE_REASON } from '../wire.js'
import type { Context } from './context.js'
import type { InnerAddresses } from './facts.js'
import { formatKey } from './keys.js'
import { NO_NAMES } from './names.js'
import { Peer } from './peer.js'
import { DEFAULT_POLICY, type Policy } from './policy.js'
import type { Responder } from './responder.js'
import { Rivals } from './rivals.js'

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
  /** The peer of this name was invited anew and has come with the key that it had: the invitation ends, if it is its own. */
  spend(id: Uint8Array, name: string): void
}

export interface Client {
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
  /** What its paths are called, by their ids. */
  labels: readonly string[]
  /** When its wish was last adopted, and when the next one will be. */
  adoptedUs: number
  adoptAtUs: number
  /** When paths that its policy does not name are forgotten. */
  pruneAtUs: number
}

const closeCodec = new Codec(CLOSE, 'packed')

export class Clients {
  readonly #context: Context
  readonly #registry: Registry
  readonly #responder: Responder
  readonly #peers: Map<number, Peer>
  readonly #clients = new Map<string, Client>()
  readonly #byPeer = new Map<Peer, Client>()
  /** Public keys of those that were clients and may come again, by key, with what they are called. */
  readonly #away = new Map<string, { readonly publicKey: Uint8Array; readonly name: string }>()
  #nextPeer = 0

  /** @param of the server: its peers by their slots in C, which are made and removed here. */
  constructor(
    context: Context,
    of: { registry: Registry; responder: Responder; peers: Map<number, Peer> },
  ) {
    this.#context = context
    this.#registry = of.registry
    this.#responder = of.responder
    this.#peers = of.peers
  }

  /** All of them, as of now: whoever goes through them may forget some. */
  get all(): readonly Client[] {
    return [...this.#clients.values()]
  }

  /** What they are called, and those that are away. */
  get names(): ReadonlySet<string> {
    const present = this.all.map(({ peer }) => peer)
    return new Set([...present, ...this.#away.values()].map(({ name }) => name))
  }

  of(peer: Peer): Client | undefined {
    return this.#byPeer.get(peer)
  }

  /**
   * The client of this key, made where there is none: its peer then begins with `policy`. `invite`: the invitation
   * that it tries. Undefined when the server is full.
   */
  admit(
    publicKey: Uint8Array,
    registered: RegisteredPeer,
    invite: Uint8Array | undefined,
    policy: Policy,
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
    const peer = new Peer(this.#context, { id, name: registered.name, initiator: false })
    this.#peers.set(id, peer)
    const client: Client = {
      key,
      publicKey,
      peer,
      invite,
      instances: undefined,
      rivals: new Rivals(),
      aead: 0,
      policy: DEFAULT_POLICY,
      labels: NO_NAMES,
      adoptedUs: Number.NEGATIVE_INFINITY,
      adoptAtUs: Number.POSITIVE_INFINITY,
      pruneAtUs: Number.POSITIVE_INFINITY,
    }
    this.#clients.set(key, client)
    this.#byPeer.set(peer, client)
    this.#away.delete(key)
    // Whoever holds an invitation gets its addresses when it has shown that it holds the secret.
    this.#addPeer(id, invite === undefined ? registered : undefined)
    peer.publishProbing()
    peer.setPolicy(policy)
    return client
  }

  /** One key at a time tries an invitation, so that its holder cannot fill the server with keys. */
  #forgetTrying(invite: Uint8Array, except: string): void {
    for (const client of [...this.#clients.values()]) {
      const isTrying = client.peer.epochs.aead === undefined && client.key !== except
      if (isTrying && client.invite !== undefined && sameOctets(client.invite, invite)) {
        this.forget(client, 'its invitation is tried by another key')
      }
    }
  }

  #addPeer(peer: number, registered: RegisteredPeer | undefined): void {
    const { ipv4, ipv6 } = registered ?? {}
    this.#context.command({
      kind: 'peerAdd',
      fields: { peer, ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) },
    })
  }

  /** Binds a key that has proved to hold the invitation's secret. False when the invitation has gone meanwhile. */
  enrol(client: Client): boolean {
    if (client.invite === undefined) return true
    const registered = this.#registry.enrol(client.invite, client.publicKey)
    if (registered === undefined) {
      this.expel(client, 'its invitation was used by another key, or its use cannot be kept')
      return false
    }
    client.invite = undefined
    // A new key for an old name takes the name over.
    this.expelNamed(registered.name, 'its name was given to another key', client)
    client.peer.name = registered.name
    this.#addPeer(client.peer.id, registered)
    this.#context.fact({ kind: 'peer-enrolled', peer: registered.name })
    return true
  }

  /** Keeps nothing of the keys of this name. False when none of them was a client's. */
  expelNamed(name: string, why: string, except?: Client): boolean {
    const clients = this.all.filter((client) => client !== except && client.peer.name === name)
    for (const client of clients) this.expel(client, why)
    for (const [key, away] of this.#away) {
      if (away.name === name) this.#forgetKey(key, away.publicKey)
    }
    return clients.length > 0
  }

  /** Says that its key is not welcome, and keeps nothing of it. */
  expel(client: Client, why: string): void {
    this.sayClose(client.peer, CLOSE_REASON.revoked.value)
    this.forget(client, why)
    this.#forgetKey(client.key, client.publicKey)
  }

  #forgetKey(key: string, publicKey: Uint8Array): void {
    this.#away.delete(key)
    this.#responder.forget(publicKey)
  }

  forget(client: Client, why: string): void {
    const { peer } = client
    if (peer.epochs.aead !== undefined) {
      this.#context.fact({ kind: 'session-down', peer: peer.name, why })
    }
    peer.epochs.dropAll()
    // Of a key that never proved anything, not even its time is kept.
    if (client.invite !== undefined) this.#responder.forget(client.publicKey)
    else this.#away.set(client.key, { publicKey: client.publicKey, name: peer.name })
    this.#clients.delete(client.key)
    this.#byPeer.delete(peer)
    this.#peers.delete(peer.id)
    this.#context.command({ kind: 'peerRemove', fields: { peer: peer.id } })
  }

  /** On every path; C may know one that we have not heard of. */
  sayClose(peer: Peer, reason: number): void {
    const paths = peer.pathIds.length > 0 ? peer.pathIds : [CROSSING.noPath.value]
    peer.channel.sendOnce('close', closeCodec.encode({ reason }), paths)
  }

  /** The slot that was left longest ago: events of its former peer may still be under way. */
  #freePeer(): number | undefined {
    const limit = CROSSING.peers.value
    for (let i = 0; i < limit; i++) {
      const id = (this.#nextPeer + i) % limit
      if (this.#peers.has(id)) continue
      this.#nextPeer = id + 1
      return id
    }
    return undefined
  }
}
