/** What was true of the links and of the daemons at each moment of a soak. Times are of CLOCK_MONOTONIC. */

/** The truth about a link, from one happening to the next. */
export interface LinkTruth {
  readonly name: string
  /** Only small packets pass one that is narrow. */
  readonly state: 'up' | 'cut' | 'unplugged' | 'narrow' | 'removed'
  readonly mbit: number
  readonly delayMs: number
  readonly lossPercent: number
  /** Its device has the second of its addresses. */
  readonly isRenumbered: boolean
  /** It has been so since then. */
  readonly sinceMs: number
}

/** From this moment until the next one. */
export interface Moment {
  readonly atMs: number
  readonly what: string
  readonly links: readonly LinkTruth[]
  /** Both daemons run, and know each other, from then on; undefined while one of them does not run. */
  readonly servedSinceMs: number | undefined
}

/** In the order of their time; what was last goes on for ever. */
export type Course = readonly Moment[]

/** A time without happenings in which the daemons ran. */
export interface Stretch {
  readonly fromMs: number
  readonly toMs: number
  readonly after: Moment
}

export function isServedAt({ servedSinceMs }: Moment, atMs: number): boolean {
  return servedSinceMs !== undefined && servedSinceMs <= atMs
}

/** All that was true at some time between the two. */
export function momentsBetween(course: Course, fromMs: number, toMs: number): Moment[] {
  return course.filter(({ atMs }, index) => {
    const untilMs = course[index + 1]?.atMs ?? Number.POSITIVE_INFINITY
    return atMs < toMs && untilMs > fromMs
  })
}

/** Whether the daemons ran and the same link was up, and nothing happened to it, all the while. */
export function wasWell(course: Course, fromMs: number, toMs: number): boolean {
  const moments = momentsBetween(course, fromMs, toMs)
  if (!moments.every((moment) => isServedAt(moment, fromMs))) return false
  const wellIn = ({ links }: Moment) =>
    links
      .filter(({ state, sinceMs }) => state === 'up' && sinceMs <= fromMs)
      .map(({ name }) => name)
  const [first = [], ...others] = moments.map(wellIn)
  return first.some((name) => others.every((names) => names.includes(name)))
}

export function calmStretches(course: Course, untilMs: number): Stretch[] {
  return course.flatMap((after, index) => {
    const { atMs, servedSinceMs = Number.POSITIVE_INFINITY } = after
    const fromMs = Math.max(atMs, servedSinceMs)
    const toMs = Math.min(course[index + 1]?.atMs ?? untilMs, untilMs)
    return fromMs < toMs ? [{ fromMs, toMs, after }] : []
  })
}
