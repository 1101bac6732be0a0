/** Makes happen what a scenario has happen to its links, and watches what goes over each of them. */

import { setTimeout as pause } from 'node:timers/promises'
import type { DirectionStats } from '../lab/emulator.js'
import type { Lab } from '../lab/lab.js'
import type { Direction } from './bulk.js'
import type { Happening } from './scenarios/scenario.js'

/** How often the links are looked at: half of the delays that are of interest. */
const LOOK_MS = 20

/** What each link had taken and given at one moment, in the direction of the load. */
export interface Look {
  /** CLOCK_MONOTONIC. */
  readonly atUs: number
  readonly acceptedBytes: Readonly<Record<string, number>>
  readonly deliveredBytes: Readonly<Record<string, number>>
  /** How much later what was sent then would be than over a link that had carried nothing. */
  readonly inflictedUs: Readonly<Record<string, number>>
}

export interface Happened extends Happening {
  /** CLOCK_MONOTONIC, when it was begun: the kernel takes its time for a device that goes away. */
  readonly fromUs: number
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

/** @param direction of the load; of both the client's sending is looked at. */
export function startWatch(
  lab: Lab,
  direction: Direction,
  happenings: readonly Happening[],
): Watch {
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
      const own = links.map(
        (link) => [link.name, link[direction === 'down' ? 'down' : 'up']] as const,
      )
      looks.push({
        atUs,
        acceptedBytes: Object.fromEntries(own.map(([name, each]) => [name, each.acceptedBytes])),
        deliveredBytes: Object.fromEntries(own.map(([name, each]) => [name, each.deliveredBytes])),
        inflictedUs: Object.fromEntries(own.map(([name, each]) => [name, each.inflictedUs])),
      })
      await pause(LOOK_MS)
    }
  }
  const act = async () => {
    for (const happening of happenings) {
      while (!isOver && monotonicUs() < startUs + happening.atS * 1e6) await pause(5)
      if (isOver) return
      const fromUs = monotonicUs()
      await happen(lab, happening)
      happened.push({ ...happening, fromUs, atUs: monotonicUs() })
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
  if (what === 'unplug') return lab.deleteDevice(link)
  if (what === 'plug') return lab.recreateDevice(link)
  return lab.setLink(link, what.slice('set '.length))
}
