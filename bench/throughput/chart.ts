/** The figures as horizontal bars, in SVG 1.1. */

import { sheet, xml } from '../reporting/svg.js'
import type { Kind } from './contestants/contestant.js'
import { cost, gbit, micros, thousands } from './quantity.js'
import { type ContestantInfo, contestantsOf, medianOf, type Results } from './results.js'
import type { Metric } from './sample.js'

interface Panel {
  readonly title: string
  readonly case: string
  readonly metric: Metric
  readonly format: (value: number) => string
}

/** What the kernel does alone would make all other bars invisible: it is told in words. */
const PANELS: readonly Panel[] = [
  { title: 'One TCP stream, Gbit/s', case: 'tcp1', metric: 'mbit', format: gbit },
  { title: 'Four TCP streams, Gbit/s', case: 'tcp4', metric: 'mbit', format: gbit },
  {
    title: 'One TCP stream with one core for everything, Gbit/s',
    case: 'tcp1-one-core',
    metric: 'mbit',
    format: gbit,
  },
  {
    title: '64-octet datagrams at less than 0.5 % loss, thousands a second',
    case: 'udp64',
    metric: 'halfPercentPerS',
    format: thousands,
  },
  {
    title: 'CPU seconds for a GB at 500 Mbit/s, both ends (less is better)',
    case: 'tcp-500',
    metric: 'cpuSPerGb',
    format: cost,
  },
  {
    title: 'Ping through the idle tunnel, microseconds (less is better)',
    case: 'idle',
    metric: 'pingUs',
    format: micros,
  },
]

const COLOUR: Readonly<Record<Kind, string>> = {
  mptun: '#1d4ed8',
  unsealed: '#93b4f5',
  peer: '#94a3b8',
  relay: '#cbd5e1',
  kernel: '#cbd5e1',
}

const WIDTH = 760
const MARGIN = 24
const NAME_WIDTH = 190
/** Room for the number behind the longest bar. */
const VALUE_WIDTH = 60
const BAR = 16
const STEP = 23
const TITLE = 30
const GAP = 18
const HEAD = 60
const FOOT = 30

export function drawChart(results: Results, caption: string): string {
  const parts: string[] = []
  let top = HEAD
  for (const panel of PANELS) {
    const bars = barsOf(panel, results)
    if (bars.length === 0) continue
    parts.push(drawPanel(panel, bars, top))
    top += TITLE + bars.length * STEP + GAP
  }
  const height = top - GAP + FOOT
  return sheet({
    width: WIDTH,
    height,
    margin: MARGIN,
    title: 'mptun beside other userspace tunnels',
    caption,
    body: parts.join('\n'),
  })
}

interface Bar {
  readonly contestant: ContestantInfo
  readonly value: number
}

function barsOf({ case: caseId, metric }: Panel, results: Results): Bar[] {
  return contestantsOf(results, caseId)
    .filter(({ kind }) => kind !== 'kernel')
    .flatMap((contestant) => {
      const value = medianOf(results, caseId, contestant.id, metric)
      return value === undefined ? [] : [{ contestant, value }]
    })
}

function drawPanel({ title, format }: Panel, bars: readonly Bar[], top: number): string {
  const most = Math.max(...bars.map(({ value }) => value))
  const left = MARGIN + NAME_WIDTH
  const room = WIDTH - left - MARGIN - VALUE_WIDTH
  const lines = bars.map(({ contestant, value }, index) => {
    const y = top + TITLE + index * STEP
    const width = Math.max(1, (value / most) * room)
    const weight = contestant.kind === 'mptun' ? ' font-weight="600"' : ''
    const middle = y + BAR / 2 + 4.5
    return `<text x="${left - 10}" y="${middle}" text-anchor="end"${weight}>${xml(contestant.title)}</text>
<rect x="${left}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${COLOUR[contestant.kind]}"/>
<text x="${(left + width + 8).toFixed(1)}" y="${middle}"${weight}>${format(value)}</text>`
  })
  const heading = `<text x="${MARGIN}" y="${top + 18}" font-weight="600" fill="#334155">${xml(title)}</text>`
  return [heading, ...lines].join('\n')
}
