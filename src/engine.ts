/** The carrying half, and the only import of the addon. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { getSystemErrorName } from 'node:util'
import type { EngineCommand, EngineEvent } from './boundary.js'
import { type EnginePort, EventReader, encodeCommand } from './crossing.js'
import { contractDigest } from './digest.js'
import { bugError, MptunError, messageOf, systemError } from './errors.js'

/** An engine of the addon; opaque. */
type Handle = object

/** The addon's functions as native/binding.c exports them. Errors carry MPTUN_E_BUG, _CLOSED or _SYSTEM. */
interface Addon {
  digest(): string
  aeads(): Aeads
  udpOpen(request: {
    family: number
    address: string | null
    port: number
    device: string | null
  }): UdpSocket
  tunOpen(name: string | null, offload: number): Omit<TunDevice, 'offload'>
  fdClose(fd: number): void
  fdLock(fd: number): boolean
  open(options: { tunFd: number; offload: number; seed?: number }, onBell: () => void): Handle
  command(handle: Handle, record: Uint8Array, payload?: Uint8Array): boolean
  readEvents(handle: Handle, into: Uint8Array): number
  close(handle: Handle): void
  exit(status: number): void
}

export interface Aeads {
  /** Bits of wire.ts AEAD that work in this process. */
  readonly available: number
  /** Those of them for which this CPU has instructions. */
  readonly preferred: number
  /** Library and version that seal, for status; by bit of wire.ts AEAD. */
  readonly providers: Readonly<Record<number, string>>
  /** What is missing when `available` is 0, else empty. */
  readonly why: string
}

export interface UdpRequest {
  readonly family: 4 | 6
  /** Address to bind to; any when absent. */
  readonly address?: string
  /** Port to bind to; the kernel chooses when absent. */
  readonly port?: number
  /** Uplink that the socket is bound to. */
  readonly device?: string
}

/** A socket that belongs to the caller until a portOpen command has taken it; then to the engine. */
export interface UdpSocket {
  readonly fd: number
  readonly port: number
  readonly address: string
}

/** A device that belongs to the caller until an Engine was opened on it; it lives as long as `fd`. */
export interface TunDevice {
  readonly fd: number
  readonly name: string
  /** Absent: true. */
  readonly offload?: boolean
}

const REMEDY_BUILD = 'build it: npm run build (gcc is needed, nothing else)'

/** Loads the addon. MPTUN_E_SYSTEM_ADDON when it is missing, does not load or has another contract. */
export function loadAddon(
  path = fileURLToPath(new URL('../build/mptun.node', import.meta.url)),
): Addon {
  if (!existsSync(path)) {
    throw systemError('ADDON', `the native half is not at ${path}; ${REMEDY_BUILD}`)
  }
  const addon = requireAddon(path)
  const wanted = contractDigest()
  const found = typeof addon.digest === 'function' ? addon.digest() : 'none'
  if (found !== wanted) {
    throw systemError(
      'ADDON',
      `${path} has contract ${found}, the JavaScript beside it ${wanted}; ${REMEDY_BUILD}`,
    )
  }
  return addon
}

function requireAddon(path: string): Addon {
  try {
    return createRequire(import.meta.url)(path) as Addon
  } catch (cause) {
    throw systemError('ADDON', `${path} does not load: ${messageOf(cause)}; ${REMEDY_BUILD}`, cause)
  }
}

export function aeads(): Aeads {
  return loadAddon().aeads()
}

const NEEDS_NET_ADMIN =
  'this needs CAP_NET_ADMIN: run as root, or as a service with AmbientCapabilities=CAP_NET_ADMIN'

/** What helps against the refusals that users meet, by call and errno. */
const TUN_REMEDY: Readonly<Record<string, string>> = {
  ENOENT: 'load the driver: modprobe tun; in a container: --device /dev/net/tun',
  EPERM: NEEDS_NET_ADMIN,
  EACCES: NEEDS_NET_ADMIN,
  EBUSY: 'another process has it: stop that, or choose another name',
  EINVAL: 'the name is not allowed, or a device of another kind has it: choose another',
}
const UDP_REMEDY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has this port: stop that, or choose another port',
  EADDRNOTAVAIL: 'no device here has this address: choose one that ip address shows',
  EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher one',
  ENODEV: 'there is no such device now: ip link shows those that there are',
  EPERM: NEEDS_NET_ADMIN,
  EAFNOSUPPORT: 'the kernel has no IPv6: use IPv4 addresses alone',
}

/**
 * Creates the TUN device, or takes a persistent one.
 * @param name may end in `%d`; absent: `mptun%d`.
 * @param offload false: packet by packet, without the kernel's super-packets and runs.
 */
