/** Clients, servers and what lies between them, in virtual time: the real core on the C of carrier_fixture.ts. */
import ipaddr from 'ipaddr.js'
import { expect } from 'vitest'
import type { Endpoint } from '../../src/boundary.js'
import {
  Client,
  type ClientOptions,
  type Family,
  type ServerEndpoint,
} from '../../src/core/client.js'
import type { Invite, RegisteredPeer, Registry } from '../../src/core/clients.js'
import type { Fact } from '../../src/core/facts.js'
import type { Credential } from '../../src/core/initiator.js'
import { inviteId } from '../../src/core/invite.js'
import { formatKey } from '../../src/core/keys.js'
import { Server } from '../../src/core/server.js'
import type { Tunnel } from '../../src/core/tunnel.js'
import { Carrier, type Datagram } from './carrier_fixture.js'
import { coreOptions, MS, only } from './core_fixture.js'
import { keyPair, seeded } from './handshake_fixture.js'

export const SERVER_V4 = '198.51.100.1'
export const SERVER_V6 = '2001:db8::1'
const SERVER_PORT = 5000

export const bytesOf = (address: string) => Uint8Array.from(ipaddr.parse(address).toByteArray())
export const endpoint = (address: string): ServerEndpoint => ({
  family: ipaddr.parse(address).kind() === 'ipv4' ? 4 : 6,
  address: bytesOf(address),
  port: SERVER_PORT,
})

/** Peers and invitations in memory, as a store on disk would have them. */
export class MemoryRegistry implements Registry {
  readonly server = {
    ipv4: bytesOf('10.71.0.1'),
    ipv4Prefix: 24,
    ipv6: bytesOf('fd71::1'),
    ipv6Prefix: 64,
  }
  readonly peers = new Map<string, RegisteredPeer>()
  readonly invites = new Map<string, Invite>()

