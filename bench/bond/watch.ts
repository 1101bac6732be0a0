/** Makes happen what a scenario has happen to its links, and watches what goes over each of them. */

import type { DirectionStats } from '../lab/emulator.js'
import type { Lab } from '../lab/lab.js'
import { pause } from '../lab/traffic.js'
import type { Happening } from './scenario.js'

/** How often the links are looked at: the resolution of a time line. */
const LOOK_MS = 100

/** What a link had delivered at one moment, both directions together. */
export interface Look {
  /** CLOCK_MONOTONIC. */
  readonly atUs: number
  readonly deliveredBytes: Readonly<Record<string, number>>
}

export interface Happened extends Happening {
  /** CLOCK_MONOTONIC, once it was done. */
  readonly atUs: number
}

export interface Watched {
  readonly looks: readonly Look[]
  readonly happened: readonly Happened[]
  readonly lateMaxUs: number
}

export interface Watch {
  /** Lets nothing more happen. */
  stop(): void
  /** After `stop`. */
  readonly ended: Promise<Watched>
}

export function startWatch(lab: Lab, happenings: readonly Happening[]): Watch {
  const looks: Look[] = []
  const happened: Happened[] = []
  const startUs = monotonicUs()
  let lateMaxUs = 0
  let isOver = false
  const look = async () => {
    while (!isOver) {
      const links = await lab.stats()
      const atUs = monotonicUs()
      for (const { up, down } of links) lateMaxUs = Math.max(lateMaxUs, lateness(up, down))
      const delivered = links.map(({ name, up, down }) => [
        name,
        up.deliveredBytes + down.deliveredBytes,
      ])
      looks.push({ atUs, deliveredBytes: Object.fromEntries(delivered) })
      await pause(LOOK_MS)
    }
  }
  const act = async () => {
    for (const happening of happenings) {
      while (!isOver && monotonicUs() < startUs + happening.atS * 1e6) await pause(5)
      if (isOver) return
      await happen(lab, happening)
      happened.push({ ...happening, atUs: monotonicUs() })
    }
  }
  const ended = Promise.all([look(), act()]).then(() => ({ looks, happened, lateMaxUs }))
  ended.catch(() => {}) // told to whoever waits for the end
  return {
    stop() {
      isOver = true
    },
    ended,
  }
}

const monotonicUs = () => Number(process.hrtime.bigint() / 1000n)

const lateness = (...directions: readonly DirectionStats[]) =>
  Math.max(...directions.map((each) => each.lateMaxUs))

function happen(lab: Lab, { link, what }: Happening): Promise<void> {
  if (what === 'cut') return lab.cutLink(link)
  if (what === 'restore') return lab.restoreLink(link)
  return lab.setLink(link, what.slice('set '.length))
}
