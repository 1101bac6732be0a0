/** What every room of the core is given: a place for commands and facts, randomness, and numbers that must be unique. */
import type { EngineCommand } from '../boundary.js'
import { FEATURE } from '../wire.js'
import type { Fact } from './facts.js'
import type { Offer } from './handshake.js'
import type { KeyPair, RandomBytes } from './keys.js'

export interface CoreOptions {
  readonly staticKey: KeyPair
  readonly randomBytes: RandomBytes
  /** AEAD bits that the addon offers, and those of them that are fast here. */
  readonly aeads: { readonly available: number; readonly preferred: number }
  /** The time of day, microseconds since 1970. Asked at each handshake, because a router may learn it late. */
  readonly wallUs: () => number
  readonly probing: ProbingOptions
}

export interface ProbingOptions {
  /** Between probes of a path in use. */
  readonly intervalUs: number
  readonly keepaliveUs: number
}

/** FEATURE bits of this program. */
export const FEATURES: number =
  FEATURE.partialChecksum.value |
  FEATURE.repair.value |
  FEATURE.sizes.value |
  FEATURE.compression.value

/** What is told of this side in a handshake. */
export function offerOf({ aeads }: CoreOptions): Offer {
  return { aeads: aeads.available, preferred: aeads.preferred, features: FEATURES }
}

export class Context {
  readonly options: CoreOptions
  readonly #commands: EngineCommand[] = []
  readonly #facts: Fact[] = []
  readonly #indices = new Set<number>()

  constructor(options: CoreOptions) {
    this.options = options
  }

  command(command: EngineCommand): void {
    this.#commands.push(command)
  }

  fact(fact: Fact): void {
    this.#facts.push(fact)
  }

  pollCommand(): EngineCommand | undefined {
    return this.#commands.shift()
  }

  pollFact(): Fact | undefined {
    return this.#facts.shift()
  }

  /** A receiver index that no epoch of this process has. */
  takeIndex(): number {
    for (;;) {
      const [low = 0, high = 0] = this.options.randomBytes(2)
      const index = low | (high << 8)
      if (index === 0 || this.#indices.has(index)) continue
      this.#indices.add(index)
      return index
    }
  }

  giveIndex(index: number): void {
    this.#indices.delete(index)
  }
}
