/** Whole tunnels in virtual time: the real core decides, the real C carries, links are modelled. */
import sodium from 'libsodium-wrappers'
import { Client, type ServerEndpoint, type UplinkPolicy } from '#mptun/core/client.js'
import type { RegisteredPeer, Registry } from '#mptun/core/clients.js'
import type { Fact } from '#mptun/core/facts.js'
import { formatKey, type KeyPair, keyPairOf } from '#mptun/core/keys.js'
import { DEFAULT_POLICY, type Policy } from '#mptun/core/policy.js'
import { Server } from '#mptun/core/server.js'
import type { Tunnel } from '#mptun/core/tunnel.js'
import { AEAD } from '#mptun/wire.js'
import type { Congestion, SimPing, SimStream, Transport } from './stream.js'
import {
  ipv4,
  type LinkShape,
  type Pilot,
  type SimFlow,
  type SimLink,
  type SimNode,
  World,
} from './world.js'

const MS = 1000
export const SECOND = 1_000_000

/** Octets that look random and come from a seed. */
export function seededRandom(seed: string): (count: number) => Uint8Array {
  let counter = 0
  return (count) => {
    const key = sodium.crypto_generichash(32, `${seed} ${counter++}`, null)
    return sodium.randombytes_buf_deterministic(count, key)
  }
}

/** A node with its core: what the daemon is in the real world. */
export class Station<T extends Tunnel> implements Pilot {
  readonly node: SimNode
  readonly core: T
  readonly facts: Fact[] = []

  constructor(node: SimNode, core: T) {
    this.core = core
    this.node = node
    node.pilot = this
    this.flush()
  }

  handleEvents(events: Parameters<Pilot['handleEvents']>[0], nowUs: number): void {
    for (const event of events) this.core.handleEvent(nowUs, event)
    this.flush()
  }

  handleTimeout(nowUs: number): void {
    this.core.handleTimeout(nowUs)
    this.flush()
  }

  nextTimeoutUs(): number {
    return this.core.nextTimeout()
  }

  /** Carries out what the core wants now. Call after talking to the core directly. */
  flush(): void {
    for (let command = this.core.pollCommand(); command; command = this.core.pollCommand()) {
      this.node.command(command)
    }
    for (let fact = this.core.pollFact(); fact; fact = this.core.pollFact()) this.facts.push(fact)
  }

  factsOf<K extends Fact['kind']>(kind: K): Extract<Fact, { kind: K }>[] {
    return this.facts.filter((fact): fact is Extract<Fact, { kind: K }> => fact.kind === kind)
  }
}

export interface UplinkOptions extends UplinkPolicy {
  readonly link: LinkShape
  readonly backward?: LinkShape
  /** Of the link's IP packets. */
  readonly mtuBytes?: number
}

export interface PairOptions {
  readonly seed?: number
  readonly uplinks: readonly UplinkOptions[]
  /** Of the simplest mode where none is named. */
  readonly policy?: Partial<Omit<Policy, 'paths' | 'primary'>>
  /** Index of an uplink. */
  readonly primary?: number
  /** For how long it runs before it is given away; else until all paths are long up. */
  readonly warmUpUs?: number
}

export const SERVER_ADDRESS = '198.51.100.1'
export const SERVER_PORT = 5000
const CLIENT_INNER = '10.77.0.2'
const SERVER_INNER = '10.77.0.1'
const ENODEV = 19
const PROBING = { intervalUs: 100 * MS, keepaliveUs: 20 * SECOND }
const AEADS = { available: AEAD['chacha20-poly1305'].value, preferred: 0 }

const inner6 = (last: number) => Uint8Array.of(0xfd, ...new Array(14).fill(0), last)

