import { describe, expect, it } from 'vitest'
import { readFragment, replaceFragment } from '../reporting/fragment.js'
import { median } from '../reporting/median.js'
import { asMarkdown, asText } from '../reporting/table.js'
import { drawChart } from './chart.js'
import { judge } from './claims.js'
import { COMMAND, renderFragment } from './fragment.js'
import type { ContestantInfo, Results } from './results.js'
import { medianSample, type Sample } from './sample.js'
import { chooseSuites, performersOf } from './suites.js'
import { allTables } from './tables.js'

const info = (id: string, kind: ContestantInfo['kind'], cipher = 'AES'): ContestantInfo => ({
  ...{ id, kind, cipher },
  ...{ title: `The <${id}> & co`, version: '1.0' },
})

const row = (caseId: string, contestant: string, median: Sample) => ({
  ...{ case: caseId, contestant, median },
  samples: [median],
})

const RESULTS: Results = {
  machine: {
    ...{ cpu: 'Some CPU', cores: 2, memoryGb: 8, system: 'Debian', kernel: '6.1', node: '20.20.2' },
    ...{ openssl: '3.0.19', iperf3: '3.12', sealing: { 'aes-256-gcm': 'OpenSSL 3.0.19' } },
  },
  settings: { rounds: 5, seconds: 2, innerMtuBytes: 1400 },
  contestants: [
    info('mptun', 'mptun'),
    info('mptun-2-paths', 'mptun'),
    info('wireguard-go', 'peer'),
    info('openvpn', 'peer'),
    info('vxlan', 'kernel', 'none'),
  ],
  cases: [{ id: 'tcp1', title: 'one' }],
  rows: [
    row('tcp1', 'mptun', { mbit: 5000, retransmits: 0, cpuSPerGb: 1, pingUs: 80 }),
    row('tcp1', 'mptun-2-paths', { mbit: 4000, retransmits: 3, cpuSPerGb: 1.5, pingUs: 80 }),
    row('tcp1', 'wireguard-go', { mbit: 700, retransmits: 9, cpuSPerGb: 12, pingUs: 900 }),
    row('tcp1', 'openvpn', { mbit: 1000, retransmits: 9, cpuSPerGb: 5, pingUs: 300 }),
    row('tcp1', 'vxlan', { mbit: 20_000, retransmits: 0, pingUs: 30 }),
  ],
  failures: [],
}

describe('the middle of several', () => {
  it('is a value that was seen, or lies between the middle two', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([4, 1, 2, 9])).toBe(3)
    expect(median([])).toBeNaN()
  })

  it('is taken metric by metric, of the rounds that have it', () => {
    const samples: Sample[] = [{ mbit: 3, pingUs: 7 }, { mbit: 1 }, { mbit: 2, pingUs: 9 }]
    expect(medianSample(samples)).toEqual({ mbit: 2, pingUs: 8 })
  })
})

