import { describe, expect, it } from 'vitest'
import { lineOf } from '../../src/daemon/facts.js'
import { isJournalStream, Log, type LogOptions } from '../../src/log.js'

const SECOND_US = 1_000_000

function logOf(options: Partial<LogOptions> = {}) {
  const lines: string[] = []
  const clock = { nowUs: 0 }
  const log = new Log({
    format: 'text',
    isJournal: false,
    write: (line) => lines.push(line),
    nowUs: () => clock.nowUs,
    wallUs: () => 1_700_000_000_123_456,
    ...options,
  })
  return { log, lines, clock }
}

describe('a log line', () => {
  it('for people has time, level, event and fields', () => {
    const { log, lines } = logOf()
    log.write('path.state', {
      peer: 'barge',
      path: 2,
      from: 'up',
      to: 'down',
      why: 'its device is gone',
    })
    expect(lines).toEqual([
      '2023-11-14T22:13:20.123Z notice path.state peer=barge path=2 from=up to=down why="its device is gone"\n',
    ])
  })

  it('for journald has the priority of syslog and no time', () => {
    const { log, lines } = logOf({ isJournal: true })
    log.write('daemon.failed', { why: 'x' })
    log.write('session.up', { peer: 'barge' })
    expect(lines).toEqual(['<3>daemon.failed why=x\n', '<5>session.up peer=barge\n'])
  })

  it('for programs is one JSON object', () => {
    const { log, lines } = logOf({ format: 'json' })
    log.write('session.up', { peer: 'barge', aead: undefined })
    expect(JSON.parse(lines[0]!)).toEqual({
      time: '2023-11-14T22:13:20.123Z',
      level: 'notice',
      event: 'session.up',
      peer: 'barge',
    })
  })

  it('cannot be forged by a value', () => {
    const { log, lines } = logOf({ isJournal: true })
    log.write('session.up', { peer: 'x\n<0>forged \u001b[31m' })
    expect(lines).toEqual(['<5>session.up peer="x\\n<0>forged \\u001b[31m"\n'])
    for (const format of ['text', 'json'] as const) {
      const other = logOf({ format })
      other.log.write('session.up', { peer: '\u009b31m\u007f' })
      expect(other.lines[0]).toMatch(/"\\u009b31m\\u007f"/)
    }
  })
})

describe('the rate', () => {
  it('is one line a second for an event and subject, and says what was left out', () => {
    const { log, lines, clock } = logOf({ isJournal: true })
    for (let i = 0; i < 5; i++)
      log.write('handshake.refused', { why: 'mac1', from: `192.0.2.${i}` })
    clock.nowUs = SECOND_US
    log.write('handshake.refused', { why: 'mac1', from: '192.0.2.9' })
    clock.nowUs = 2 * SECOND_US
    log.write('handshake.refused', { why: 'mac1', from: '192.0.2.9' })
    expect(lines).toEqual([
      '<4>handshake.refused why=mac1 from=192.0.2.0\n',
      '<4>handshake.refused why=mac1 from=192.0.2.9 suppressed=4\n',
      '<4>handshake.refused why=mac1 from=192.0.2.9\n',
    ])
  })

  it.each([
    ['the other side of a path moves', () => 'path 0'],
    ['its client calls a path otherwise meanwhile', (time: number) => `wwan${time}`],
  ])('is the same however often %s', (_, labelAt) => {
    const { log, lines } = logOf()
    for (let remotePort = 1; remotePort <= 100; remotePort++) {
      const endpoint = { port: 0, family: 4, remotePort, remote: new Uint8Array(16), scope: 0 }
      const moved = { kind: 'path-moved', peer: 'a', path: 0, label: labelAt(remotePort) } as const
      log.write(...lineOf({ ...moved, endpoint: { ...endpoint, local: new Uint8Array(16) } })!)
    }
    expect(lines).toHaveLength(1)
  })

  it('hides neither another subject nor the state that a path ends in', () => {
    const { log, lines } = logOf()
    log.write('path.state', { peer: 'a', path: 0, to: 'down', why: '' })
    log.write('path.state', { peer: 'a', path: 1, to: 'down', why: '' })
    log.write('path.state', { peer: 'a', path: 0, to: 'probing', why: '' })
    log.write('path.state', { peer: 'a', path: 0, to: 'up', why: '' })
    log.write('uplink.opened', { uplink: 'dsl', to: '192.0.2.1' })
    log.write('uplink.opened', { uplink: 'lte', to: '192.0.2.1' })
    expect(lines).toHaveLength(6)
  })
})

describe('journald', () => {
  it('is recognised by the device and inode of the stream', () => {
    expect(isJournalStream(undefined)).toBe(false)
    expect(isJournalStream('1:2')).toBe(false)
    expect(isJournalStream('x', 9999)).toBe(false)
  })
})
