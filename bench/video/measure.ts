/** One film through one subject: a lab of its own, its links cut meanwhile, and what arrived. */

import { overheadOf } from '../bond/overhead.js'
import { openSubject, type Subject } from '../bond/subject.js'
import { startWatch } from '../bond/watch.js'
import { createLab } from '../lab/lab.js'
import { type Clip, FRAMES_PER_S, makeClip } from './clip.js'
import { type FramesReport, judgeFrames } from './frames.js'
import type { VideoScenario } from './scenarios.js'
import { startVideo, type Transport } from './stream.js'

export interface VideoRun {
  readonly scenario: VideoScenario
  readonly subject: Subject
  readonly transport: Transport
  readonly seed: number
}

export interface VideoMeasured extends FramesReport {
  /** Of the receiver's ffmpeg. */
  readonly complaints: number
  /** By the tunnel's own queue; undefined where the mode has none. */
  readonly queueDropped: number | undefined
  /** Lost packets that the tunnel did not send again. */
  readonly givenUp: number | undefined
  readonly resentShare: number | undefined
  /** The emulator's worst lateness: how far to trust the run. */
  readonly lateMaxUs: number
}

/** Film after what counts: a stream's end is not a cut, and a live sender of SRT drops what it still has. */
const RUN_OUT_S = 2

export async function measureVideo(run: VideoRun): Promise<VideoMeasured> {
  const { scenario, subject, transport, seed } = run
  const { links, mbit, seconds } = scenario
  const lab = await createLab({
    name: 'video',
    links: links.map(({ name, description }) => ({ name, description, nat: false })),
    seed,
  })
  try {
    const clip: Clip = await makeClip(lab.directory, mbit, seconds + RUN_OUT_S)
    const carrier = await openSubject(lab, links, subject)
    const before = await carrier.reports()
    const stream = await startVideo(lab, carrier.up, transport, clip.path)
    const isHere = ({ link }: { link: string }) => subject.kind !== 'alone' || link === subject.link
    const watch = startWatch(lab, 'up', scenario.happenings.filter(isHere))
    try {
      await stream.sent
    } finally {
      watch.stop()
    }
    const { lateMaxUs } = await watch.ended
    const { frames, complaints } = await stream.end()
    const after = await carrier.reports()
    await carrier.close()
    const { queueDropped, givenUp, resentShare } =
      before === undefined || after === undefined ? {} : overheadOf('up', before, after)
    return {
      ...judgeFrames(clip.frames, frames, {
        counted: seconds * FRAMES_PER_S,
        frameMs: 1000 / FRAMES_PER_S,
        settledFrames: FRAMES_PER_S,
      }),
      ...{ complaints: complaints.length, queueDropped, givenUp, resentShare, lateMaxUs },
    }
  } finally {
    await lab.close()
  }
}
