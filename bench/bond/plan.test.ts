import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { keyOf } from './results.js'
import { planSteps } from './runner.js'
import { allScenarios } from './scenarios/all.js'
import { recordedScenarios } from './scenarios/recorded.js'
import { readSettings } from './settings.js'

describe('the scenarios', () => {
  const all = allScenarios()

  it('have names of their own, and links that a lab accepts', () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
    for (const { links } of all) {
      expect(new Set(links.map(({ name }) => name)).size).toBe(links.length)
      for (const { name } of links) expect(name).toMatch(/^[a-z][a-z0-9]{0,11}$/)
    }
  })

  it('stay within what two cores emulate', () => {
    for (const { links } of all) {
      expect(links.reduce((sum, { mbit }) => sum + mbit, 0)).toBeLessThanOrEqual(400)
    }
  })

  it('end after all has happened, in order, to links that they have', () => {
    for (const { links, happenings = [], leastS = 0 } of all) {
      const names = links.map(({ name }) => name)
      const times = happenings.map(({ atS }) => atS)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      for (const { link, atS } of happenings) {
        expect(names).toContain(link)
        expect(atS).toBeLessThan(leastS)
      }
    }
  })

  it('have a bad companion for each that asks what it changes', () => {
    const interactive = all.filter(({ group }) => group === 'interactive').map(({ id }) => id)
    for (const id of interactive.filter((each) => each.endsWith('-bad'))) {
      expect(interactive).toContain(id.replace(/-bad$/, ''))
    }
  })
})

describe('recorded links', () => {
  it('are carried by the file beside, the other way', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mptun-trace-'))
    try {
      const write = (name: string) => {
        writeFileSync(join(folder, name), '1\n2\n4\n')
        return join(folder, name)
      }
      const [down, up, lone] = ['x.down', 'x.up', 'y'].map(write)
      const [pair, fiber] = recordedScenarios([down!, lone!])
      expect(pair?.links.map(({ mbit }) => mbit)).toEqual([9, 9])
      expect(pair?.links[0]?.description).toContain(`down.trace=${down},up.trace=${up},`)
      expect(pair?.links[1]?.description).toContain(`down.trace=${lone},up.trace=${lone},`)
      expect(fiber?.links).toHaveLength(2)
      writeFileSync(lone!, 'no numbers')
      expect(() => recordedScenarios([lone!])).toThrow(/accepted are files of one time/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('what the command line asks for', () => {
  const steps = (...args: string[]) => planSteps(readSettings(args).settings)

  it('is every link alone, then every mode, then MPTCP, for each congestion control', () => {
    const planned = steps('--only', 'equal', '--rounds', '1')
    const subjects = ['alone:a', 'alone:b', 'balance-rr', 'balance-xor', 'active-backup']
    const each = [...subjects, 'broadcast', 'adaptive', 'mptcp']
    expect(planned.map(({ subject }) => keyOf(subject))).toEqual([...each, ...each])
    expect(planned.map(({ congestion }) => congestion)).toEqual([
      ...each.map(() => 'cubic'),
      ...each.map(() => 'bbr'),
    ])
  })

  it('leaves MPTCP out when only modes are named', () => {
    const planned = steps('--only', 'equal', '--modes', 'adaptive', '--cc', 'bbr', '--rounds', '2')
    expect(planned.map(({ subject }) => keyOf(subject))).toEqual([
      ...['alone:a', 'alone:b', 'adaptive'],
      ...['alone:a', 'alone:b', 'adaptive'],
    ])
  })

  it('measures lossy links without their loss, too', () => {
    const planned = steps('--only', 'one-loss-2', '--modes', 'adaptive', '--cc', 'cubic')
    expect(planned.slice(0, 3).map(({ subject }) => keyOf(subject))).toEqual([
      ...['alone:a', 'lossless:a', 'adaptive'],
    ])
  })

  it('sends datagrams alone but once, and never over MPTCP', () => {
    const planned = steps('--only', 'cut', '--modes', 'adaptive,mptcp', '--rounds', '1')
    const loads = planned.map(({ subject, load, congestion }) =>
      [keyOf(subject), load, congestion].join(' '),
    )
    expect(loads.filter((each) => each.includes(' udp '))).toEqual(['adaptive udp cubic'])
    expect(loads.filter((each) => each.startsWith('mptcp'))).toEqual([
      ...['mptcp tcp cubic', 'mptcp tcp bbr'],
    ])
  })

  it('names what it does not know and what it does', () => {
    expect(() => steps('--only', 'equl')).toThrow(/found equl, accepted are the groups table/)
    expect(() => steps('--modes', 'rr')).toThrow(/found rr, accepted: balance-rr/)
    expect(() => steps('--cc', 'reno')).toThrow(/found reno, accepted: cubic, bbr/)
    expect(() => steps('--rounds', '0')).toThrow(/found 0, accepted is a number from 1/)
  })

  it('is whole only when nothing is left out', () => {
    expect(readSettings([]).isWhole).toBe(true)
    expect(readSettings(['--quick']).isWhole).toBe(false)
    expect(readSettings(['--only', 'table']).isWhole).toBe(false)
  })

  it("is not kept of somebody's own traces", () => {
    const folder = mkdtempSync(join(tmpdir(), 'mptun-trace-'))
    try {
      const traces = ['--trace', join(folder, 'lone')]
      writeFileSync(traces[1]!, '1\n2\n')
      expect(readSettings(['--add']).isAdded).toBe(true)
      expect(readSettings(traces).isWhole).toBe(false)
      expect(() => readSettings(['--add', ...traces])).toThrow(/^--add: found with --trace/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