  addPeer(name: string, publicKey: Uint8Array): void {
    this.peers.set(formatKey(publicKey), this.#entry(name))
  }

  /** What a client of this name comes in with. */
  newInvite(name: string): Credential {
    const secret = seeded(`secret of ${name}`)(32)
    const id = inviteId(secret)
    this.invites.set(String(id), { ...this.#entry(name), secret })
    return { id, secret }
  }

  findPeer(publicKey: Uint8Array): RegisteredPeer | undefined {
    return this.peers.get(formatKey(publicKey))
  }

  findInvite(id: Uint8Array): Invite | undefined {
    return this.invites.get(String(id))
  }

  enrol(id: Uint8Array, publicKey: Uint8Array): RegisteredPeer | undefined {
    const invite = this.invites.get(String(id))
    if (invite === undefined) return undefined
    this.invites.delete(String(id))
    const { name, ipv4, ipv6 } = invite
    const peer = { name, ipv4, ipv6 }
    for (const [key, other] of this.peers) if (other.name === name) this.peers.delete(key)
    this.peers.set(formatKey(publicKey), peer)
    return peer
  }

  spend(id: Uint8Array, name: string): void {
    if (this.invites.get(String(id))?.name === name) this.invites.delete(String(id))
  }

  #entry(name: string): RegisteredPeer {
    const host = 2 + this.peers.size + this.invites.size
    const ipv4 = bytesOf(`10.71.${host >> 8}.${host & 0xff}`)
    return { name, ipv4, ipv6: bytesOf(`fd71::${host.toString(16)}`) }
  }
}

/** A socket: where it is bound, and whose it is. */
interface Socket {
  readonly station: Station
  readonly address: string
  readonly udpPort: number
}

/** A core with its C: what a daemon is. */
export class Station<T extends Tunnel = Tunnel> {
  readonly core: T
  readonly carrier: Carrier
  readonly facts: Fact[] = []

  constructor(core: T, carrier: Carrier) {
    this.core = core
    this.carrier = carrier
  }

  factsOf<K extends Fact['kind']>(kind: K): Extract<Fact, { kind: K }>[] {
    return only(this.facts, kind)
  }

  /** Paths that are up, as the core sees it. */
  up(peer = 0): number[] {
    const paths = this.core.snapshot().peers[peer]?.paths ?? []
    return paths.filter(({ state }) => state === 'up').map(({ path }) => path)
  }
}

export class World {
  nowUs = 0
  readonly #wallUs = () => 1_700_000_000_000_000 + this.nowUs
  /** Addresses that nothing reaches or leaves. */
  readonly cut = new Set<string>()
  /** Asked about each datagram; false: it is lost. */
  pass: (datagram: Datagram, from: string, to: string) => boolean = () => true
  /** What arrives in place of each datagram. */
  alter: (datagram: Datagram, from: string, to: string) => Datagram = (datagram) => datagram
  /** Stations whose core is not asked: their C goes on alone. */
  readonly busy = new Set<Station>()
  readonly #stations = new Set<Station>()
  readonly #sockets = new Map<number, Socket>()
  #underWay: { readonly atUs: number; readonly deliver: () => void }[] = []
  #nextFd = 100

  /** Each start has the same key and other randomness. */
  server(registry: Registry, addresses = [SERVER_V4]): Station<Server> {
    const { randomBytes } = coreOptions(`server ${this.#nextFd++}`)
    const station = this.#station(
      new Server({ ...coreOptions('server'), randomBytes, wallUs: this.#wallUs, registry }),
    )
    for (const address of addresses) {
      const fd = this.#socket(station, address, SERVER_PORT)
      station.core.listen(endpoint(address).family, fd)
    }
    return station
  }

  /** A client without uplinks. Each start of the same name has the same key and other randomness. */
  client(name: string, options: Partial<ClientOptions> = {}): Station<Client> {
    const { randomBytes } = coreOptions(`${name} ${this.#nextFd++}`)
    return this.#station(
      new Client({
        ...coreOptions(name),
        wallUs: this.#wallUs,
        randomBytes,
        serverPublicKey: keyPair('server').publicKey,
        ...options,
      }),
    )
  }

  /** A client with an IPv4 socket on each of these uplinks, which have addresses 10.N.0.1, 10.N.0.2 ... */
  roadWarrior(
    name: string,
    uplinks: number,
    options: Partial<ClientOptions> = {},
  ): Station<Client> {
    const station = this.client(name, options)
    const net = this.#nextFd++
    for (let i = 0; i < uplinks; i++) {
      station.core.setUplink(this.nowUs, `wan${i}`, {})
      this.plug(station, `wan${i}`, `10.${net}.0.${i + 1}`)
    }
    station.core.setEndpoints(this.nowUs, [endpoint(SERVER_V4)])
    return station
  }

  /** Gives an uplink a socket with this address. */
  plug(station: Station<Client>, uplink: string, address: string): void {
    const { family } = endpoint(address)
    const fd = this.#socket(station, address)
    expect(station.core.handleSocket(this.nowUs, uplink, family as Family, fd)).toBe(true)
  }

  /** Gives the sockets of a station that are bound to one address another. */
  readdress(station: Station, from: string, to: string): void {
    for (const [fd, socket] of this.#sockets) {
      if (socket.station !== station || socket.address !== from) continue
      this.#sockets.set(fd, { ...socket, address: to })
    }
  }

  /** Ends a station, without a word but those it has given already. */
  kill(station: Station): void {
    this.#settle()
    this.#stations.delete(station)
    for (const [fd, socket] of this.#sockets) {
      if (socket.station === station) this.#sockets.delete(fd)
    }
  }

  /** Address of the uplink that has this path. */
  addressOf(station: Station, path: number): string {
    const port = station.carrier.peers.get(0)?.paths.get(path)?.endpoint.port
    return this.#sockets.get(station.carrier.ports.get(port!)!)!.address
  }

  runFor(us: number): void {
    const untilUs = this.nowUs + us
    for (;;) {
      this.#settle()
      const nextUs = Math.min(
        ...this.#underWay.map(({ atUs }) => atUs),
        ...[...this.#stations].map((station) => {
          const tickUs = station.carrier.nextTick()
          return this.busy.has(station) ? tickUs : Math.min(station.core.nextTimeout(), tickUs)
        }),
      )
      if (nextUs > untilUs) break
      this.nowUs = Math.max(this.nowUs, nextUs)
      const due = this.#underWay.filter(({ atUs }) => atUs <= this.nowUs)
      this.#underWay = this.#underWay.filter(({ atUs }) => atUs > this.nowUs)
      for (const { deliver } of due) deliver()
      for (const { carrier } of this.#stations) {
        if (carrier.nextTick() <= this.nowUs) carrier.tick(this.nowUs)
      }
    }
    this.nowUs = untilUs
    this.#settle()
  }

  /** What a daemon does on each wake-up: events, time, commands, facts. */
  #settle(): void {
    for (const station of this.#stations) {
      if (this.busy.has(station)) continue
      const { core, carrier, facts } = station
      for (let isBusy = true; isBusy; ) {
        for (const event of carrier.readEvents()) core.handleEvent(this.nowUs, event)
        core.handleTimeout(this.nowUs)
        expect(core.nextTimeout()).toBeGreaterThan(this.nowUs)
        isBusy = false
        for (let command = core.pollCommand(); command; command = core.pollCommand()) {
          carrier.command(this.nowUs, command)
          isBusy = true
        }
        for (let fact = core.pollFact(); fact; fact = core.pollFact()) facts.push(fact)
      }
    }
  }

  #station<T extends Tunnel>(core: T): Station<T> {
    const carrier = new Carrier({
      send: (fd, to, datagram) => this.#send(fd, to, datagram),
      close: (fd) => this.#sockets.delete(fd),
    })
    const station = new Station(core, carrier)
    this.#stations.add(station)
    return station
  }

  /** Without a UDP port each socket gets one of its own, as the kernel does. */
  #socket(station: Station, address: string, udpPort = 40_000 + this.#nextFd): number {
    const fd = this.#nextFd++
    this.#sockets.set(fd, { station, address, udpPort })
    return fd
  }

  #send(fd: number, to: Endpoint, datagram: Datagram): void {
    const from = this.#sockets.get(fd)
    if (from === undefined) return
    const octets = to.remote.subarray(0, to.family === 4 ? 4 : 16)
    const target = ipaddr.fromByteArray([...octets]).toString()
    if (this.cut.has(from.address) || !this.pass(datagram, from.address, target)) return
    const arriving = this.alter(datagram, from.address, target)
    const deliver = () => {
      if (this.cut.has(target) || this.cut.has(from.address)) return
      const found = [...this.#sockets].find(
        ([, { address, udpPort }]) => address === target && udpPort === to.remotePort,
      )
      if (found === undefined) return
      const [targetFd, { station }] = found
      const port = [...station.carrier.ports].find(([, each]) => each === targetFd)?.[0]
      if (port === undefined) return
      const source = new Uint8Array(16)
      source.set(bytesOf(from.address))
      const { family } = to
      const place = { port, family, remotePort: from.udpPort, remote: source, scope: 0 }
      station.carrier.receive(this.nowUs, { ...place, local: new Uint8Array(16) }, arriving)
    }
    this.#underWay.push({ atUs: this.nowUs + 20 * MS, deliver })
  }
}
