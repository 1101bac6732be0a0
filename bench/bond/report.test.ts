import { describe, expect, it } from 'vitest'
import { asText } from '../reporting/table.js'
import { addResults } from './added.js'
import { drawBars } from './bars.js'
import { judge } from './claims.js'
import { drawCourse } from './course.js'
import { keyOf, type Results, type Row, rowOf } from './results.js'
import { medianSample, type Sample } from './sample.js'
import { link } from './scenarios/scenario.js'
import type { Subject } from './subject.js'
import { scenarioTables } from './tables.js'

const COURSE = {
  stepS: 0.1,
  mbit: [10, 20, 30],
  links: { a: [5, 10, 15], b: [5, 10, 15] },
  happened: [
    { atS: 0.1, link: 'a', what: 'cut' },
    { atS: 0.2, link: 'a', what: 'restore' },
  ],
}

const ADAPTIVE: Subject = { kind: 'mode', mode: 'adaptive' }
const row = (scenario: string, subject: Subject, ...samples: Sample[]): Row => ({
  ...{ scenario, subject, load: 'tcp', congestion: 'cubic', samples },
  median: medianSample(samples),
})
const alone = (scenario: string, name: string, mbit: number) =>
  row(scenario, { kind: 'alone', link: name }, { mbit })

const info = (id: string, group: Results['scenarios'][number]['group']) => ({
  ...{ id, title: `<${id}>`, group, isLopsided: false, isLossy: false },
  links: [link('a', 20, 10), link('b', 20, 40)],
})

const RESULTS: Results = {
  machine: {
    ...{ cpu: 'Some CPU', cores: 2, memoryGb: 8, system: 'Debian', kernel: '6.1', node: '20.20.2' },
    ...{ openssl: '3.0.19', iperf3: '3.12', sealing: {} },
  },
  settings: { rounds: 3, seconds: 16 },
  scenarios: [info('unequal', 'table'), info('cut', 'cuts'), info('unplug', 'cuts')],
  rows: [
    alone('unequal', 'a', 18),
    alone('unequal', 'b', 18),
    row(
      'unequal',
      ADAPTIVE,
      { mbit: 35, to90S: 3 },
      { mbit: 36, to90S: 5 },
      { mbit: 34, to90S: 2 },
    ),
    row('unequal', { kind: 'mptcp' }, { mbit: 37 }),
    {
      ...row('cut', ADAPTIVE, {
        datagramsLost: 0,
        datagramGapMs: 75,
        gapBeyondMs: 25,
        afterCutShare: 0.95,
      }),
      load: 'mix',
    },
    { ...row('cut', ADAPTIVE, { mbit: 20, backS: 0.4 }), timeLine: COURSE },
    {
      ...row('unplug', ADAPTIVE, { datagramsLost: 0 }, { datagramsLost: 2 }, { datagramsLost: 0 }),
      load: 'mix',
    },
  ],
  failures: [],
}

describe('the claims', () => {
  const claims = judge(RESULTS)
  const about = (words: string) => claims.filter(({ sentence }) => sentence.startsWith(words))

  it('compare medians with the sum of the links and with MPTCP', () => {
    expect(about('One TCP connection against the sum')).toEqual([
      {
        sentence:
          'One TCP connection against the sum of the links: 97.2 % at worst, unequal with cubic (aim: at least 95.0 %; 1 of 1)',
        isMet: true,
      },
    ])
    expect(about("The same against the kernel's MPTCP")[0]).toMatchObject({ isMet: false })
    expect(about('Until CUBIC')[0]).toMatchObject({ isMet: true })
  })

  it('forgive no round a lost packet', () => {
    expect(about('Datagrams lost by cuts')).toEqual([
      {
        sentence:
          'Datagrams lost by cuts: 2 at worst, unplug mix with cubic (aim: at most 0; 1 of 2)',
        isMet: false,
      },
    ])
  })

  it('count a gap from the round trip of the best link left', () => {
    expect(about('Longest gap beyond the round trip of the best link left')[0]).toMatchObject({
      sentence: expect.stringContaining(': 25 ms at worst'),
      isMet: true,
    })
  })

  it('are silent about what was not measured', () => {
    expect(about('The sixteen profiles')).toEqual([])
    expect(judge({ ...RESULTS, rows: [] })).toEqual([])
  })
})

describe('what is shown', () => {
  it('has a table for each scenario, without empty columns', () => {
    const [table] = scenarioTables(RESULTS)
    expect(table?.head).toEqual(['', 'Mbit/s', 'of sum', '90% at s'])
    expect(table?.rows.at(-1)).toEqual(['MPTCP cubic tcp', '37.0', '103%', '–'])
    expect(asText(table!)).toContain('medians of 3')
  })

  it('draws bars of what was measured, its words safe', () => {
    const chart = drawBars(RESULTS, 'table', 'a & b')
    expect(chart).toContain('unequal: &lt;unequal&gt;')
    expect(chart).toContain('a &amp; b')
    expect(chart).not.toContain('NaN')
    expect(drawBars(RESULTS, 'traces', '')).toBeUndefined()
  })

  it('draws a course over time', () => {
    const chart = drawCourse(RESULTS, 'cut', 'caption')
    expect(chart).toContain('<polyline')
    expect(chart).not.toContain('NaN')
    expect(drawCourse(RESULTS, 'unequal', '')).toBeUndefined()
  })

  it('names a link without its loss apart', () => {
    expect(keyOf({ kind: 'alone', link: 'a', isLossless: true })).toBe('lossless:a')
  })
})

describe('results that are added to those kept', () => {
  const order = [{ id: 'equal' }, ...RESULTS.scenarios]
  const now: Results = {
    ...RESULTS,
    scenarios: [info('unequal', 'table'), info('equal', 'table')],
    rows: [row('unequal', ADAPTIVE, { mbit: 30 }), row('equal', ADAPTIVE, { mbit: 38 })],
  }

  it('take the place of the same rows, and leave the others', () => {
    const all = addResults(RESULTS, now, order)
    expect(all.scenarios.map(({ id }) => id)).toEqual(['equal', 'unequal', 'cut', 'unplug'])
    expect(all.rows).toHaveLength(RESULTS.rows.length + 1)
    const found = (scenario: string, subject: string) =>
      rowOf(all, scenario, 'cubic', subject)?.median.mbit
    expect(found('unequal', 'adaptive')).toBe(30)
    expect(found('unequal', 'alone:a')).toBe(18)
    expect(found('equal', 'adaptive')).toBe(38)
  })

  it('must be of the same machine and lengths', () => {
    const other = { ...now, machine: { ...now.machine, cpu: 'Other CPU' } }
    expect(() => addResults(RESULTS, other, order)).toThrow(/another machine.*Other CPU/)
    const shorter = { ...now, settings: { rounds: 1, seconds: 16 } }
    expect(() => addResults(RESULTS, shorter, order)).toThrow(/another settings.*"rounds":1/)
  })
})
