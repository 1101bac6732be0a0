/** Who may come in, as the server's core asks it: the store's peers and invitations, with addresses from the pools. */

import type { Invite, RegisteredPeer, Registry } from './core/clients.js'
import type { InnerAddresses } from './core/facts.js'
import { MptunError } from './errors.js'
import { addressAt, type Cidr, contains, formatCidr, sizeOf } from './net/address.js'
import type { PeerRecord } from './records.js'
import type { Store } from './store.js'

export interface Pools {
  readonly ipv4: Cidr
  readonly ipv6: Cidr
}

/** The inner addresses of one peer. */
type InnerPair = Pick<RegisteredPeer, 'ipv4' | 'ipv6'>

interface Entry extends PeerRecord {
  readonly name: string
}

/** The server has the first address behind the network's own. */
const SERVER_INDEX = 1n

/** Damaged files are read anew no more often, however many handshakes come: strangers can begin some. */
const READ_AGAIN_S = 1

export interface RegistryOptions {
  readonly store: Store
  readonly pools: Pools
  /** The time of day, seconds since 1970: invitations expire by it. */
  readonly nowS: () => number
  /** A file of the store cannot be read or written: whoever it is about stays outside, the others come in. */
  readonly onFault: (fault: MptunError, deed: 'read' | 'write') => void
  /** There is no address for whoever has this name, and why: a sentence. */
  readonly onShortage: (name: string, why: string) => void
}

export class StoreRegistry implements Registry {
  readonly server: InnerAddresses
  readonly #store: Store
  readonly #pools: Pools
  readonly #nowS: () => number
  readonly #onFault: RegistryOptions['onFault']
  readonly #onShortage: RegistryOptions['onShortage']
  #stamp: string | undefined
  /** By public key; a copy of the store as of #stamp. */
  #peers: ReadonlyMap<string, Entry> = new Map()
  /** Names whose files could not be read then, with the addresses that they had when they last could. */
  #unread: ReadonlyMap<string, InnerPair | undefined> = new Map()
  /** When that was tried last. */
  #unreadAtS = 0
  /** Addresses promised to invitations in use, by id. */
  readonly #promised = new Map<string, bigint>()

  constructor({ store, pools, nowS, onFault, onShortage }: RegistryOptions) {
    this.#store = store
    this.#pools = pools
    this.#nowS = nowS
    this.#onFault = onFault
    this.#onShortage = onShortage
    this.server = {
      ipv4: addressAt(pools.ipv4, SERVER_INDEX),
      ipv4Prefix: pools.ipv4.prefix,
      ipv6: addressAt(pools.ipv6, SERVER_INDEX),
      ipv6Prefix: pools.ipv6.prefix,
    }
  }

