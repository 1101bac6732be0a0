/** What cuts and restores did to the traffic. */

import type { Congestion } from '../lab/traffic.js'
import { mbitBetween } from './arrived.js'
import type { Measured } from './measure.js'
import { aloneOf, type Results } from './results.js'
import type { Sample } from './sample.js'
import type { Scenario } from './scenarios/scenario.js'
import { deliveredAt } from './timeline.js'
import type { Happened } from './watch.js'

/** What a link carried before is looked at for so long. */
const BEFORE_US = 2_000_000
/** A link is back when it carries this share of that, over so long a time. */
const BACK = 0.8
const BACK_WINDOW_US = 300_000
/** Below this there was no share to come back to. */
const LEAST_MBIT = 0.5
/** After an uplink is cut, what is left of the goodput is counted for so long. */
const AFTER_S = 1

export function cutSample(
  measured: Measured,
  results: Pick<Results, 'rows'>,
  scenario: Scenario,
  congestion: Congestion,
): Sample {
  const { arrived, watched } = measured
  const cuts = watched.happened.filter(({ what }) => what === 'cut' || what === 'unplug')
  const shares =
    arrived === undefined
      ? []
      : cuts.map(({ atUs, link }) => {
          const others = scenario.links.filter(({ name }) => name !== link)
          const { sum } = aloneOf(results, scenario.id, others, congestion)
          const atS = (atUs - arrived.startUs) / 1e6
          return mbitBetween(arrived, atS, atS + AFTER_S) / sum
        })
  const returns = cuts.flatMap((cut) => returnOf(measured, cut))
  return {
    ...(shares.some((share) => !Number.isNaN(share)) ? { afterCutShare: Math.min(...shares) } : {}),
    ...(returns.length === 0 ? {} : { backS: Math.max(...returns) }),
  }
}

/** Seconds from the restore of a cut link until it carries again what it did before the cut. */
function returnOf({ watched: { looks, happened } }: Measured, cut: Happened): number[] {
  const { link } = cut
  const rate = (fromUs: number, toUs: number) =>
    ((deliveredAt(looks, link, toUs) - deliveredAt(looks, link, fromUs)) * 8) / (toUs - fromUs)
  const before = rate(cut.atUs - BEFORE_US, cut.atUs)
  const restored = happened.find(
    (each) =>
      (each.what === 'restore' || each.what === 'plug') &&
      each.link === link &&
      each.atUs > cut.atUs,
  )
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
