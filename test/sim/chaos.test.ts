/** Three links to which everything happens that happens to links, for minutes, in an order of chance. */
import { describe, expect, it } from 'vitest'
import type { LinkShape } from '../../bench/sim/addon.js'
import type { Pair } from '../../bench/sim/tunnel.js'
import { openPair } from './pair_fixture.js'
import { SECOND, seededRandom } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const HAPPENINGS = 150
/** Of 1.5 Mbit/s each way, well below what any one of the links carries. */
const FLOW = { packetsPerSecond: 200, payloadBytes: 900 }

const LINKS: readonly LinkShape[] = [
  { rateBytesPerS: 16 * MBIT, delayUs: 15 * MS, queueUs: 200 * MS },
  { rateBytesPerS: 20 * MBIT, delayUs: 35 * MS, jitterUs: 5 * MS, queueUs: 300 * MS, loss: 0.002 },
  { rateBytesPerS: 30 * MBIT, delayUs: 60 * MS, queueUs: 100 * MS },
]

/** What it happens to is chance, too; a second cut restores, a second unplugging plugs in again. */
const DEEDS = ['cut', 'cut', 'unplug', 'nat', 'rate', 'delay', 'loss', 'nothing'] as const

class Chaos {
  readonly #pair: Pair
  readonly #random: (count: number) => Uint8Array
  readonly #shapes = LINKS.map((shape) => ({ ...shape }))
  readonly #down = new Set<number>()
  #unplugged: number | undefined
  #ports = 20_000

  constructor(pair: Pair, seed: number) {
    this.#pair = pair
    this.#random = seededRandom(`chaos ${seed}`)
  }

  /** What has happened, for whom a test fails. */
  happen(): string {
    const at = this.#below(LINKS.length)
    const shape = this.#shapes[at]!
    const what = this.#pick(DEEDS)
    switch (what) {
      case 'cut':
        this.#cut(at)
        break
      case 'unplug':
        this.#unplug(at)
        break
      case 'nat':
        this.#pair.links[at]!.rebind(`203.0.113.${1 + this.#below(250)}`, this.#ports++)
        break
      case 'rate':
        shape.rateBytesPerS = this.#pick([4, 8, 16, 30]) * MBIT
        break
      case 'delay':
        shape.delayUs = this.#pick([5, 15, 40, 90]) * MS
        break
      case 'loss':
        shape.loss = this.#pick([0, 0.002, 0.02, 0.05])
        break
      case 'nothing':
    }
    this.#pair.links[at]!.set(shape)
    return `${what} of link ${at}; down ${[...this.#down]}; unplugged ${this.#unplugged}`
  }

  pauseUs(): number {
    return 1500 * MS + this.#below(4000) * MS
  }

  /** One link is left at least. */
  #cut(at: number): void {
    if (this.#down.delete(at)) this.#pair.restore(at)
    else if (!this.#isLast && this.#unplugged !== at) {
      this.#down.add(at)
      this.#pair.cut(at)
    }
  }

  #unplug(at: number): void {
    if (this.#unplugged !== undefined) {
      this.#pair.plug(this.#unplugged)
      this.#unplugged = undefined
    } else if (!this.#isLast && !this.#down.has(at)) {
      this.#pair.unplug(at)
      this.#unplugged = at
    }
  }

  get #isLast(): boolean {
    return this.#down.size + (this.#unplugged === undefined ? 0 : 1) >= LINKS.length - 1
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!
  }

  #below(limit: number): number {
    const [a, b] = this.#random(2)
    return Math.floor(((a! * 256 + b!) / 65536) * limit)
  }
}

describe('links to which everything happens', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'carry datagrams, nearly all of them, and in time, seed %i',
    async (seed) => {
      const pair = await openPair({
        seed,
        uplinks: LINKS.map((link) => ({ link })),
        policy: { mode: 'adaptive' },
      })
      const chaos = new Chaos(pair, seed)
      const flows = [pair.flow(FLOW), pair.flow({ ...FLOW, towards: 'client' })]
      for (let count = 0; count < HAPPENINGS; count++) {
        const what = chaos.happen()
        pair.runFor(chaos.pauseUs())
        for (const flow of flows) {
          expect(flow.restart().delayMaxUs, `${pair.nowUs} us: ${what}`).toBeLessThan(3 * SECOND)
        }
      }
      for (const flow of flows) flow.stop()
      pair.runFor(2 * SECOND)
      for (const { sent, received } of flows.map((flow) => flow.stats())) {
        expect(sent - received).toBeLessThan(sent / 200)
      }
    },
  )
})
