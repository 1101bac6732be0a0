/** What cuts and restores did to the traffic. */

import type { Congestion } from '../lab/traffic.js'
import { mbitBetween } from './arrived.js'
import type { Measured } from './measure.js'
import { aloneOf, type Results } from './results.js'
import type { Sample } from './sample.js'
import type { Scenario } from './scenarios/scenario.js'
import { deliveredAt } from './timeline.js'
import type { Happened, Watched } from './watch.js'

/** What a link carried before is looked at for so long. */
const BEFORE_US = 2_000_000
/** A link is back when it carries this share of that, over so long a time. */
const BACK = 0.8
const BACK_WINDOW_US = 300_000
/** Below this there was no share to come back to. */
const LEAST_MBIT = 0.5
/** After an uplink is cut, what is left of the goodput is counted for so long. */
const AFTER_S = 1
/** Gaps are those that begin so soon after a link comes or goes. */
const GAP_AFTER_US = 1_000_000
/** TCP later repairs by itself what the queue before the links that are left drops to slow it down. */
const TCP_GAP_AFTER_US = 100_000

const AWAY: readonly Happened['what'][] = ['cut', 'unplug']
const BACK_AGAIN: readonly Happened['what'][] = ['restore', 'plug']

export function cutSample(
  measured: Measured,
  results: Pick<Results, 'rows'>,
  scenario: Scenario,
  congestion: Congestion,
): Sample {
  const { arrived, watched } = measured
  const cuts = watched.happened.filter(({ what }) => AWAY.includes(what))
  const shares =
    arrived === undefined
      ? []
      : cuts.map(({ atUs, link }) => {
          const others = scenario.links.filter(({ name }) => name !== link)
          const { sum } = aloneOf(results, scenario.id, others, congestion)
          const atS = (atUs - arrived.startUs) / 1e6
          return mbitBetween(arrived, atS, atS + AFTER_S) / sum
        })
  const beyondUs = gapsBeyondUs(measured, scenario)
  const returns = cuts.flatMap((cut) => returnOf(measured, cut))
  return {
    ...(shares.some((share) => !Number.isNaN(share)) ? { afterCutShare: Math.min(...shares) } : {}),
    ...(cuts.length === 0 || beyondUs.length === 0
      ? {}
      : { gapBeyondMs: greatest(beyondUs) / 1000 }),
    ...(returns.length === 0 ? {} : { backS: Math.max(...returns) }),
  }
}

interface Absence {
  readonly link: string
  readonly fromUs: number
  readonly toUs: number
}

function absenceOf({ happened }: Watched, cut: Happened): Absence {
  const { link, fromUs } = cut
  return { link, fromUs, toUs: endOf(happened, cut)?.atUs ?? Number.POSITIVE_INFINITY }
}

const endOf = (happened: readonly Happened[], { link, atUs }: Happened) =>
  happened.find((each) => BACK_AGAIN.includes(each.what) && each.link === link && each.atUs > atUs)

/**
 * Pauses as something happens and soon after, less the round trip of the best link that was there all the
 * while.
 */
function gapsBeyondUs(
  { pauses, arePausesOfTcp, watched }: Measured,
  { links }: Pick<Scenario, 'links'>,
): number[] {
  const { happened } = watched
  const afterUs = arePausesOfTcp ? TCP_GAP_AFTER_US : GAP_AFTER_US
  const absences = happened
    .filter(({ what }) => AWAY.includes(what))
    .map((cut) => absenceOf(watched, cut))
  return pauses.flatMap(({ fromUs: sinceUs, toUs: untilUs }) => {
    if (!happened.some(({ fromUs, atUs }) => fromUs < untilUs && sinceUs < atUs + afterUs)) {
      return []
    }
    const away = absences.filter(({ fromUs, toUs }) => fromUs < untilUs && toUs > sinceUs)
    const left = links.filter(({ name }) => away.every(({ link }) => link !== name))
    const bestUs = 2000 * Math.min(...left.map(({ delayMs }) => delayMs))
    return left.length === 0 ? [] : [untilUs - sinceUs - bestUs]
  })
}

const greatest = (values: readonly number[]) =>
  values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)

/** Seconds from the restore of a cut link until it carries again what it did before the cut. */
function returnOf({ watched: { looks, happened } }: Measured, cut: Happened): number[] {
  const { link } = cut
  const rate = (fromUs: number, toUs: number) =>
    ((deliveredAt(looks, link, toUs) - deliveredAt(looks, link, fromUs)) * 8) / (toUs - fromUs)
  const before = rate(cut.atUs - BEFORE_US, cut.atUs)
  const restored = endOf(happened, cut)
  if (restored === undefined || before < LEAST_MBIT) return []
  const next = happened.find(({ atUs }) => atUs > restored.atUs)
  const endUs = next?.atUs ?? looks.at(-1)!.atUs
  const back = looks.find(
    ({ atUs }) =>
      atUs >= restored.atUs &&
      atUs + BACK_WINDOW_US <= endUs &&
      rate(atUs, atUs + BACK_WINDOW_US) >= BACK * before,
  )
  // Not before the next happening: at least as long as was waited.
  return [((back?.atUs ?? endUs) - restored.atUs) / 1e6]
}