  /**
   * Gives new addresses to peers whose old ones lie outside of the pools, are not for peers there, or are those of a peer
   * that has been here for longer; their names.
   */
  settle(): string[] {
    const { ipv4, ipv6 } = this.#pools
    const taken = new Set([...reserved(ipv4), ...reserved(ipv6)].map(hex))
    const misplaced = [...this.#load().values()]
      .sort((a, b) => a.created - b.created)
      .filter((entry) => {
        const fits = contains(ipv4, entry.ipv4) && contains(ipv6, entry.ipv6)
        const texts = [hex(entry.ipv4), hex(entry.ipv6)]
        if (!fits || texts.some((text) => taken.has(text))) return true
        for (const text of texts) taken.add(text)
        return false
      })
    return misplaced.flatMap(({ name, publicKey, created }) => {
      const index = this.#freeIndex(name)
      if (index === undefined) return []
      this.#store.writePeer(name, { publicKey, created, ...this.#addresses(index) })
      this.refresh()
      return [name]
    })
  }

  /** Forgets what was read: somebody else may have changed the store. */
  refresh(): void {
    this.#stamp = undefined
  }

  names(): string[] {
    return [...this.#load().values()].map(({ name }) => name).sort()
  }

  /** Names that may come in: of peers, also where a file is damaged, and of invitations, expired ones included. */
  welcome(): Set<string> {
    const invited = this.#store
      .inviteIds()
      .flatMap((id) => this.#readable(() => this.#store.readInvite(id))?.name ?? [])
    return new Set([...this.names(), ...this.#unread.keys(), ...invited])
  }

  /** Undefined when no peer has this name. */
  addressesOf(name: string): InnerPair | undefined {
    const record = this.#readable(() => this.#store.readPeer(name))
    return record && { ipv4: record.ipv4, ipv6: record.ipv6 }
  }

  findPeer(publicKey: Uint8Array): RegisteredPeer | undefined {
    const found = this.#load().get(hex(publicKey))
    // Its file decides: directory times are too coarse to show a removal in the same tick.
    const present = found && this.#readable(() => this.#store.readPeer(found.name))
    return present && hex(present.publicKey) === hex(publicKey)
      ? { name: found.name, ipv4: present.ipv4, ipv6: present.ipv6 }
      : undefined
  }

  findInvite(id: Uint8Array): Invite | undefined {
    const record = this.#readable(() => this.#store.readInvite(hex(id)))
    if (record === undefined || record.expires <= this.#nowS()) {
      this.#promised.delete(hex(id))
      return undefined
    }
    const addresses = this.#addressesFor(hex(id), record.name)
    return addresses && { name: record.name, secret: record.secret, ...addresses }
  }

  enrol(id: Uint8Array, publicKey: Uint8Array): RegisteredPeer | undefined {
    const invite = this.findInvite(id)
    const record = this.#readable(() => this.#store.readInvite(hex(id)))
    // Whoever removes the file first has used it.
    if (!invite || !record || !this.#isWritten(() => this.#store.removeInvite(hex(id)))) {
      return undefined
    }
    const { name, ipv4, ipv6 } = invite
    const created = Math.floor(this.#nowS())
    if (!this.#isWritten(() => this.#store.writePeer(name, { publicKey, ipv4, ipv6, created }))) {
      // For when the disk has room again.
      this.#isWritten(() => this.#store.writeInvite(hex(id), record))
      return undefined
    }
    this.#promised.delete(hex(id))
    this.refresh()
    return { name, ipv4, ipv6 }
  }

  spend(id: Uint8Array, name: string): void {
    const record = this.#readable(() => this.#store.readInvite(hex(id)))
    if (record?.name !== name) return
    this.#isWritten(() => this.#store.removeInvite(hex(id)))
    this.#promised.delete(hex(id))
  }

  /** A name that is known keeps its addresses under its new key. */
  #addressesFor(id: string, name: string): InnerPair | undefined {
    this.#load()
    const known = this.addressesOf(name) ?? this.#unread.get(name)
    if (known !== undefined) return known
    const index = this.#promised.get(id) ?? this.#freeIndex(name)
    if (index === undefined) return undefined
    this.#promised.set(id, index)
    return this.#addresses(index)
  }

  #addresses(index: bigint): InnerPair {
    return { ipv4: addressAt(this.#pools.ipv4, index), ipv6: addressAt(this.#pools.ipv6, index) }
  }

  /** The lowest place in both pools that nobody has, for whoever has this name. */
  #freeIndex(name: string): bigint | undefined {
    const peers = [...this.#load().values()]
    const unread = [...this.#unread].filter(([each]) => each !== name)
    const unknown = unread.filter(([, pair]) => pair === undefined)
    if (unknown.length > 0) {
      // It may have any address that looks free, and its file may yet be mended.
      const which = unknown.map(([each]) => each).join(', ')
      const why = `which addresses ${which} has is not known: mend or remove its file, or run mptun revoke`
      this.#onShortage(name, why)
      return undefined
    }
    const { ipv4, ipv6 } = this.#pools
    const pairs = [...peers, ...unread.flatMap(([, pair]) => pair ?? [])]
    const taken = new Set(
      [...reserved(ipv4), ...pairs.flatMap((pair) => [pair.ipv4, pair.ipv6])].map(hex),
    )
    const promised = new Set(this.#promised.values())
    for (let i = SERVER_INDEX + 1n; i < sizeOf(ipv4) && i < sizeOf(ipv6); i++) {
      if (promised.has(i)) continue
      if (!taken.has(hex(addressAt(ipv4, i))) && !taken.has(hex(addressAt(ipv6, i)))) return i
    }
    const pools = [ipv4, ipv6].map(formatCidr).join(' and ')
    const why = `${pools} have no address left: run mptun revoke for whoever is gone, or give the server a larger --pool`
    this.#onShortage(name, why)
    return undefined
  }

  #load(): ReadonlyMap<string, Entry> {
    const stamp = this.#readable(() => this.#store.peersStamp())
    // Without the directory those that were known are still welcome.
    if (stamp === undefined) return this.#peers
    // What is mended in its place leaves the directory as it was.
    if (stamp === this.#stamp && !this.#isAnyMended()) return this.#peers
    const names = this.#readable(() => this.#store.peerNames())
    if (names === undefined) return this.#peers
    const known = new Map<string, InnerPair | undefined>(this.#unread)
    for (const peer of this.#peers.values()) known.set(peer.name, peer)
    const peers = new Map<string, Entry>()
    const unread = new Map<string, InnerPair | undefined>()
    for (const name of names) {
      const record = this.#readable(() => this.#store.readPeer(name))
      if (record === undefined) unread.set(name, known.get(name))
      else peers.set(hex(record.publicKey), { name, ...record })
    }
    this.#peers = peers
    this.#unread = unread
    this.#unreadAtS = this.#nowS()
    this.#stamp = stamp
    return peers
  }

  #isAnyMended(): boolean {
    // A clock may be put back.
    if (Math.abs(this.#nowS() - this.#unreadAtS) < READ_AGAIN_S) return false
    this.#unreadAtS = this.#nowS()
    return [...this.#unread.keys()].some((name) => this.#isSound(name))
  }

  /** Without telling once more when it is not. */
  #isSound(name: string): boolean {
    try {
      return this.#store.readPeer(name) !== undefined
    } catch (error) {
      if (error instanceof MptunError) return false
      throw error
    }
  }

  #readable<T>(read: () => T | undefined): T | undefined {
    return this.#attempt('read', read)
  }

  /** False also when there was nothing to write. */
  #isWritten(write: () => unknown): boolean {
    return this.#attempt('write', () => write() !== false) ?? false
  }

  #attempt<T>(deed: 'read' | 'write', act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      if (!(error instanceof MptunError)) throw error
      this.#onFault(error, deed)
      return undefined
    }
  }
}

/** Addresses that no peer may have: the network's own, the server's, and of IPv4 the broadcast address. */
function reserved(network: Cidr): Uint8Array[] {
  const last = network.family === 4 ? [sizeOf(network) - 1n] : []
  return [0n, SERVER_INDEX, ...last].map((index) => addressAt(network, index))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
