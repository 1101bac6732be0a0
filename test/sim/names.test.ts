/** What the server calls the paths, told by two real engines over links that lose a lot. */
import { describe, expect, it } from 'vitest'
import { openPair } from './pair_fixture.js'
import { type Pair, SECOND } from './tunnel.js'

const MS = 1000
const lossy = (delayMs: number) => ({ link: { delayUs: delayMs * MS, loss: 0.3 } })

const labels = ({ server }: Pair) =>
  server.core
    .snapshot()
    .peers[0]!.paths.toSorted((a, b) => a.path - b.path)
    .map(({ label }) => label)

describe('the names of paths', () => {
  it.each([1, 2, 3, 4])(
    'reach the server whatever is lost, when they change and when it starts again, seed %i',
    async (seed) => {
      const two = await openPair({ seed, uplinks: [lossy(20), lossy(60)] })
      two.flow({ packetsPerSecond: 50 })
      two.runFor(3 * SECOND)
      expect(labels(two)).toEqual(['uplink0', 'uplink1'])

      two.tell((client, nowUs) => client.removeUplink(nowUs, 'uplink1'))
      // Its last words may come after the news.
      two.runFor(10 * SECOND)
      expect(labels(two)).toEqual(['uplink0'])
      // Its socket gets the number that is free, and with it the link.
      two.tell((client, nowUs) => {
        client.setUplink(nowUs, 'cable', {})
        client.handleSocket(nowUs, 'cable', 4, 0)
      })
      two.runFor(5 * SECOND)
      expect(labels(two)).toEqual(['uplink0', 'cable'])

      two.restartServer()
      two.runFor(15 * SECOND)
      expect(two.server.factsOf('session-up')).toHaveLength(1)
      expect(labels(two)).toEqual(['uplink0', 'cable'])
    },
  )
})