/** Knows one key; nobody can be invited. */
function singleRegistry(publicKey: Uint8Array): Registry {
  const known: RegisteredPeer = { name: 'van', ipv4: ipv4(CLIENT_INNER), ipv6: inner6(2) }
  return {
    server: { ipv4: ipv4(SERVER_INNER), ipv4Prefix: 24, ipv6: inner6(1), ipv6Prefix: 64 },
    findPeer: (key) => (formatKey(key) === formatKey(publicKey) ? known : undefined),
    findInvite: () => undefined,
    spend: () => undefined,
    enrol: () => undefined,
  }
}

/** One client with its uplinks behind NAT, and one server. */
export class Pair {
  readonly world: World
  readonly links: SimLink[] = []
  readonly clientKey: KeyPair
  readonly serverKey: KeyPair
  readonly client: Station<Client>
  server: Station<Server>
  #streams = 0
  #pings = 0

  private constructor(options: PairOptions) {
    const seed = options.seed ?? 1
    this.world = new World(seed)
    const random = seededRandom(`pair ${seed}`)
    this.clientKey = keyPairOf(random(32))
    this.serverKey = keyPairOf(random(32))
    this.server = this.#newServer(random)
    this.client = new Station(
      this.world.node(),
      new Client({
        ...this.#coreOptions(this.clientKey, random),
        serverPublicKey: this.serverKey.publicKey,
      }),
    )
    this.#openUplinks(options)
  }

  /** A pair whose paths are all up, unless it is to warm up for less. */
  static async open(options: PairOptions): Promise<Pair> {
    await sodium.ready
    const pair = new Pair(options)
    pair.world.runFor(options.warmUpUs ?? 2 * SECOND)
    return pair
  }

  get nowUs(): number {
    return this.world.nowUs
  }

  runFor(us: number): void {
    this.world.runFor(us)
  }

