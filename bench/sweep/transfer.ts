/** How long transfers that have an end take in virtual time: pages and files, which slow start is most of. */
import type { Scenario } from '../bond/scenarios/scenario.js'
import { describeLink } from '../sim/description.js'
import type { Congestion, Transport } from '../sim/stream.js'
import { Pair, SECOND } from '../sim/tunnel.js'
import type { Towards } from './way.js'

export interface Transfer {
  readonly transport: Transport
  readonly congestion: Congestion
  /** Of each. */
  readonly bytes: number
  /** At once, as a page asks for several files; 1 when absent. */
  readonly streams?: number
  /** Whether one of 3 MB went before, which ended two seconds ago. */
  readonly warmed?: boolean
  /** To the client when absent. */
  readonly towards?: Towards
}

export interface Completion {
  /** Microseconds until the last of them has come, over all links together: the median of eight starts. */
  readonly bondUs: number
  /** The same over each link alone, and the least of them. */
  readonly aloneUs: readonly number[]
  readonly bestUs: number
}

const WARMING_BYTES = 3_000_000
const MOST_US = 120 * SECOND
/** Since the paths are known. Each start has a seed of its own. */
const STARTS_US = [2_000, 2_007, 2_013, 2_025, 2_037, 2_051, 2_074, 2_090].map((ms) => ms * 1000)

function finish(pair: Pair, run: Transfer): number {
  const { transport, congestion, bytes, streams = 1, towards = 'client' } = run
  const open = () => pair.stream({ transport, congestion, towards, bytes })
  const each = Array.from({ length: streams }, open)
  for (const endUs = pair.nowUs + MOST_US; pair.nowUs < endUs; pair.runFor(10_000)) {
    const times = each.map((stream) => stream.stats().finishedUs)
    if (times.every((us) => us > 0)) return Math.max(...times)
  }
  return Number.POSITIVE_INFINITY
}

async function start(links: Scenario['links'], run: Transfer, seed: number): Promise<number> {
  const pair = await Pair.open({
    seed,
    uplinks: links.map(({ description }) => {
      const { up, down } = describeLink(description)
      return { link: up, backward: down }
    }),
    policy: { mode: 'adaptive' },
    warmUpUs: STARTS_US[seed - 1]!,
  })
  try {
    if (run.warmed) {
      finish(pair, { ...run, bytes: WARMING_BYTES, streams: 1 })
      pair.runFor(2 * SECOND)
    }
    return finish(pair, run)
  } finally {
    pair.close()
  }
}

async function median(links: Scenario['links'], run: Transfer): Promise<number> {
  const times: number[] = []
  for (const index of STARTS_US.keys()) times.push(await start(links, run, index + 1))
  times.sort((a, b) => a - b)
  return (times[times.length / 2 - 1]! + times[times.length / 2]!) / 2
}

/** The same links and run give the same result, to the last bit. */
export async function complete(of: Pick<Scenario, 'links'>, run: Transfer): Promise<Completion> {
  const aloneUs: number[] = []
  for (const link of of.links) aloneUs.push(await median([link], run))
  return { bondUs: await median(of.links, run), aloneUs, bestUs: Math.min(...aloneUs) }
}
