/**
 * The uplinks of a client: those that it has, those that it is leaving, and the numbers that both hold, which
 * are path ids and sockets of C.
 */
import { CROSSING } from '../boundary.js'
import { LIMIT } from '../wire.js'
import type { UplinkPolicy } from './terms.js'
import { type ServerEndpoint, Uplink } from './uplink.js'

export class Roster {
  readonly #present = new Map<string, Uplink>()
  /** Taken away and still listened to; an uplink of the same name begins as another path. */
  readonly #leaving = new Set<Uplink>()
  readonly #usedPorts = new Set<number>()
  #servers: readonly ServerEndpoint[] = []

  get present(): readonly Uplink[] {
    return [...this.#present.values()]
  }

  get leaving(): readonly Uplink[] {
    return [...this.#leaving]
  }

  get all(): readonly Uplink[] {
    return [...this.present, ...this.#leaving]
  }

  /** The server has an address, and some uplink a socket. */
  get canSend(): boolean {
    return this.#servers.length > 0 && this.present.some(({ ports }) => ports.length > 0)
  }

  named(name: string): Uplink | undefined {
    return this.#present.get(name)
  }

  withPort(port: number): Uplink | undefined {
    return this.present.find(({ ports }) => ports.includes(port))
  }

  withPath(path: number): Uplink | undefined {
    return this.present.find((uplink) => uplink.path === path)
  }

  /** The server's addresses, best first, for uplinks of now and later. */
  setServers(servers: readonly ServerEndpoint[]): void {
    this.#servers = servers
    for (const uplink of this.present) uplink.setServers(servers)
  }

  /** An uplink that has its path from here on; undefined when no path id is free. */
  add(name: string, wanted: UplinkPolicy): Uplink | undefined {
    const path = free(LIMIT.paths.value, new Set(this.all.map((uplink) => uplink.path)))
    if (path === undefined) return undefined
    const uplink = new Uplink(name, path, wanted)
    uplink.setServers(this.#servers)
    this.#present.set(name, uplink)
    return uplink
  }

  /** Nothing more is sent on it, what comes is still taken. */
  leave(nowUs: number, uplink: Uplink): void {
    this.#present.delete(uplink.name)
    this.#leaving.add(uplink)
    uplink.leave(nowUs)
  }

  /** Its path id may be another's from here on. */
  forget(uplink: Uplink): void {
    this.#leaving.delete(uplink)
    if (this.#present.get(uplink.name) === uplink) this.#present.delete(uplink.name)
  }

  /** The number of a new socket; undefined when there are as many as can be. */
  takePort(): number | undefined {
    const port = free(CROSSING.ports.value, this.#usedPorts)
    if (port !== undefined) this.#usedPorts.add(port)
    return port
  }

  givePort(port: number): void {
    this.#usedPorts.delete(port)
  }
}

function free(limit: number, used: ReadonlySet<number>): number | undefined {
  for (let candidate = 0; candidate < limit; candidate++) {
    if (!used.has(candidate)) return candidate
  }
  return undefined
}
