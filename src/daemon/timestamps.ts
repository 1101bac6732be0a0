/** How far the client's handshakes have come, kept for machines that do not know the time when they start. */

import { FIRST_YEAR } from '../core/budget.js'
import type { TimestampMemory } from '../core/timestamp.js'
import { MptunError, messageOf } from '../errors.js'
import type { Surroundings } from './role.js'

/** Less is what was kept ahead, and what restarts have spent. */
const BEHIND_US = 3_600_000_000

/** No file and no disk stops a tunnel: what cannot be read or kept is told, and the clock has to do. */
export function timestampMemory({
  store,
  log,
  machine,
}: Pick<Surroundings, 'store' | 'log' | 'machine'>): TimestampMemory {
  let isKept = true
  const keptUs = read()
  tellIfBehind(keptUs)
  return {
    keptUs: keptUs ?? 0,
    keep(untilUs) {
      try {
        store.keepTimestamp(untilUs)
      } catch (error) {
        if (!(error instanceof MptunError)) throw error
        if (isKept) log.write('timestamp.unwritten', { why: `${error.message}; ${CONSEQUENCE}` })
        isKept = false
        return false
      }
      if (!isKept) log.write('timestamp.written')
      isKept = true
      return true
    },
  }

  function read(): number | undefined {
    try {
      return store.readTimestamp()
    } catch (error) {
      log.write('timestamp.unreadable', { why: messageOf(error) })
      return undefined
    }
  }

  function tellIfBehind(us: number | undefined): void {
    const wallUs = machine.clock.wallUs()
    const says = `the clock says ${iso(wallUs)}`
    if (us !== undefined && us > wallUs + BEHIND_US) {
      const why = `${says}, the handshakes of before have come to ${iso(us)} and go on from there`
      log.write('clock.behind', { why })
    }
    if (us === undefined && new Date(wallUs / 1000).getFullYear() < FIRST_YEAR) {
      const why = `${says}, and nothing is kept of handshakes before: a server that knows a later one refuses until the clock is right`
      log.write('clock.behind', { why })
    }
  }
}

const CONSEQUENCE =
  'should this machine restart with a clock that is behind, the server refuses it until the clock is right'

function iso(us: number): string {
  return new Date(us / 1000).toISOString().replace(/\.\d+Z$/, 'Z')
}
