/** Results as lines for people. */
import type { Result } from './simulate.js'
import type { Completion } from './transfer.js'
import type { WayResult } from './way.js'

const MBIT = 125_000

const mbit = (bytesPerS: number) => (bytesPerS / MBIT).toFixed(2)
const percent = (ratio: number) => `${(100 * ratio).toFixed(1)} %`
const ms = (us: number) => (us / 1000).toFixed(1)

/** One line for each direction that something went in; the ping is in the first. */
export function linesOf(title: string, { back, ping, ...way }: Result): string[] {
  const asked = ping
    ? ` | ping p50 ${ms(ping.p50Us)} p99 ${ms(ping.p99Us)} max ${ms(ping.maxUs)} ms, ${ping.lost} lost`
    : ''
  if (!back) return [`${title}: ${wordsOf(way)}${asked}`]
  return [
    `${title} to the ${way.towards}: ${wordsOf(way)}${asked}`,
    `${title} to the ${back.towards}: ${wordsOf(back)}`,
  ]
}

function wordsOf(way: WayResult): string {
  const { goodput, sum, best, possible, toNinetyUs, streams, links } = way
  const total = (pick: (stats: WayResult['streams'][number]) => number) =>
    streams.reduce((all, stats) => all + pick(stats), 0)
  return [
    `goodput ${mbit(goodput)} Mbit/s`,
    `${percent(goodput / possible)} of possible`,
    `${percent(goodput / sum)} of sum`,
    `${percent(goodput / best)} of best`,
    `retransmits ${total((s) => s.retransmits)}`,
    `recoveries ${total((s) => s.recoveries)}`,
    `timeouts ${total((s) => s.timeouts)}`,
    `undone ${total((s) => s.undos)}`,
    `reordered ${total((s) => s.reordered)}`,
    `lost ${total((s) => s.transmissions - s.arrivals)}`,
    `srtt ${ms(streams[0]?.srttUs ?? Number.NaN)} ms`,
    `gap ${ms(Math.max(...streams.map((s) => s.longestGapUs)))} ms`,
    `90 % after ${toNinetyUs === undefined ? 'never' : `${(toNinetyUs / 1e6).toFixed(1)} s`}`,
    `queue p95 ${links.map(({ queueP95Us }) => ms(queueP95Us)).join(' ')} ms`,
    `inflicted p95 ${links.map(({ inflictedP95Us }) => ms(inflictedP95Us)).join(' ')} ms`,
    `link drops ${links.map(({ full }) => full).join(' ')}`,
    `carried ${links.map(({ carried }) => mbit(carried)).join(' ')}`,
  ].join(' | ')
}

/** When all of a transfer has come. */
export function completionOf(title: string, { bondUs, bestUs, aloneUs }: Completion): string {
  const each = aloneUs.map(ms).join(' ')
  return `${title}: ${ms(bondUs)} ms | ${percent(bondUs / bestUs)} of the best alone | alone ${each}`
}

/** Goodput of each half second, Mbit/s. */
export function courseOf({ course }: WayResult): string {
  const halves = Array.from({ length: Math.ceil(course.length / 5) }, (_, half) =>
    course.slice(half * 5, half * 5 + 5).reduce((sum, bytes) => sum + bytes, 0),
  )
  return halves.map((bytes) => ((bytes * 2) / MBIT).toFixed(1)).join(' ')
}
