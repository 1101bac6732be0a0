/** Full speed in both directions at once: each keeps its own short queue, whatever waits the other way. */
import { describe, expect, it } from 'vitest'
import type { WayResult } from '../../bench/sweep/way.js'
import { links, run } from './adaptive_fixture.js'

const MS = 1000
const QUEUE = 'queue=300ms'
const share = (way: WayResult) => way.goodput / way.possible

/** Acknowledgements and reports of the other direction take 4 to 5 % of what the links leave. */
const CASES = [
  {
    name: '20 @10 + 20 @25 ms',
    of: links(`rate=20,delay=10,${QUEUE}`, `rate=20,delay=25,${QUEUE}`),
    pingMs: 40,
    least: { cubic: [0.94, 0.94], bbr: [0.91, 0.91] },
  },
  {
    name: '20 @10 ms alone',
    of: links(`rate=20,delay=10,${QUEUE}`),
    pingMs: 38,
    least: { cubic: [0.94, 0.94], bbr: [0.87, 0.89] },
  },
  {
    name: '20 down, 5 up @10 + the same @25 ms',
    of: links(
      `down.rate=20,up.rate=5,delay=10,${QUEUE}`,
      `down.rate=20,up.rate=5,delay=25,${QUEUE}`,
    ),
    pingMs: 50, // a packet takes 2.4 ms upward
    least: { cubic: [0.81, 0.96], bbr: [0.77, 0.93] },
  },
] as const

describe.each(CASES)('$name', ({ of, pingMs, least }) => {
  it.each([
    { congestion: 'cubic', both: 'apart' },
    { congestion: 'cubic', both: 'joined' },
    { congestion: 'bbr', both: 'apart' },
    { congestion: 'bbr', both: 'joined' },
  ] as const)(
    'carries $congestion both ways, $both, and a ping in time',
    async ({ congestion, both }) => {
      const { back, ping, ...way } = await run(of, {
        congestion,
        both,
        pingPerSecond: 20,
        fromSeconds: 8,
      })
      expect(share(way)).toBeGreaterThan(least[congestion][0])
      expect(share(back!)).toBeGreaterThan(least[congestion][1])
      expect(ping!.p99Us).toBeLessThan(pingMs * MS)
    },
  )
})

it('keeps the targets for as long as it lasts', async () => {
  const { ping } = await run(CASES[0].of, {
    both: 'apart',
    pingPerSecond: 20,
    seconds: 150,
    fromSeconds: 100,
  })
  expect(ping!.p99Us).toBeLessThan(44 * MS)
})
