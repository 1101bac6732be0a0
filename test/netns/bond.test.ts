/** The mode adaptive over real sockets and the kernel's own TCP; bench/bond measures the same at length. */

import { beforeAll, describe, expect, it } from 'vitest'
import { mbitBetween } from '../../bench/bond/arrived.js'
import { type Measured, measure, type Run } from '../../bench/bond/measure.js'
import { type Happening, link, type Scenario } from '../../bench/bond/scenarios/scenario.js'
import { run } from '../../bench/lab/namespaces.js'
import { repositoryPath } from '../../bench/lab/repository.js'

/** Both ends, the links and the traffic share the machine: bounds are far below what it shows at leisure. */
const PAIR_MBIT = 37
const BEST_MBIT = 18.5
const SHARE = 0.65
/** Deliveries later than that are a pause of the whole machine, of which nothing follows for the tunnel. */
const LATE_US = 100_000

const QUEUE = ',queue=300ms'
const PAIR: Scenario = {
  id: 'pair',
  title: '20 @10 ms + 20 @40 ms',
  group: 'table',
  links: [link('a', 20, 10, QUEUE), link('b', 20, 40, QUEUE)],
}

type Wanted = Pick<Run, 'scenario' | 'congestion' | 'load' | 'seconds'>

/** The figures, which an expectation that is not met says beside its own, among them the rate of each half second. */
function told({ sample, arrived }: Measured, seconds: number): string {
  const course = Array.from({ length: seconds * 2 }, (_, half) =>
    Math.round(mbitBetween(arrived!, half / 2, (half + 1) / 2)),
  )
  return JSON.stringify({ ...sample, course })
}

async function adaptive(wanted: Wanted): Promise<Measured & { readonly figures: string }> {
  const measured = await measure({
    ...wanted,
    subject: { kind: 'mode', mode: 'adaptive' },
    seed: 1,
  })
  const figures = told(measured, wanted.seconds)
  const { lateMaxUs } = measured.sample
  expect(lateMaxUs, `the machine was too busy to emulate: ${figures}`).toBeLessThan(LATE_US)
  return { ...measured, figures }
}

beforeAll(async () => {
  const build = [process.execPath, repositoryPath('native', 'build.mjs')]
  await run([...build, '--bench', '--only', 'mptun-bulk'])
})

describe('one TCP connection over unlike links', () => {
  it.each([
    ['cubic', 9],
    ['bbr', 7],
  ] as const)('gets most of their sum with %s', async (congestion, seconds) => {
    const { sample, figures } = await adaptive({ scenario: PAIR, congestion, load: 'tcp', seconds })
    expect(sample.mbit, figures).toBeGreaterThan(SHARE * PAIR_MBIT)
    expect(sample.pingP99Ms, figures).toBeLessThan(200) // a full queue alone is 300 ms
    expect(sample.feedbackShare, figures).toBeLessThan(0.03)
  })

  it('gets no less for a bad link beside a good one', async () => {
    const [good] = PAIR.links
    const bad = link('bad', 1, 200, `${QUEUE},loss=5`)
    const scenario = { ...PAIR, links: [good!, bad] }
    const { sample, figures } = await adaptive({
      scenario,
      congestion: 'bbr',
      load: 'tcp',
      seconds: 6,
    })
    expect(sample.mbit, figures).toBeGreaterThan(SHARE * BEST_MBIT)
    expect(sample.pingP99Ms, figures).toBeLessThan(200)
  })
})

describe('a link that is cut without a sign and comes back', () => {
  it('stops neither datagrams nor TCP', async () => {
    const happenings: Happening[] = [
      { atS: 2.5, link: 'a', what: 'cut' },
      { atS: 4, link: 'a', what: 'restore' },
      { atS: 6, link: 'b', what: 'cut' },
      { atS: 7.5, link: 'b', what: 'restore' },
    ]
    const scenario: Scenario = { ...PAIR, happenings }
    const { sample, arrived, figures } = await adaptive({
      ...{ scenario, congestion: 'bbr', load: 'mix', seconds: 10 },
    })
    expect(sample.datagrams, figures).toBeGreaterThan(4500)
    expect(sample.datagramsLost, figures).toBeLessThan(50)
    expect(sample.datagramGapMs, figures).toBeLessThan(500)
    for (const atS of [2.5, 6]) {
      expect(mbitBetween(arrived!, atS, atS + 1.5), figures).toBeGreaterThan(BEST_MBIT / 2)
    }
    expect(mbitBetween(arrived!, 9, 10), figures).toBeGreaterThan(BEST_MBIT)
  })
})
