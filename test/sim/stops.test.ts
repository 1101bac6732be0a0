/** Links that stop and keep what they are sent, as radio links do: what stands in them is for them to deliver. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { SECOND } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const STEADY_MS = 5000
const STOP_MS = 2800

/** 12 Mbit/s, and a stop in between. */
const stopping = () => ({
  trace: Uint32Array.from({ length: 2 * STEADY_MS }, (_, ms) =>
    ms < STEADY_MS ? ms : ms + STOP_MS,
  ),
  delayUs: 20 * MS,
  queueUs: SECOND,
})

/** Where the stop finds the stream is chance: several starts are judged by the one in the middle. */
const STARTS_MS = [2000, 2015, 2030, 2045, 2060]

/** What the link takes in the second after a stop, bytes. */
async function takenAfter(warmUpUs: number): Promise<number> {
  const pair = await openPair({
    uplinks: [
      { link: { rateBytesPerS: 12 * MBIT, delayUs: 20 * MS, queueUs: SECOND } },
      { link: stopping(), backward: stopping() },
    ],
    policy: { mode: 'adaptive' },
    warmUpUs,
  })
  const [, link] = pair.links
  const sent = () => link!.counters('forward').offered
  pair.stream({ congestion: 'cubic' })
  pair.runFor(STEADY_MS * MS - pair.nowUs)
  pair.runFor(SECOND)
  const before = sent()
  pair.runFor((STOP_MS - 1100) * MS)
  expect(sent() - before).toBeLessThanOrEqual(50)
  pair.runFor(300 * MS)
  expect(pair.client.node.pathStats()[1]!.srttUs).toBeLessThan(200 * MS)
  const again = link!.counters('forward').acceptedBytes
  pair.runFor(SECOND)
  return link!.counters('forward').acceptedBytes - again
}

describe('a link that stops', () => {
  it('is asked ever more rarely, and its round trip is what it was', async () => {
    const taken: number[] = []
    for (const startMs of STARTS_MS) taken.push(await takenAfter(startMs * MS))
    expect(taken.toSorted((a, b) => a - b)[2]).toBeGreaterThan(8 * MBIT)
  })
})
