/** What TypeScript does for a tunnel, piece by piece, by the library `benchmark`. */

import { randomFillSync } from 'node:crypto'
import Benchmark from 'benchmark'
import { type EngineCommand, EVENT } from '#mptun/boundary.js'
import {
  consumeInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  NO_INVITE,
  NO_PSK,
} from '#mptun/core/handshake.js'
import { type KeyPair, keyPairOf } from '#mptun/core/keys.js'
import { DEFAULT_PATH_POLICY, DEFAULT_POLICY, type Policy, pathPolicy } from '#mptun/core/policy.js'
import { compilePlan, encodePlan } from '#mptun/core/schedule.js'
import { decodeEvent, encodeCommand } from '#mptun/crossing.js'
import { Engine, loadAddon, openUdp } from '#mptun/engine.js'
import { Codec } from '#mptun/layout.js'

export interface Timing {
  readonly name: string
  /** Mean of one call. */
  readonly us: number
  /** Relative margin of error at 95 %, a ratio. */
  readonly error: number
}

/** A call, or one that ends later and says so. */
type Work = { readonly call: () => unknown } | { readonly ending: (ended: () => void) => void }

export async function timeTypeScript(quick: boolean): Promise<Timing[]> {
  const carrier = new Carrier()
  const works: Record<string, Work> = {
    ...crossingWorks(carrier),
    ...planWorks(),
    ...handshakeWorks(),
  }
  try {
    const timings: Timing[] = []
    for (const [name, work] of Object.entries(works)) timings.push(await time(name, work, quick))
    return timings
  } finally {
    carrier.close()
  }
}

function time(name: string, work: Work, quick: boolean): Promise<Timing> {
  return new Promise((resolve, reject) => {
    const test =
      'call' in work
        ? work.call
        : (deferred: { resolve(): void }) => work.ending(() => deferred.resolve())
    const bench = new Benchmark(name, test, {
      defer: 'ending' in work,
      async: true,
      maxTime: quick ? 0.2 : 2,
    })
    bench.on('complete', () => {
      if (bench.error !== undefined) reject(bench.error as Error)
      else resolve({ name, us: bench.stats.mean * 1e6, error: bench.stats.rme / 100 })
    })
    bench.run()
  })
}

const TWO_PATHS = [0, 1]
const ANYWHERE = Uint8Array.of(127, 0, 0, 1)

/** An engine with one peer on two paths and nothing to carry: a UDP socket stands in for the TUN. */
class Carrier {
  readonly #engine: Engine
  #onStats: () => void = () => {}

  constructor() {
    const tun = {
      fd: openUdp({ family: 4, address: '127.0.0.1' }).fd,
      name: 'none',
      offload: false,
    }
    this.#engine = new Engine({ tun, seed: 1, onBell: () => this.#drain() })
    const commands: EngineCommand[] = [
      { kind: 'peerAdd', fields: { peer: 0, everything: 1 } },
      ...TWO_PATHS.map((path) => ({
        kind: 'pathAdd' as const,
        fields: { peer: 0, path, port: 0, family: 4, remotePort: 9, remote: ANYWHERE },
      })),
    ]
    for (const command of commands) this.#engine.command(command)
  }

  #drain(): void {
    for (const { kind } of this.#engine.readEvents()) if (kind === 'statsEnd') this.#onStats()
  }

  readNothing(): void {
    this.#engine.readEvents()
  }

  readStats(ended: () => void): void {
    this.#onStats = ended
    this.#engine.command({ kind: 'statsRequest', fields: { token: 1 } })
  }

  close(): void {
    this.#engine.close()
  }
}

function crossingWorks(carrier: Carrier): Record<string, Work> {
  const addon = loadAddon()
  const fields = { peer: 0, path: 1, port: 0, family: 4, remotePort: 9, remote: ANYWHERE }
  const { value, layout } = EVENT.pathStats
  const slot = new Codec(layout, 'aligned').encode({ kind: value, peer: 0, path: 1 })
  return {
    'addon: a call': { call: () => addon.digest() },
    'crossing: a command, encoded': { call: () => encodeCommand({ kind: 'pathAdd', fields }) },
    'crossing: stats of a path, decoded': { call: () => decodeEvent(slot) },
    'crossing: events, none waiting': { call: () => carrier.readNothing() },
    'engine: stats of a peer with two paths': { ending: (ended) => carrier.readStats(ended) },
  }
}

function planWorks(): Record<string, Work> {
  const paths = [0, 1, 2, 3]
  const policyOf = (mode: Policy['mode']): Policy => ({
    ...DEFAULT_POLICY,
    mode,
    paths: paths.map((path) => ({ ...DEFAULT_PATH_POLICY, path, weight: 10 * path + 7 })),
  })
  const work = (mode: Policy['mode']): Work => {
    const policy = policyOf(mode)
    const members = paths.map((path) => pathPolicy(policy, path))
    return { call: () => encodePlan(compilePlan(policy, members, [], 0), policy) }
  }
  return {
    'plan: balance-rr of four paths': work('balance-rr'),
    'plan: balance-xor of four paths': work('balance-xor'),
    'plan: active-backup of four paths': work('active-backup'),
  }
}

const random = (count: number) => randomFillSync(new Uint8Array(count))
const INSTANCE = new Uint8Array(8)

class Handshake {
  readonly #client: KeyPair = keyPairOf(random(32))
  readonly #server: KeyPair = keyPairOf(random(32))

  initiate() {
    return createInitiation({
      staticKey: this.#client,
      serverPublicKey: this.#server.publicKey,
      psk: NO_PSK,
      ephemeralSecret: random(32),
      localIndex: 1,
      payload: {
        timestamp: 1,
        instance: INSTANCE,
        invite: NO_INVITE,
        aeads: 3,
        preferred: 2,
        features: 0,
        reserved: 0,
      },
    })
  }

  consume(message: Uint8Array) {
    const consumed = consumeInitiation({ staticKey: this.#server, message })
    if ('refused' in consumed) throw new Error(consumed.refused)
    return consumed
  }

  answer(message: Uint8Array) {
    return createResponse(this.consume(message).state, {
      psk: NO_PSK,
      ephemeralSecret: random(32),
      localIndex: 2,
      payload: {
        instance: INSTANCE,
        aead: 2,
        features: 0,
        ipv4: new Uint8Array(4),
        ipv4Prefix: 24,
        ipv6: new Uint8Array(16),
        ipv6Prefix: 64,
        serverIpv4: new Uint8Array(4),
        serverIpv6: new Uint8Array(16),
      },
    })
  }

  whole(): void {
    const { message, state } = this.initiate()
    const consumed = consumeResponse(state, this.answer(message).message)
    if ('refused' in consumed) throw new Error(consumed.refused)
  }
}

function handshakeWorks(): Record<string, Work> {
  const handshake = new Handshake()
  const { message } = handshake.initiate()
  return {
    "handshake: the client's first message": { call: () => handshake.initiate() },
    'handshake: the server, reading it': { call: () => handshake.consume(message) },
    'handshake: the server, reading and answering': { call: () => handshake.answer(message) },
    'handshake: both sides': { call: () => handshake.whole() },
  }
}
