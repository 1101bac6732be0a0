/** A machine for daemons under test: a clock that stands still, an engine that only answers, programs that only note. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CROSSING, type EngineCommand, type EngineEvent } from '../../src/boundary.js'
import type { Clock } from '../../src/daemon/clock.js'
import type { Machine } from '../../src/daemon/machine.js'
import type { TunDevice } from '../../src/engine.js'
import { systemError } from '../../src/errors.js'

export class TestClock implements Clock {
  timeUs = 1_000_000
  /** Time of day at time 0. */
  wallAtZeroUs = 1_700_000_000_000_000
  readonly #timers = new Set<{ readonly atUs: number; readonly callback: () => void }>()

  nowUs = () => this.timeUs
  wallUs = () => this.wallAtZeroUs + this.timeUs

  arm(delayUs: number, callback: () => void): () => void {
    const timer = { atUs: this.timeUs + Math.max(0, delayUs), callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Lets time pass from deadline to deadline. */
  advance(byUs: number): void {
    const untilUs = this.timeUs + byUs
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atUs - b.atUs)
      if (next === undefined || next.atUs > untilUs) break
      this.#timers.delete(next)
      this.timeUs = Math.max(this.timeUs, next.atUs)
      next.callback()
    }
    this.timeUs = untilUs
  }
}

/** Answers requests for statistics at once, and keeps every command. */
export class TestEngine {
  readonly commands: EngineCommand[] = []
  readonly events: EngineEvent[] = []
  isClosed = false
  /** Commands that it takes before its ring is full. */
  room = Number.POSITIVE_INFINITY
  readonly tun: TunDevice
  #onBell: () => void

  constructor(onBell: () => void, tun: TunDevice = { fd: 9, name: 'mptun0' }) {
    this.#onBell = onBell
    this.tun = tun
  }

  command(command: EngineCommand): boolean {
    if (this.room-- <= 0) return false
    this.commands.push(command)
    if (command.kind === 'statsRequest') {
      const { token = 0 } = command.fields
      this.events.push({ kind: 'statsEnd', next: 0, token })
      queueMicrotask(this.#onBell)
    }
    return true
  }

  readEvents(): EngineEvent[] {
    return this.events.splice(0, CROSSING.eventSlots.value)
  }

  tell(event: EngineEvent): void {
    this.events.push(event)
    this.#onBell()
  }

  close(): void {
    this.isClosed = true
  }

  kinds(): string[] {
    return this.commands.map(({ kind }) => kind)
  }
}

export interface TestMachine extends Machine {
  readonly clock: TestClock
  readonly engines: TestEngine[]
  /** Programs that ran, as their command lines. */
  readonly calls: string[]
  /** Sockets that were opened, and descriptors that were given back. */
  readonly sockets: string[]
  readonly closed: number[]
  /** What `ip -json address show` says. */
  devices: object[]
  /** What `ip -json route show` says. */
  routes: object[]
  /** What `nft list tables` says. */
  tables: string
  /** Devices on which no socket can be opened. */
  readonly refusing: Set<string>
}

export function testMachine(): TestMachine {
  const engines: TestEngine[] = []
  let octet = 1
  let fd = 100
  const machine: TestMachine = {
    clock: new TestClock(),
    engines,
    calls: [],
    sockets: [],
    closed: [],
    devices: [],
    routes: [],
    tables: '',
    refusing: new Set(),
    randomBytes: (count) => new Uint8Array(count).fill(octet++ % 256),
    run: async (program, args) => {
      const call = [program, ...args].join(' ')
      machine.calls.push(call)
      if (call === 'nft list tables') return machine.tables
      if (args[0] !== '-json') return ''
      if (args.includes('exact')) return '[]'
      if (args.includes('route')) return JSON.stringify(machine.routes)
      return JSON.stringify(args.includes('dev') ? [{ addr_info: [] }] : machine.devices)
    },
    lookup: async () => ['198.51.100.1'],
    nameServers: () => [],
    exchange: async ({ address }) => {
      throw new Error(`${address} does not answer`)
    },
    aeads: () => ({ available: 3, preferred: 2, providers: { 1: 'test' }, why: '' }),
    openTun: (name, offload) => ({ fd: 9, name, offload }),
    openUdp: ({ family, address, port, device }) => {
      if (device !== undefined && machine.refusing.has(device)) {
        throw systemError('UDP', `no socket on ${device}`)
      }
      machine.sockets.push(`${family} ${device ?? `${address}:${port}`}`)
      return { fd: fd++, port: port ?? 40_000, address: address ?? '' }
    },
    closeDescriptor: (number) => {
      machine.closed.push(number)
    },
    openEngine: (tun, onBell) => {
      const engine = new TestEngine(onBell, tun)
      engines.push(engine)
      return engine
    },
    hasIpv6: () => true,
    isStrictlyFiltered: () => false,
  }
  return machine
}

/** A device as iproute2 lists it. */
export function listed(ifname: string, ifindex: number, ...addresses: string[]): object {
  const addr_info = addresses.map((local) => ({ local }))
  return { ifname, ifindex, flags: ['UP', 'LOWER_UP'], addr_info }
}

/** Directories of one test; `remove` takes them away. */
export function testDirs() {
  const root = mkdtempSync(join(tmpdir(), 'mptun-daemon-'))
  return {
    stateDir: join(root, 'state'),
    runDir: join(root, 'run'),
    remove: () => rmSync(root, { recursive: true }),
  }
}
