/** Machines that stand still now and then, as virtual ones do whose host is busy: that is no uplink's fault. */
import { afterEach, describe, expect, it } from 'vitest'
import { Pair, SECOND, seededRandom } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const MEAN_APART_US = 100 * MS
const LONGEST_US = 100 * MS

let pair: Pair | undefined
afterEach(() => {
  pair?.close()
  pair = undefined
})

const link = (mbit: number, delayMs: number) => ({
  link: { rateBytesPerS: mbit * MBIT, delayUs: delayMs * MS, queueUs: 300 * MS },
})

/** Every tenth of a second each machine stands still, or does not, for up to 100 ms. */
function runWithPauses(of: Pair, us: number, share: () => number): void {
  const endUs = of.nowUs + us
  while (of.nowUs < endUs) {
    of.runFor(Math.min(endUs - of.nowUs, Math.round(2 * MEAN_APART_US * share()) + 1))
    for (const { node } of [of.client, of.server]) {
      if (share() < 0.5) node.pauseUntil(of.nowUs + Math.round(LONGEST_US * share()))
    }
  }
}

describe('machines that pause', () => {
  it.each([1, 2, 3])('keep the link that carries most in use, seed %i', async (seed) => {
    const random = seededRandom(`pauses ${seed}`)
    const share = () => random(1)[0]! / 256
    pair = await Pair.open({
      seed,
      uplinks: [link(300, 10), link(80, 30)],
      policy: { mode: 'adaptive' },
    })
    const stream = pair.stream({ congestion: 'cubic' })
    for (let second = 0; second < 14; second++) {
      runWithPauses(pair, SECOND, share)
      const [most] = pair.client.core.snapshot().peers[0]!.paths
      expect(most).toMatchObject({ inPlan: true, why: '' })
    }
    expect(stream.goodput(6 * SECOND, 14 * SECOND)).toBeGreaterThan(74 * MBIT)
    expect(stream.stats().reordered).toBe(0)
  })
})
