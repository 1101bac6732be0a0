import { describe, expect, it } from 'vitest'
import { digestOf, judgeFrames } from './frames.js'

const film = (...digests: string[]) => digests.map((digest) => ({ digest }))
/** Received 40 ms after each other from 1 s on, unless told otherwise. */
const seen = (digests: readonly string[], atMs = digests.map((_, i) => 1000 + 40 * i)) =>
  digests.map((digest, i) => ({ digest, atUs: atMs[i]! * 1000 }))
const RULES = { counted: 4, frameMs: 40, settledFrames: 0 }

describe('a film that arrives', () => {
  it('whole has no fault', () => {
    expect(judgeFrames(film(...'abcdef'), seen([...'abcdef']), RULES)).toEqual({
      sent: 4,
      intact: 4,
      corrupt: 0,
      missing: 0,
      gone: [],
      disordered: 0,
      longestGapMs: 40,
      holdMs: 0,
    })
  })

  it('tells what was damaged from what never came', () => {
    expect(judgeFrames(film(...'abcdef'), seen([...'axd']), RULES)).toMatchObject({
      intact: 2,
      corrupt: 1,
      missing: 1,
      gone: [1, 2],
    })
  })

  it('counts what is late or comes twice as disorder', () => {
    const report = judgeFrames(film(...'abcd'), seen([...'acbbd']), RULES)
    expect(report).toMatchObject({ intact: 4, disordered: 2 })
  })

  it('has a hold of as much as one frame comes later for its place than another', () => {
    const report = judgeFrames(film(...'abcd'), seen([...'abcd'], [1000, 1040, 1280, 1285]), RULES)
    expect(report).toMatchObject({ longestGapMs: 240, holdMs: 200 })
  })

  it('has no times of what a receiver looked at first', () => {
    const received = seen([...'abcd'], [1000, 1500, 1540, 1580])
    const report = judgeFrames(film(...'abcd'), received, { ...RULES, settledFrames: 1 })
    expect(report).toMatchObject({ intact: 4, longestGapMs: 40, holdMs: 0 })
  })

  it('not at all has no times', () => {
    const report = judgeFrames(film(...'abcd'), [], RULES)
    expect(report).toMatchObject({ intact: 0, missing: 4, longestGapMs: NaN, holdMs: NaN })
  })
})

describe('a line of framemd5', () => {
  it('has a digest unless it belongs to the head', () => {
    const line =
      '0,  885600,  885600,  3600,  37506, 57d92dc69c601da6cb2c216aeacd3dd1, S=1,  1, ec2d11'
    expect(digestOf(line)).toBe('57d92dc69c601da6cb2c216aeacd3dd1')
    expect(digestOf('#tb 0: 1/90000')).toBeUndefined()
    expect(digestOf('')).toBeUndefined()
  })
})
