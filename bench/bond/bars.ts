/** Goodput as bars against the sum of the links: a panel for each scenario of a group. */

import type { Congestion } from '../lab/traffic.js'
import { sheet, xml } from '../reporting/svg.js'
import { aloneOf, figureOf, keyOf, type Results, rowOf, type ScenarioInfo } from './results.js'
import { GROUPS, type Group } from './scenarios/scenario.js'
import { MODES } from './subject.js'

const WIDTH = 760
const MARGIN = 24
const NAME_WIDTH = 150
const VALUE_WIDTH = 90
const BAR = 8
const STEP = 22
const TITLE = 28
const GAP = 18
const HEAD = 84
const FOOT = 24

const CONGESTIONS: readonly Congestion[] = ['cubic', 'bbr']
const COLOUR: Readonly<Record<'ours' | 'mode' | 'mptcp', Readonly<Record<Congestion, string>>>> = {
  ours: { cubic: '#1d4ed8', bbr: '#6d93ee' },
  mode: { cubic: '#64748b', bbr: '#a3b1c4' },
  mptcp: { cubic: '#b45309', bbr: '#e0a05c' },
}
const LINK_COLOURS = ['#94a3b8', '#cbd5e1']

const SUBJECTS: readonly string[] = [
  'adaptive',
  'mptcp',
  ...MODES.filter((mode) => mode !== 'adaptive'),
]

/** Undefined when nothing of the group was measured. */
export function drawBars(results: Results, group: Group, caption: string): string | undefined {
  const parts: string[] = []
  let top = HEAD
  for (const scenario of results.scenarios.filter((each) => each.group === group)) {
    const panel = drawPanel(results, scenario, top)
    if (panel === undefined) continue
    parts.push(panel.body)
    top += panel.height + GAP
  }
  if (parts.length === 0) return undefined
  return sheet({
    width: WIDTH,
    height: top - GAP + FOOT,
    margin: MARGIN,
    title: GROUPS[group],
    caption,
    body: [legend(), ...parts].join('\n'),
  })
}

function legend(): string {
  const text =
    'payload of one TCP connection, Mbit/s, CUBIC above and BBR below; dashed: the links, each alone through a tunnel, together'
  return `<text x="${MARGIN}" y="68" font-size="11" fill="#475569">${xml(text)}</text>`
}

interface Panel {
  readonly body: string
  readonly height: number
}

function drawPanel(results: Results, scenario: ScenarioInfo, top: number): Panel | undefined {
  const { id, title, links } = scenario
  const sums = CONGESTIONS.map((congestion) => aloneOf(results, id, links, congestion).sum)
  const subjects = SUBJECTS.filter((subject) =>
    CONGESTIONS.some((congestion) => !Number.isNaN(goodput(results, id, congestion, subject))),
  )
  const values = subjects.flatMap((subject) =>
    CONGESTIONS.map((congestion) => goodput(results, id, congestion, subject)),
  )
  const most = Math.max(...[...sums, ...values].filter((value) => !Number.isNaN(value)))
  if (!(most > 0)) return undefined
  const left = MARGIN + NAME_WIDTH
  const scale = (WIDTH - left - MARGIN - VALUE_WIDTH) / most
  const right = left + most * scale + 10
  const first = top + TITLE
  const rows = [
    drawLinks(results, scenario, { left, right, scale, y: first }),
    ...subjects.map((subject, index) =>
      drawSubject(results, id, subject, { left, right, scale, y: first + (index + 1) * STEP }),
    ),
  ]
  const sum = sums.find((value) => !Number.isNaN(value))
  const bottom = first + rows.length * STEP - 4
  const line =
    sum === undefined
      ? ''
      : `<line x1="${at(left + sum * scale)}" y1="${first - 4}" x2="${at(left + sum * scale)}" y2="${bottom}" stroke="#0f172a" stroke-dasharray="3 3"/>`
  const heading = `<text x="${MARGIN}" y="${top + 16}" font-weight="600" fill="#334155">${xml(`${id}: ${title}`)}</text>`
  return { body: [heading, ...rows, line].join('\n'), height: TITLE + rows.length * STEP }
}

interface Place {
  readonly left: number
  /** Where the figures stand, behind every bar. */
  readonly right: number
  /** Pixels for a Mbit/s. */
  readonly scale: number
  readonly y: number
}

/** The links behind each other. */
function drawLinks(results: Results, { id, links }: ScenarioInfo, place: Place): string {
  const bars = CONGESTIONS.flatMap((congestion, line) => {
    let x = place.left
    return links.map(({ name }, index) => {
      const lossless = figureOf(rowOf(results, id, congestion, `lossless:${name}`), 'mbit')
      const own = goodput(results, id, congestion, `alone:${name}`)
      const width = (Number.isNaN(lossless) ? own : lossless) * place.scale
      if (Number.isNaN(width)) return ''
      const bar = rect(x, place.y + line * BAR, width, LINK_COLOURS[index % 2]!)
      x += width
      return bar
    })
  })
  return [
    label('the links', place, false),
    ...bars,
    figures(results, id, undefined, links, place),
  ].join('\n')
}

function drawSubject(results: Results, id: string, subject: string, place: Place): string {
  const kind = subject === 'adaptive' ? 'ours' : subject === 'mptcp' ? 'mptcp' : 'mode'
  const bars = CONGESTIONS.map((congestion, line) => {
    const value = goodput(results, id, congestion, subject)
    if (Number.isNaN(value)) return ''
    return rect(place.left, place.y + line * BAR, value * place.scale, COLOUR[kind][congestion])
  })
  const name = subject === 'mptcp' ? "kernel's MPTCP" : subject
  return [
    label(name, place, kind === 'ours'),
    ...bars,
    figures(results, id, subject, [], place),
  ].join('\n')
}

function figures(
  results: Results,
  id: string,
  subject: string | undefined,
  links: ScenarioInfo['links'],
  { right, y }: Place,
): string {
  const values = CONGESTIONS.map((congestion) =>
    subject === undefined
      ? aloneOf(results, id, links, congestion).sum
      : goodput(results, id, congestion, subject),
  )
  const known = values.filter((value) => !Number.isNaN(value))
  const text = known.map((value) => value.toFixed(1)).join(' / ')
  return `<text x="${at(right)}" y="${y + BAR + 4}" font-size="11">${text}</text>`
}

const label = (text: string, { left, y }: Place, isOurs: boolean) =>
  `<text x="${left - 10}" y="${y + BAR + 4}" text-anchor="end"${isOurs ? ' font-weight="600"' : ''}>${xml(text)}</text>`

const rect = (x: number, y: number, width: number, fill: string) =>
  `<rect x="${at(x)}" y="${y}" width="${at(Math.max(1, width))}" height="${BAR - 1}" fill="${fill}"/>`

const at = (pixels: number) => pixels.toFixed(1)

function goodput(results: Results, id: string, congestion: Congestion, subject: string): number {
  const row = results.rows.find(
    (each) =>
      each.scenario === id &&
      each.congestion === congestion &&
      each.load === 'tcp' &&
      keyOf(each.subject) === subject,
  )
  return figureOf(row, 'mbit')
}
