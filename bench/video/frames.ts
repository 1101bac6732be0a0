/** Video frames by the digests of their octets: what was sent against what came out at the other end. */

export interface Frame {
  /** MD5 of the encoded frame, as ffmpeg's muxer `framemd5` prints it. */
  readonly digest: string
}

export interface ReceivedFrame extends Frame {
  /** When it was printed, CLOCK_MONOTONIC. */
  readonly atUs: number
}

export interface FramesReport {
  readonly sent: number
  /** Arrived octet by octet as they were sent. */
  readonly intact: number
  /** Arrived as none was sent. */
  readonly corrupt: number
  /** Never came, not even damaged. */
  readonly missing: number
  /** Places in the film of those that did not arrive intact. */
  readonly gone: readonly number[]
  /** Intact ones that came after a later one, or twice. */
  readonly disordered: number
  /** Between two intact frames next to each other in time; NaN of fewer than two. */
  readonly longestGapMs: number
  /** How much earlier than the latest of them the earliest came for its place: what a player must hold. */
  readonly holdMs: number
}

/** The digest of a line of `framemd5`; undefined: a line of its head. */
export function digestOf(line: string): string | undefined {
  if (line.startsWith('#')) return undefined
  // stream, dts, pts, duration, size, digest; what follows are digests of side data
  return line.split(',')[5]?.trim()
}

/**
 * @param sent every frame of the stream, no two alike. The first `counted` are judged; what comes after them
 * only ends the stream.
 * @param settledFrames so many of the first count, but not for the times: a receiver that joins looks at them first.
 */
export function judgeFrames(
  sent: readonly Frame[],
  received: readonly ReceivedFrame[],
  { counted, frameMs, settledFrames }: { counted: number; frameMs: number; settledFrames: number },
): FramesReport {
  const places = new Map(sent.map(({ digest }, place) => [digest, place]))
  const seen = new Set<number>()
  const timed: { place: number; atMs: number }[] = []
  let corrupt = 0
  let disordered = 0
  let next = 0
  for (const { digest, atUs } of received) {
    const place = places.get(digest)
    if (place === undefined) {
      corrupt++
      continue
    }
    if (place >= counted) continue
    if (place < next) disordered++
    next = Math.max(next, place + 1)
    seen.add(place)
    if (place >= settledFrames) timed.push({ place, atMs: atUs / 1000 })
  }
  const gaps = timed.slice(1).map(({ atMs }, index) => atMs - timed[index]!.atMs)
  const offsets = timed.map(({ place, atMs }) => atMs - place * frameMs)
  return {
    sent: counted,
    intact: seen.size,
    corrupt,
    missing: Math.max(0, counted - seen.size - corrupt),
    gone: Array.from({ length: counted }, (_, place) => place).filter((place) => !seen.has(place)),
    disordered,
    longestGapMs: gaps.length === 0 ? Number.NaN : Math.max(...gaps),
    holdMs: timed.length === 0 ? Number.NaN : Math.max(...offsets) - Math.min(...offsets),
  }
}