export function openTun(name?: string, offload = true): TunDevice {
  return attempt('TUN', `cannot open the TUN device ${name ?? 'mptun%d'}`, TUN_REMEDY, () => ({
    ...loadAddon().tunOpen(name ?? null, offload ? 1 : 0),
    offload,
  }))
}

/** Opens a non-blocking UDP socket. */
export function openUdp(request: UdpRequest): UdpSocket {
  const { family, address, port, device } = request
  const at = `${address ?? 'any address'}, port ${port ?? 'any'}${device ? `, device ${device}` : ''}`
  return attempt('UDP', `cannot open a UDP socket (IPv${family}, ${at})`, UDP_REMEDY, () =>
    loadAddon().udpOpen({
      family,
      address: address ?? null,
      port: port ?? 0,
      device: device ?? null,
    }),
  )
}

/** Closes a descriptor of openTun or openUdp that no engine has taken. */
export function closeDescriptor(fd: number): void {
  attempt('CLOSE', `cannot close descriptor ${fd}`, {}, () => loadAddon().fdClose(fd))
}

/** Locks the file that the descriptor was opened on, until it is closed: flock(2). False when another one has it. */
export function lockDescriptor(fd: number): boolean {
  return attempt('LOCK', `cannot lock descriptor ${fd}`, {}, () => loadAddon().fdLock(fd))
}

/** Ends the process at once, whatever is under way in threads of Node's, such as a question to a name server. */
export function exitAtOnce(status: number): void {
  try {
    loadAddon().exit(status)
  } catch {
    // It does not load: no engine runs, and whoever wanted one was told.
  }
}

function attempt<T>(
  topic: string,
  what: string,
  remedies: Readonly<Record<string, string>>,
  call: () => T,
): T {
  try {
    return call()
  } catch (error) {
    throw translate(topic, what, remedies, error)
  }
}

/** The addon's errors as MptunError; others as they are. */
function translate(
  topic: string,
  what: string,
  remedies: Readonly<Record<string, string>>,
  error: unknown,
): unknown {
  if (!(error instanceof Error) || error instanceof MptunError) return error
  const {
    code,
    errno: number,
    syscall,
  } = error as Error & { code?: string; errno?: number; syscall?: string }
  if (code === 'MPTUN_E_SYSTEM' && number !== undefined) {
    const errno = getSystemErrorName(-number)
    const remedy = remedies[errno]
    return new MptunError(
      `MPTUN_E_SYSTEM_${topic}`,
      `${what}: ${error.message} (${errno})${remedy ? `; ${remedy}` : ''}`,
      { errno, ...(syscall === undefined ? {} : { syscall }), cause: error },
    )
  }
  if (code === 'MPTUN_E_CLOSED') return new MptunError('MPTUN_E_CLOSED', error.message)
  if (code === 'MPTUN_E_BUG') return bugError(topic, error.message, error)
  return error
}

export interface EngineOptions {
  /** Taken over: the engine closes it. */
  readonly tun: TunDevice
  /** Called on the JavaScript thread when events wait, and not again before readEvents. */
  readonly onBell: () => void
  /** Of the flow hash; random when absent. */
  readonly seed?: number
}

/** A running engine. It keeps the process alive until it is closed; after that every call but close throws MPTUN_E_CLOSED. */
export class Engine implements EnginePort {
  readonly #addon: Addon
  readonly #handle: Handle
  readonly #reader: EventReader

  constructor({ tun, onBell, seed }: EngineOptions) {
    this.#addon = loadAddon()
    const offload = (tun.offload ?? true) ? 1 : 0
    const options = { tunFd: tun.fd, offload, ...(seed === undefined ? {} : { seed }) }
    this.#handle = attempt('ENGINE', `cannot start the engine on ${tun.name}`, {}, () =>
      this.#addon.open(options, onBell),
    )
    this.#reader = new EventReader((into) => this.#addon.readEvents(this.#handle, into))
  }

  /** False: the ring is full and nothing was taken; a socket in the command is still the caller's. */
  command(command: EngineCommand): boolean {
    const record = encodeCommand(command)
    try {
      const taken = this.#attempt(() => this.#addon.command(this.#handle, record, command.payload))
      if (taken) eraseKeys(command)
      return taken
    } finally {
      record.fill(0)
    }
  }

  readEvents(): EngineEvent[] {
    return this.#attempt(() => this.#reader.readAll())
  }

  /** Stops its threads, closes the TUN and all sockets, erases all keys. Harmless when done before. */
  close(): void {
    this.#addon.close(this.#handle)
  }

  #attempt<T>(call: () => T): T {
    return attempt('ENGINE', 'the engine fails', {}, call)
  }
}

/** Once C has them, nobody else needs them. */
function eraseKeys({ kind, fields }: EngineCommand): void {
  if (kind !== 'keysInstall') return
  fields.sendKey?.fill(0)
  fields.receiveKey?.fill(0)
}
