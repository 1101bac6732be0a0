/** The queues that a load builds on the links. */

import { rank } from './beside.js'
import type { Sample } from './sample.js'
import type { Watched } from './watch.js'

/** Fewer looks at a link tell nothing of its worst. */
const LEAST_LOOKS = 40

/** Of the link where it is longest. */
export function queueSample({ looks, happened }: Watched): Sample {
  if (happened.some(({ what }) => !what.startsWith('set'))) return {} // what a cut takes waits for nothing
  if (looks.length < LEAST_LOOKS) return {}
  const worst = Object.keys(looks[0]!.inflictedUs).map((name) =>
    rank(
      looks.map(({ inflictedUs }) => inflictedUs[name]! / 1000),
      0.95,
    ),
  )
  return { linkQueueP95Ms: Math.max(...worst) }
}
