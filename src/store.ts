/**
 * What is kept on disk, one file an item, so that the daemon and the commands never rewrite the same file:
 *
 *   key               the secret key of this machine
 *   pool6             the server's own IPv6 network
 *   server.json       the client's server
 *   usage.json        what the client's metered uplinks have used
 *   timestamp         which the client's handshakes have not passed, microseconds since 1970
 *   peers/NAME.json   keys that the server knows
 *   invites/ID.json   invitations that are open
 *
 * Every write is atomic. Directories are 0700, files 0600. libsodium must be ready.
 */

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { pool6 } from './config/values.js'
import type { Usage } from './core/budget.js'
import { formatKey, parseKey } from './core/keys.js'
import { GREATEST_US } from './core/timestamp.js'
import {
  errnoOf,
  ifExists,
  makeDirectory,
  readIfThere,
  removeDrafts,
  removeDurably,
  writeDurably,
} from './durable.js'
import { MptunError, messageOf, systemError } from './errors.js'
import { type Cidr, formatAddress, formatCidr } from './net/address.js'
import {
  INVITE,
  type InviteRecord,
  PEER,
  type PeerRecord,
  reasonOf,
  SERVER,
  type ServerRecord,
  USAGE,
} from './records.js'

/** MPTUN_E_SYSTEM_STATE: a file that cannot be read, written or understood; the message names it. */
export class Store {
  readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  /** Makes the directory, or refuses one that others may look into. */
  prepare(): void {
    for (const dir of [this.dir, join(this.dir, 'peers'), join(this.dir, 'invites')]) {
      attempt(dir, 'make', () => makeDirectory(dir))
      removeDrafts(dir)
    }
    const mode = statSync(this.dir).mode & 0o777
    if ((mode & 0o077) !== 0) {
      throw systemError(
        'STATE',
        `${this.dir} has mode ${mode.toString(8)}, it holds secret keys and must have 700; run chmod 700 ${this.dir}, or choose another --state-dir`,
      )
    }
  }

  readKey(): Uint8Array | undefined {
    return this.#readLine('key', (line) => parseKey(line, 'key'), REMEDY.key)
  }

  /** Keeps a new key; the one that was there first wins and is returned. */
  keepKey(secretKey: Uint8Array): Uint8Array {
    this.#write('key', `${formatKey(secretKey)}\n`, 'keep')
    return this.readKey()!
  }

  readPool6(): Cidr | undefined {
    return this.#readLine('pool6', pool6, REMEDY.pool6)
  }

  keepPool6(network: Cidr): Cidr {
    this.#write('pool6', `${formatCidr(network)}\n`, 'keep')
    return this.readPool6()!
  }

  readServer(): ServerRecord | undefined {
    const found = this.#readJson('server.json', SERVER, REMEDY.server)
    return found && { ...found, secret: found.secret }
  }