  /** Client to server unless `towards` says otherwise. */
  flow(options: {
    readonly packetsPerSecond: number
    readonly payloadBytes?: number
    readonly burst?: number
    readonly towards?: 'client' | 'server'
    readonly fromPort?: number
    readonly count?: number
  }): SimFlow {
    const { towards = 'server', payloadBytes = 1000, ...rest } = options
    return this.world.flow({ ...this.#way(towards), payloadBytes, ...rest })
  }

  /** Client to server unless `towards` says otherwise; each its own ports. */
  stream(options: {
    readonly transport?: Transport
    readonly congestion?: Congestion
    readonly towards?: 'client' | 'server'
    readonly gso?: boolean
    readonly bytes?: number
    readonly startUs?: number
  }): SimStream {
    const { towards = 'server', ...rest } = options
    return this.world.stream({ ...this.#way(towards), fromPort: 41_000 + this.#streams++, ...rest })
  }

  /** One TCP connection that is full both ways; the first stream as `stream` has it, and the one back. */
  duplex(options: {
    readonly congestion?: Congestion
    readonly towards?: 'client' | 'server'
    readonly gso?: boolean
  }): [SimStream, SimStream] {
    const { towards = 'server', ...rest } = options
    const [here, there] = [41_000 + this.#streams++, 5201]
    const back = towards === 'server' ? 'client' : 'server'
    const stream = this.world.stream({
      ...this.#way(towards),
      fromPort: here,
      toPort: there,
      ...rest,
    })
    const other = this.world.stream({ ...this.#way(back), fromPort: there, toPort: here, ...rest })
    stream.join(other)
    return [stream, other]
  }

  /** Client asks the server unless `towards` says otherwise. */
  ping(options: {
    readonly perSecond: number
    readonly towards?: 'client' | 'server'
    readonly dscp?: number
    readonly count?: number
    readonly startUs?: number
  }): SimPing {
    const { towards = 'server', ...rest } = options
    return this.world.ping({ ...this.#way(towards), identifier: ++this.#pings, ...rest })
  }

  cut(uplink: number): void {
    this.links[uplink]!.cut()
  }

  restore(uplink: number): void {
    this.links[uplink]!.restore()
  }

  /** The client's device goes away, as when a stick is pulled: what is under way is lost. */
  unplug(uplink: number): void {
    this.cut(uplink)
    this.client.node.failPort(uplink, ENODEV)
    this.tell((client, nowUs) =>
      client.handleSocketGone(nowUs, `uplink${uplink}`, 4, 'the device is gone'),
    )
  }

  /** It comes back, with another socket. */
  plug(uplink: number): void {
    this.restore(uplink)
    this.client.node.failPort(uplink, 0)
    this.tell((client, nowUs) => client.handleSocket(nowUs, `uplink${uplink}`, 4, 0))
  }

  /** The server's process dies and another takes its place: it knows the keys of clients and nothing else. */
  restartServer(): void {
    const { node } = this.server
    node.command({ kind: 'peerRemove', fields: { peer: 0 } })
    node.readEvents()
    this.server = this.#newServer(seededRandom(`restart ${this.nowUs}`), node)
  }

  /** Talks to the client's core and carries out what it wants. */
  tell(action: (client: Client, nowUs: number) => void): void {
    action(this.client.core, this.nowUs)
    this.client.flush()
  }

  /** Paths that are up, as each end sees it. */
  up(): { client: number[]; server: number[] } {
    const of = (station: Station<Tunnel>) =>
      (station.core.snapshot().peers[0]?.paths ?? [])
        .filter(({ state }) => state === 'up')
        .map(({ path }) => path)
        .sort()
    return { client: of(this.client), server: of(this.server) }
  }

  close(): void {
    this.world.close()
  }

  #way(towards: 'client' | 'server') {
    const client = { node: this.client.node, address: CLIENT_INNER }
    const server = { node: this.server.node, address: SERVER_INNER }
    const [from, to] = towards === 'server' ? [client, server] : [server, client]
    return { fromNode: from.node, toNode: to.node, from: from.address, to: to.address }
  }

  #coreOptions(staticKey: KeyPair, randomBytes: (count: number) => Uint8Array) {
    return { staticKey, randomBytes, aeads: AEADS, wallUs: () => this.nowUs, probing: PROBING }
  }

  #newServer(random: (count: number) => Uint8Array, node = this.world.node()): Station<Server> {
    const server = new Station(
      node,
      new Server({
        ...this.#coreOptions(this.serverKey, random),
        registry: singleRegistry(this.clientKey.publicKey),
      }),
    )
    server.core.listen(4, 0)
    server.flush()
    return server
  }

  #openUplinks({ uplinks, policy, primary }: PairOptions): void {
    const endpoint: ServerEndpoint = {
      family: 4,
      address: ipv4(SERVER_ADDRESS),
      port: SERVER_PORT,
    }
    uplinks.forEach(({ link, backward, mtuBytes }, i) => {
      this.links.push(
        this.world.link({
          a: { node: this.client.node, port: i, address: `192.168.${i}.2`, udpPort: 40_000 + i },
          b: { node: this.server.node, port: 0, address: SERVER_ADDRESS, udpPort: SERVER_PORT },
          nat: { address: `203.0.113.${i + 1}`, udpPort: 50_000 + i },
          forward: link,
          ...(backward === undefined ? {} : { backward }),
          ...(mtuBytes === undefined ? {} : { mtuBytes }),
        }),
      )
    })
    this.tell((client, nowUs) => {
      uplinks.forEach(({ link: _link, backward: _backward, mtuBytes: _mtuBytes, ...wanted }, i) => {
        client.setUplink(nowUs, `uplink${i}`, wanted)
      })
      const name = primary === undefined ? undefined : `uplink${primary}`
      client.setPolicy(nowUs, { ...DEFAULT_POLICY, mode: 'balance-rr', ...policy }, name)
      client.setEndpoints(nowUs, [endpoint])
      uplinks.forEach((_, i) => {
        client.handleSocket(nowUs, `uplink${i}`, 4, 0)
      })
    })
  }
}
