/** Machines that stand still now and then, as virtual ones do whose host is busy: that is no uplink's fault. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND, seededRandom } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const MEAN_APART_US = 100 * MS

const link = (mbit: number, delayMs: number) => ({
  link: { rateBytesPerS: mbit * MBIT, delayUs: delayMs * MS, queueUs: 300 * MS },
})

const sharesOf = (seed: number) => {
  const random = seededRandom(`pauses ${seed}`)
  return () => random(1)[0]! / 256
}

/** Every tenth of a second each machine stands still, or does not, for so long or less. */
function runWithPauses(of: Pair, us: number, longestUs: number, share: () => number): void {
  const endUs = of.nowUs + us
  while (of.nowUs < endUs) {
    of.runFor(Math.min(endUs - of.nowUs, Math.round(2 * MEAN_APART_US * share()) + 1))
    for (const { node } of [of.client, of.server]) {
      if (share() < 0.5) node.pauseUntil(of.nowUs + Math.round(longestUs * share()))
    }
  }
}

describe('machines that pause', () => {
  it.each([1, 2, 3])('keep the link that carries most in use, seed %i', async (seed) => {
    const share = sharesOf(seed)
    const pair = await openPair({
      seed,
      uplinks: [link(300, 10), link(80, 30)],
      policy: { mode: 'adaptive' },
    })
    const stream = pair.stream({ congestion: 'cubic' })
    for (let second = 0; second < 14; second++) {
      runWithPauses(pair, SECOND, 100 * MS, share)
      const [most] = pair.client.core.snapshot().peers[0]!.paths
      expect(most).toMatchObject({ inPlan: true, why: '' })
    }
    expect(stream.goodput(6 * SECOND, 14 * SECOND)).toBeGreaterThan(74 * MBIT)
    expect(stream.stats().reordered).toBe(0)
  })

  it.each([
    ['client', 9],
    ['client', 12],
    ['server', 16],
    ['client', 16.6],
  ] as const)(
    'as long as a lid is closed carry on where they were: the %s, %f s',
    async (which, seconds) => {
      const pair = await openPair({
        seed: 1,
        uplinks: [link(12, 5), link(10, 35)],
        policy: { mode: 'adaptive' },
      })
      const stream = pair.stream({ congestion: 'cubic', towards: which })
      pair.runFor(10 * SECOND)
      pair[which].node.pauseUntil(pair.nowUs + seconds * SECOND)
      pair.runFor((seconds + 2) * SECOND)
      const fromUs = (12 + seconds) * SECOND
      pair.runFor(10 * SECOND)
      expect(stream.goodput(fromUs, fromUs + 10 * SECOND)).toBeGreaterThan(0.9 * 22 * MBIT)
    },
  )

  it('are not taken for uplinks that fell silent', async () => {
    let sent = 0
    let resent = 0
    for (const seed of [1, 2, 3, 4, 5]) {
      const pair = await openPair({
        seed,
        uplinks: [link(20, 10), link(20, 25)],
        policy: { mode: 'adaptive' },
      })
      const stream = pair.stream({ congestion: 'cubic' })
      runWithPauses(pair, 20 * SECOND, 60 * MS, sharesOf(seed))
      sent += stream.stats().transmissions
      for (const event of pair.client.node.stats()) {
        if (event.kind === 'peerStats') resent += event.resent
      }
      pair.close()
    }
    expect(resent).toBeLessThan(0.014 * sent)
  })
})
