import { describe, expect, it } from 'vitest'
import { judge } from './baseline.js'

const baseline = {
  compiler: 'gcc 12.2.0',
  leaves: {
    replay: { mp_replay_check: 10, mp_replay_accept: 30 },
    pool: { mp_pool_keep: 20 },
  },
}
const found = (leaves: Record<string, Record<string, number>>, compiler = 'gcc 12.2.0') => ({
  compiler,
  leaves: { ...baseline.leaves, ...leaves },
})
const failures = (verdicts: ReturnType<typeof judge>) =>
  verdicts.filter(({ ok }) => !ok).map(({ leaf, text }) => `${leaf} ${text}`)

describe('the baseline of instructions', () => {
  it('is met by itself, by less, and by a tenth more', () => {
    expect(judge(baseline, baseline).map(({ leaf, ok }) => [leaf, ok])).toEqual([
      ['replay', true],
      ['pool', true],
    ])
    expect(failures(judge(baseline, found({ pool: { mp_pool_keep: 2 } })))).toEqual([])
    expect(failures(judge(baseline, found({ pool: { mp_pool_keep: 22 } })))).toEqual([])
  })

  it('names the leaf that is worse and the function that made it so', () => {
    const worse = found({ replay: { mp_replay_check: 25, mp_replay_accept: 29 } })
    expect(failures(judge(baseline, worse))).toEqual([
      expect.stringMatching(
        /^replay 54\.0 instructions a packet, 40\.0 in the baseline: 35 % worse by mp_replay_check \(10 -> 25\); look at/,
      ),
    ])
  })

  it('takes a function that is new for one that has grown', () => {
    const worse = found({ pool: { mp_pool_keep: 20, mp_pool_count: 6 } })
    expect(failures(judge(baseline, worse))[0]).toContain('worse by mp_pool_count (0 -> 6);')
  })

  it('says when another compiler may be the cause', () => {
    const worse = found({ pool: { mp_pool_keep: 40 } }, 'gcc 14.1.0')
    expect(failures(judge(baseline, worse))[0]).toContain(
      '(the baseline is of gcc 12.2.0, this is gcc 14.1.0)',
    )
  })

  it('is wanted for each leaf, each machine, and nothing that is gone', () => {
    const added = failures(judge(baseline, found({ queue: { mp_queue_push: 1 } })))
    expect(added).toEqual([expect.stringMatching(/^queue is not in the baseline: npm run/)])
    const { pool: _, ...rest } = baseline.leaves
    const gone = failures(judge(baseline, { compiler: 'gcc 12.2.0', leaves: rest }))
    expect(gone).toEqual([expect.stringMatching(/^pool is not among the leaves: npm run/)])
    expect(failures(judge(undefined, baseline))).toEqual([
      expect.stringMatching(/^baseline there is no baseline for /),
    ])
  })
})