describe('a report', () => {
  it('has a table only of what was measured, a dash for what cannot be', () => {
    const tables = allTables(RESULTS)
    expect(tables.map(({ head }) => head)).toEqual([
      ['', '1 stream', 'retransmits'],
      ['', '1 stream'],
      ['', '1 stream'],
    ])
    expect(tables[1]?.rows.at(-1)).toEqual(['The <vxlan> & co', '–'])
    expect(asText(tables[0]!).split('\n')[2]).toBe(
      '  The <mptun> & co, AES              5.00            0',
    )
    expect(asMarkdown(tables[1]!).split('\n').slice(0, 3)).toEqual([
      '|  | 1 stream |',
      '| --- | ---: |',
      '| The <mptun> & co, AES | 1.00 |',
    ])
  })

  it('claims what follows from the figures and nothing else', () => {
    const claims = judge(RESULTS)
    expect(claims.map(({ isMet }) => isMet)).toEqual([true, false])
    expect(claims[0]?.sentence).toMatch(/5\.00 Gbit\/s, 5\.0 times what The <openvpn>/)
    expect(claims[1]?.sentence).toMatch(/80 % of what one does, with 3 retransmissions/)
  })

  it('says of many clients what is the traffic, where the mode that reports nothing ran too', () => {
    const load = (contestant: string, cpuUsPerPacket: number) =>
      row('load-clients', contestant, { cpuUsPerPacket, residentBytes: 9e7 })
    const rows = [load('clients-1', 10), load('clients-100', 12)]
    const sentenceOf = (more: typeof rows) =>
      judge({ ...RESULTS, rows: [...rows, ...more] }).find(({ sentence }) =>
        sentence.includes('take turns, so that'),
      )?.sentence
    expect(sentenceOf([])).toContain('by 20 % on the server (aim: less than 15 %), which')
    const counting = [load('clients-1-balance-rr', 10), load('clients-100-balance-rr', 11)]
    expect(sentenceOf(counting)).toContain('(aim: less than 15 %; in balance-rr by 10 %)')
  })

  it('sets what a ping takes beside what the machine wants for any tunnel, where that was measured', () => {
    const idle = (contestant: string, pingUs: number) =>
      row('idle', contestant, { pingUs, pingBesideUs: 40 })
    const claim = (...rows: Results['rows']) => judge({ ...RESULTS, rows })[0]?.sentence
    expect(claim(idle('mptun', 240))).toMatch(/takes 200 us longer .* beside it \(aim: 60 us\)/)
    expect(claim(idle('mptun', 240), idle('relay', 210))).toMatch(
      /takes 200 us longer .* beside it, of which a relay .* takes 170 \(aim: 60 us\)/,
    )
  })

  it('is drawn without the kernel, whose bar would hide the others', () => {
    const chart = drawChart(RESULTS, 'A & B')
    expect(chart).toContain('A &amp; B')
    expect(chart).toContain('The &lt;mptun&gt; &amp; co')
    expect(chart).not.toContain('vxlan')
    expect(chart).not.toMatch(/NaN|undefined|Infinity/)
    expect(chart.match(/<rect/g)).toHaveLength(1 + 4)
  })

  it('stands between the marks of a text', () => {
    const text = replaceFragment(
      'a\n<!-- figures of npm run bench: begin -->\nold\n<!-- figures of npm run bench: end -->\nb',
      COMMAND,
      renderFragment(RESULTS),
    )
    expect(readFragment(text, COMMAND)).toBe(renderFragment(RESULTS))
    expect(text.startsWith('a\n')).toBe(true)
    expect(text.endsWith('\nb')).toBe(true)
    expect(() => replaceFragment('a', COMMAND, 'b')).toThrow(/put them where the figures belong/)
  })
})

describe('the choice of what to run', () => {
  const all = { quick: false, only: undefined, cases: undefined }

  it('is everything, or little in a quick run', () => {
    const count = (suites: ReturnType<typeof chooseSuites>) =>
      suites.reduce((sum, { contestants, cases }) => sum + contestants.length * cases.length, 0)
    expect(chooseSuites(all).map(({ id }) => id)).toEqual([
      'all',
      'one-core',
      'paths',
      'modes',
      'clients',
    ])
    expect(count(chooseSuites({ ...all, quick: true }))).toBeLessThan(
      count(chooseSuites(all)) / 1.5,
    )
  })

  it('is by contestant and case', () => {
    const [suite, ...others] = chooseSuites({ ...all, only: ['vxlan', 'mptun'], cases: ['tcp4'] })
    expect(suite?.contestants.map(({ id }) => id)).toEqual(['mptun', 'vxlan'])
    expect(suite?.cases.map(({ id }) => id)).toEqual(['tcp4'])
    expect(others).toEqual([])
  })

  it('loads no relay, which is there to be pinged', () => {
    const [suite] = chooseSuites({ ...all, only: ['mptun', 'relay'] })
    const performers = (id: string) =>
      suite?.cases
        .filter((each) => each.id === id)
        .flatMap((each) => performersOf(suite, each).map((contestant) => contestant.id))
    expect(performers('tcp1')).toEqual(['mptun'])
    expect(performers('idle')).toEqual(['mptun', 'relay'])
  })

  it('refuses a word that nothing is called', () => {
    expect(() => chooseSuites({ ...all, only: ['mptunn'] })).toThrow(
      /--only: found "mptunn", accepted are mptun, /,
    )
    expect(() => chooseSuites({ ...all, cases: ['tcp'] })).toThrow(/--cases: found "tcp"/)
  })
})
