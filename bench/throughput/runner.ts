/**
 * Runs a suite: every contestant does a case before the next case comes, in every round anew; or each does
 * all of them by itself.
 */

import { messageOf } from '#mptun/errors.js'
import type { Case, Stage } from './cases.js'
import type { Carrier, Contestant } from './contestants/contestant.js'
import type { Failure, Row } from './results.js'
import { medianSample, type Sample } from './sample.js'
import { performersOf, type Suite } from './suites.js'
import { Wire } from './wire.js'

export interface RunOptions {
  readonly rounds: number
  /** Of one measurement. */
  readonly seconds: number
  /** Told of everything that happens. */
  readonly onProgress: (event: Progress) => void
}

export type Progress =
  | { readonly kind: 'opened'; readonly contestant: Contestant }
  | {
      readonly kind: 'measured'
      readonly contestant: Contestant
      readonly case: Case
      readonly round: number
      readonly sample: Sample
    }
  | { readonly kind: 'failed'; readonly failure: Failure }

interface Running {
  readonly contestant: Contestant
  readonly wire: Wire
  readonly carrier: Carrier
}

interface Done {
  readonly rows: Row[]
  readonly failures: Failure[]
}

/** What fails is told and left out; what was measured before stays. */
export async function runSuite(suite: Suite, options: RunOptions): Promise<Done> {
  if (!suite.oneByOne) return runTogether(suite, options)
  const rows: Row[] = []
  const failures: Failure[] = []
  for (const contestant of suite.contestants) {
    const done = await runTogether({ ...suite, contestants: [contestant] }, options)
    rows.push(...done.rows)
    failures.push(...done.failures)
  }
  return { rows: suite.cases.flatMap(({ id }) => rows.filter((row) => row.case === id)), failures }
}

async function runTogether(suite: Suite, options: RunOptions): Promise<Done> {
  const failures: Failure[] = []
  const fail = (contestant: Contestant, caseId: string, round: number, error: unknown) => {
    const why = messageOf(error)
    const failure = { case: caseId, contestant: contestant.id, round, why }
    failures.push(failure)
    options.onProgress({ kind: 'failed', failure })
  }
  const running: Running[] = []
  const samples = new Map<string, Sample[]>()
  try {
    const opened = suite.contestants.map(async (contestant) => {
      try {
        const one = await open(suite, contestant)
        options.onProgress({ kind: 'opened', contestant })
        return one
      } catch (error) {
        fail(contestant, suite.id, 0, error)
        return undefined
      }
    })
    running.push(...(await Promise.all(opened)).filter((one) => one !== undefined))
    const found = new Map<string, Map<string, number>>()
    for (let round = 1; round <= options.rounds; round++) {
      for (const each of suite.cases) {
        const performers = performersOf(suite, each)
        for (const one of running.filter(({ contestant }) => performers.includes(contestant))) {
          const key = keyOf(each, one.contestant)
          const stage = {
            ...one,
            seconds: options.seconds,
            found: entry(found, key, () => new Map()),
          }
          try {
            const sample = await each.run(stage satisfies Stage)
            entry(samples, key, () => []).push(sample)
            options.onProgress({ kind: 'measured', ...one, case: each, round, sample })
          } catch (error) {
            fail(one.contestant, each.id, round, error)
          }
        }
      }
    }
  } finally {
    for (const { contestant, wire, carrier } of running) {
      await carrier.close().catch((error: unknown) => fail(contestant, suite.id, 0, error))
      await wire.close()
    }
  }
  const rows = suite.cases.flatMap((each) =>
    suite.contestants.flatMap((contestant): Row[] => {
      const own = samples.get(keyOf(each, contestant))
      if (own === undefined) return []
      const ids = { case: each.id, contestant: contestant.id }
      return [{ ...ids, median: medianSample(own), samples: own }]
    }),
  )
  return { rows, failures }
}

async function open(suite: Suite, contestant: Contestant): Promise<Running> {
  const { id: name, links } = contestant
  const { cpus, serverCpus } = suite
  const wire = await Wire.open({ name, links, cpus, serverCpus })
  try {
    return { contestant, wire, carrier: await contestant.open(wire) }
  } catch (error) {
    await wire.close()
    throw error
  }
}

const keyOf = (each: Case, contestant: Contestant) => `${each.id} ${contestant.id}`

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}
