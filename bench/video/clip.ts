/** The film that is streamed: made once, of pictures no two of which are alike, at one rate from frame to frame. */

import { join } from 'node:path'
import { run } from '../lab/namespaces.js'
import { digestOf, type Frame } from './frames.js'

export const FRAMES_PER_S = 25

export interface Clip {
  /** Of the MPEG transport stream. */
  readonly path: string
  readonly frames: readonly Frame[]
}

/** Of the rate of the transport stream: its packets' headers and tables, as measured. */
const VIDEO_SHARE = 0.976
/** Of the coder's buffer: no frame is much larger than its share, as of a coder for live video. */
const BUFFER_S = 0.2
const KEY_FRAME_EVERY = 2 * FRAMES_PER_S

/** Writes `MBIT.ts` into a directory. The transport stream has the rate; UDP and IP come on top of it. */
export async function makeClip(directory: string, mbit: number, seconds: number): Promise<Clip> {
  const path = join(directory, `${mbit}.ts`)
  const bits = Math.round(mbit * 1e6 * VIDEO_SHARE)
  const pictures = `testsrc2=size=640x360:rate=${FRAMES_PER_S}:duration=${seconds}`
  // Of one thread: more of them make the same pictures another film.
  const coder = `nal-hrd=cbr:keyint=${KEY_FRAME_EVERY}:scenecut=0:threads=1`
  await ffmpeg([
    ...['-y', '-f', 'lavfi', '-i', pictures, '-pix_fmt', 'yuv420p'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-x264-params', coder],
    ...['-b:v', `${bits}`, '-minrate', `${bits}`, '-maxrate', `${bits}`],
    ...['-bufsize', `${Math.round(bits * BUFFER_S)}`, '-f', 'mpegts', path],
  ])
  const { stdout } = await ffmpeg(['-i', path, ...DIGESTS])
  const digests = stdout.split('\n').flatMap((line) => digestOf(line) ?? [])
  if (new Set(digests).size !== seconds * FRAMES_PER_S) {
    throw new Error(`ffmpeg made ${new Set(digests).size} different frames for ${seconds} s`)
  }
  return { path, frames: digests.map((digest) => ({ digest })) }
}

/** A digest of each frame as it is in the stream, on standard output and at once. */
export const DIGESTS = ['-map', '0:v', '-c', 'copy', '-f', 'framemd5', '-flush_packets', '1', '-']

function ffmpeg(words: readonly string[]) {
  return run(['ffmpeg', '-nostdin', '-hide_banner', '-loglevel', 'error', ...words])
}
