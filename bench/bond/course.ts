/** The course of a run drawn over time: goodput as a line over what went across each link. */

import { sheet, xml } from '../reporting/svg.js'
import { keyOf, type Results, type Row } from './results.js'
import { subjectName } from './subject.js'
import type { TimeLine } from './timeline.js'

const WIDTH = 760
const MARGIN = 24
const AXIS = 36
const PLOT = 110
const TITLE = 26
const GAP = 30
const HEAD = 84
const FOOT = 30
/** A line above it is cut off. */
const HEADROOM = 1.2
const LINK_FILLS = ['#bfdbfe', '#bbf7d0', '#fde68a']
const LINE = '#1d4ed8'
const AWAY = '#ef4444'

/** Whose courses are compared, in this order. */
const SUBJECTS = ['adaptive', 'mptcp', 'balance-rr', 'active-backup']

/** One scenario's, with one congestion control and TCP alone; undefined when it was not measured. */
export function drawCourse(
  results: Results,
  scenario: string,
  caption: string,
): string | undefined {
  const rows = SUBJECTS.flatMap((subject) =>
    results.rows.filter(
      (row) =>
        row.scenario === scenario &&
        row.load === 'tcp' &&
        row.timeLine !== undefined &&
        keyOf(row.subject) === subject,
    ),
  ).filter(({ congestion }, _, all) => congestion === all[0]?.congestion)
  const [first] = rows
  if (first === undefined) return undefined
  const most = HEADROOM * Math.max(...rows.flatMap(({ timeLine }) => peaks(timeLine!)))
  const panels = rows.map((row, index) => drawPanel(row, most, HEAD + index * (TITLE + PLOT + GAP)))
  const info = results.scenarios.find(({ id }) => id === scenario)
  const text = `line: payload of one TCP connection (${first.congestion}) as it arrives; areas: what each link delivers; red: that link is away`
  return sheet({
    width: WIDTH,
    height: HEAD + rows.length * (TITLE + PLOT + GAP) - GAP + FOOT,
    margin: MARGIN,
    title: info?.title ?? scenario,
    caption,
    body: [
      `<text x="${MARGIN}" y="68" font-size="11" fill="#475569">${xml(text)}</text>`,
      ...panels,
    ].join('\n'),
  })
}

/** Of the stacked links: the line beyond them is what had waited for others, all at once. */
function peaks({ links }: TimeLine): number[] {
  const [first = []] = Object.values(links)
  const stacked = first.map((_, step) =>
    Object.values(links).reduce((sum, rates) => sum + rates[step]!, 0),
  )
  return [1, ...stacked]
}

function drawPanel({ subject, timeLine }: Row, most: number, top: number): string {
  const { stepS, mbit, links, happened } = timeLine!
  const left = MARGIN + AXIS
  const width = WIDTH - left - MARGIN
  const base = top + TITLE + PLOT
  const x = (s: number) => left + (s / (mbit.length * stepS)) * width
  const y = (rate: number) => base - (Math.min(most, Math.max(0, rate)) / most) * PLOT
  const point = (step: number, rate: number) =>
    `${x((step + 0.5) * stepS).toFixed(1)},${y(rate).toFixed(1)}`
  const below = mbit.map(() => 0)
  const areas = Object.values(links).map((rates, index) => {
    const bottom = below.map((rate, step) => point(step, rate)).reverse()
    for (const [step, rate] of rates.entries()) below[step]! += rate
    const edge = below.map((rate, step) => point(step, rate))
    return `<polygon points="${[...edge, ...bottom].join(' ')}" fill="${LINK_FILLS[index % LINK_FILLS.length]}"/>`
  })
  const names = Object.keys(links)
  const absences = absencesOf(happened, mbit.length * stepS).map(({ link, fromS, toS }) => {
    const row = base + 3 + names.indexOf(link) * 4
    return `<rect x="${x(fromS).toFixed(1)}" y="${row}" width="${(x(toS) - x(fromS)).toFixed(1)}" height="3" fill="${AWAY}"/>`
  })
  const ticks = Array.from(
    { length: Math.floor((mbit.length * stepS) / 5) + 1 },
    (_, index) => index * 5,
  )
  return [
    `<text x="${MARGIN}" y="${top + 16}" font-weight="600" fill="#334155">${xml(subjectName(subject))}</text>`,
    ...areas,
    `<polyline points="${mbit.map((rate, step) => point(step, rate)).join(' ')}" fill="none" stroke="${LINE}" stroke-width="1.5"/>`,
    ...absences,
    `<line x1="${left}" y1="${base}" x2="${left + width}" y2="${base}" stroke="#94a3b8"/>`,
    `<text x="${left - 6}" y="${y(most).toFixed(1)}" text-anchor="end" font-size="10" dominant-baseline="hanging">${most.toFixed(0)}</text>`,
    `<text x="${left - 6}" y="${base}" text-anchor="end" font-size="10">0</text>`,
    ...ticks.map(
      (s) =>
        `<text x="${x(s).toFixed(1)}" y="${base + 22}" text-anchor="middle" font-size="10" fill="#475569">${s} s</text>`,
    ),
  ].join('\n')
}

/** From each cut to the next restore of the same link. */
function absencesOf(happened: TimeLine['happened'], endS: number) {
  return happened
    .filter(({ what }) => what === 'cut' || what === 'unplug')
    .map(({ atS, link }) => {
      const back = happened.find(
        (each) =>
          each.link === link && each.atS > atS && (each.what === 'restore' || each.what === 'plug'),
      )
      return { link, fromS: atS, toS: back?.atS ?? endS }
    })
}
