/** The queues that a load builds on the links. */

import { rank } from './beside.js'
import type { Sample } from './sample.js'
import type { BondLink } from './scenarios/scenario.js'
import { timeOfDelivery } from './timeline.js'
import type { Watched } from './watch.js'

/** Fewer looks at a link under load tell nothing of its worst. */
const LEAST_LOOKS = 40

/** Above the quickest delivery of the run and, on a recorded link, above its own gaps. */
export function queueSample({ looks, happened }: Watched, links: readonly BondLink[]): Sample {
  if (happened.some(({ what }) => !what.startsWith('set'))) return {} // what a cut takes never arrives
  const worst = links.flatMap(({ name, idleWaitP95Ms = 0 }) => {
    const delaysMs = looks.flatMap(({ atUs, acceptedBytes, deliveredBytes }) => {
      const accepted = acceptedBytes[name] ?? 0
      if (accepted <= (deliveredBytes[name] ?? 0)) return []
      const deliveredUs = timeOfDelivery(looks, name, accepted)
      return deliveredUs === undefined ? [] : [(deliveredUs - atUs) / 1000]
    })
    if (delaysMs.length < LEAST_LOOKS) return []
    return [Math.max(0, rank(delaysMs, 0.95) - Math.min(...delaysMs) - idleWaitP95Ms)]
  })
  return worst.length === 0 ? {} : { linkQueueP95Ms: Math.max(...worst) }
}
