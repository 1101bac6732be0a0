/** Live video of a real ffmpeg while its uplinks are cut; bench/video measures the same at length. */

import { describe, expect, it } from 'vitest'
import { FRAMES_PER_S } from '../../bench/video/clip.js'
import { measureVideo } from '../../bench/video/measure.js'
import { videoScenario } from '../../bench/video/scenarios.js'

const SECONDS = 8

describe('live video over two uplinks of 6 Mbit/s, one of them cut every five seconds', () => {
  it.concurrent.each([
    // One link carries it; test/sim/live.test.ts has one that needs both.
    ['udp', 5, 2500],
    ['srt', 5, 2500],
  ] as const)(
    'arrives whole over %s at %d Mbit/s with cuts of %d ms',
    async (transport, mbit, cutMs) => {
      const measured = await measureVideo({
        scenario: videoScenario(mbit, cutMs, SECONDS),
        subject: { kind: 'mode', mode: 'adaptive' },
        transport,
        seed: 1,
      })
      const figures = JSON.stringify(measured)
      expect(measured, figures).toMatchObject({
        intact: SECONDS * FRAMES_PER_S,
        corrupt: 0,
        missing: 0,
        disordered: 0,
      })
      expect(measured.complaints, figures).toBe(0)
    },
  )
})