  writeServer({ publicKey, endpoints, name, secret }: ServerRecord): void {
    this.#writeJson('server.json', {
      publicKey: formatKey(publicKey),
      endpoints,
      name,
      ...(secret === undefined ? {} : { secret: formatKey(secret) }),
    })
  }

  /** By name of the uplink. */
  readUsage(): Readonly<Record<string, Usage>> {
    return this.#readJson('usage.json', USAGE, REMEDY.usage) ?? {}
  }

  writeUsage(usage: Readonly<Record<string, Usage>>): void {
    this.#writeJson('usage.json', usage)
  }

  readTimestamp(): number | undefined {
    return this.#readLine('timestamp', timestamp, REMEDY.timestamp)
  }

  /** A later one stays: of another daemon with the same key. */
  keepTimestamp(us: number): void {
    if ((this.#present(() => this.readTimestamp()) ?? 0) >= us) return
    this.#write('timestamp', `${us}\n`, 'replace')
  }

  /** Sorted. */
  peerNames(): string[] {
    return this.#list('peers')
  }

  readPeer(name: string): PeerRecord | undefined {
    return this.#readJson(join('peers', `${name}.json`), PEER, REMEDY.peer)
  }

  writePeer(name: string, { publicKey, ipv4, ipv6, created }: PeerRecord): void {
    this.#writeJson(join('peers', `${name}.json`), {
      publicKey: formatKey(publicKey),
      ipv4: formatAddress(ipv4),
      ipv6: formatAddress(ipv6),
      created,
    })
  }

  /** False when there was none. */
  removePeer(name: string): boolean {
    return this.#remove(join('peers', `${name}.json`))
  }

  /** When a peer was last added, changed or removed: changes with each of these. */
  peersStamp(): string {
    const dir = join(this.dir, 'peers')
    return attempt(dir, 'look at', () => String(statSync(dir, { bigint: true }).mtimeNs))
  }

  /** Ids of open invitations in hexadecimal, expired ones included. */
  inviteIds(): string[] {
    return this.#list('invites')
  }

  readInvite(id: string): InviteRecord | undefined {
    return this.#readJson(join('invites', `${id}.json`), INVITE, REMEDY.invite)
  }

  writeInvite(id: string, { name, secret, expires }: InviteRecord): void {
    this.#writeJson(join('invites', `${id}.json`), { name, secret: formatKey(secret), expires })
  }

  removeInvite(id: string): boolean {
    return this.#remove(join('invites', `${id}.json`))
  }

  #list(folder: string): string[] {
    const dir = join(this.dir, folder)
    const names = attempt(dir, 'list', () => ifExists(() => readdirSync(dir))) ?? []
    // Drafts of durable.ts begin with a dot.
    return names
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .map((name) => name.slice(0, -'.json'.length))
      .sort()
  }

  #read(name: string): string | undefined {
    const path = join(this.dir, name)
    return attempt(path, 'read', () => readIfThere(path))
  }

  /** Undefined also when it cannot be read. */
  #present<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (error instanceof MptunError) return undefined
      throw error
    }
  }

  #readLine<T>(name: string, reader: (line: string) => T, remedy: string): T | undefined {
    const found = this.#read(name)
    if (found === undefined) return undefined
    try {
      return reader(found.trim())
    } catch (error) {
      throw corrupt(join(this.dir, name), messageOf(error), remedy)
    }
  }

  #readJson<S extends v.GenericSchema>(
    name: string,
    schema: S,
    remedy: string,
  ): v.InferOutput<S> | undefined {
    const found = this.#read(name)
    if (found === undefined) return undefined
    const path = join(this.dir, name)
    const result = v.safeParse(schema, parseJson(path, found, remedy), { abortEarly: true })
    if (result.success) return result.output
    const [issue] = result.issues
    const where = v.getDotPath(issue)
    throw corrupt(path, `${where ?? 'the whole'}: ${reasonOf(issue)}`, remedy)
  }

  #writeJson(name: string, value: unknown): void {
    this.#write(name, `${JSON.stringify(value, undefined, 2)}\n`, 'replace')
  }

  #write(name: string, content: string, how: 'replace' | 'keep'): void {
    const path = join(this.dir, name)
    attempt(path, 'write', () => writeDurably(path, content, how))
  }

  #remove(name: string): boolean {
    const path = join(this.dir, name)
    return attempt(path, 'remove', () => removeDurably(path))
  }
}

function parseJson(path: string, content: string, remedy: string): unknown {
  try {
    return JSON.parse(content)
  } catch {
    // The engine's message quotes the text.
    throw corrupt(path, 'not JSON', remedy)
  }
}

/** What to do about a file that is damaged. */
const REMEDY = {
  key: 'restore it from a backup, or remove it: the new key needs new invitations',
  pool6: 'restore it from a backup, or remove it: another network is made',
  server: 'restore it from a backup, or remove it and ask for a new invitation',
  usage: 'restore it from a backup, or remove it: uplinks begin with the whole of their budgets',
  timestamp: 'the next handshake writes it anew',
  peer: 'restore it from a backup, invite this client again, or run mptun revoke',
  invite: 'remove it and invite again',
} as const

function corrupt(path: string, reason: string, remedy: string): MptunError {
  return systemError('STATE', `${path} cannot be understood: ${reason}; ${remedy}`)
}

function timestamp(line: string): number {
  const us = /^\d{1,16}$/.test(line) ? Number(line) : Number.NaN
  if (us <= GREATEST_US) return us
  throw new Error(`expected microseconds since 1970, at most ${GREATEST_US}`)
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'run as root',
  EPERM: 'run as root',
  EEXIST: 'a file is where a directory is to be: move it away',
  ENOTDIR: 'a file is where a directory is to be: move it away',
  EISDIR: 'a directory is where a file is to be: move it away',
}

function attempt<T>(path: string, verb: string, deed: () => T): T {
  try {
    return deed()
  } catch (error) {
    if (error instanceof MptunError) throw error
    const errno = errnoOf(error) ?? String(error)
    const remedy = REMEDIES[errno] ?? 'see that its disk is writable and has room'
    const told = `cannot ${verb} ${path}: ${errno}; ${remedy}, or choose another --state-dir`
    throw systemError('STATE', told, error)
  }
}
