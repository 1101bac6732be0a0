/** What happens to links and daemons. Each that cannot be now leaves everything as it is. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Chance } from './chance.js'
import type { LinkTruth } from './course.js'
import { LINKS, type Place } from './place.js'

type LinkHappening = (place: Place, link: string, chance: Chance) => Promise<void>
type DaemonHappening = (place: Place, chance: Chance) => Promise<void>

/** Less than LIMIT.leastMtu leaves of a datagram, and more than what interactive traffic sends. */
const NARROW_BYTES = 1300
/** A laptop's lid is closed for so long. */
const SUSPENDED_MS = [2000, 20_000] as const

type State = Exclude<LinkTruth['state'], 'up'>

/** Takes one link of those that are up into another state, a second time out of it; one is left up always. */
const alternate =
  (
    state: State,
    [into, back]: readonly [string, string],
    enter: (place: Place, link: string) => Promise<void>,
    leave: (place: Place, link: string) => Promise<void>,
  ): LinkHappening =>
  async (place, link) => {
    const truth = place.truthOf(link)
    if (truth.state === state) {
      await leave(place, link)
      place.changed(link, back, { state: 'up' })
    } else if (truth.state === 'up' && place.hasOther(link)) {
      place.changed(link, into, { state })
      await enter(place, link)
    }
  }

const cut = alternate(
  'cut',
  ['is cut', 'is restored'],
  ({ lab }, link) => lab.cutLink(link),
  ({ lab }, link) => lab.restoreLink(link),
)

const unplug = alternate(
  'unplugged',
  ['is unplugged', 'is plugged in'],
  ({ lab }, link) => lab.deleteDevice(link),
  ({ lab }, link) => lab.recreateDevice(link),
)

/** As a carrier that drops fragments, and tells nobody. */
const narrow = alternate(
  'narrow',
  ['drops large packets', 'drops none'],
  ({ lab }, link) => lab.narrowLink(link, NARROW_BYTES),
  ({ lab }, link) => lab.narrowLink(link, undefined),
)

const remove = alternate(
  'removed',
  ['is taken out by the user', 'is put in by the user'],
  ({ daemons }, link) => daemons.client.set('remove-uplink', link),
  ({ daemons }, link) => daemons.client.set('add-uplink', link),
)

/** As by DHCP. */
const renumber: LinkHappening = async (place, link) => {
  const { state, isRenumbered } = place.truthOf(link)
  if (state === 'unplugged') return
  await place.lab.renumberDevice(link)
  place.changed(link, 'has another address', { isRenumbered: !isRenumbered })
}

const rebind: LinkHappening = async (place, link) => {
  await place.lab.rebindNat(link)
  place.changed(link, 'is bound anew by its NAT')
}

const rate: LinkHappening = async (place, link, chance) => {
  const mbit = chance.pick([2, 4, 8, 12])
  await place.lab.setLink(link, `rate=${mbit}`)
  place.changed(link, `has ${mbit} Mbit/s`, { mbit })
}

const delay: LinkHappening = async (place, link, chance) => {
  const delayMs = chance.pick([5, 15, 40, 90])
  await place.lab.setLink(link, `delay=${delayMs}`)
  place.changed(link, `takes ${delayMs} ms`, { delayMs })
}

const lose: LinkHappening = async (place, link, chance) => {
  const lossPercent = chance.pick([0, 0.2, 2, 5])
  await place.lab.setLink(link, `loss=${lossPercent}`)
  place.changed(link, `loses ${lossPercent} %`, { lossPercent })
}

const suspendClient: DaemonHappening = async (place, chance) => {
  const { pid } = place.daemons.client
  if (pid === undefined) throw new Error('the client does not run')
  place.unserved('the client is suspended')
  process.kill(pid, 'SIGSTOP')
  try {
    await pause(chance.between(...SUSPENDED_MS))
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  place.served('the client goes on')
}

/** A client that starts has the uplinks of its command line. */
function forgetRemovals(place: Place): void {
  for (const link of LINKS.filter((link) => place.truthOf(link).state === 'removed')) {
    place.changed(link, 'is in again', { state: 'up' })
  }
}

/** As a power failure: nobody says goodbye, nothing is put away. */
const kill =
  (...sides: readonly ('client' | 'server')[]): DaemonHappening =>
  async (place) => {
    const daemons = sides.map((side) => place.daemons[side])
    place.unserved(`${sides.join(' and ')} are killed`)
    await Promise.all(daemons.map((daemon) => daemon.restart('SIGKILL')))
    await Promise.all(daemons.map((daemon) => daemon.until('a start', () => true)))
    if (sides.includes('client')) forgetRemovals(place)
    place.served(`${sides.join(' and ')} are started again`)
  }

const OF_LINKS: readonly LinkHappening[] = [
  ...[cut, cut, unplug, narrow, remove],
  ...[rebind, renumber, rate, delay, lose],
]
const OF_DAEMONS: readonly DaemonHappening[] = [
  suspendClient,
  kill('client'),
  kill('server'),
  kill('client', 'server'),
]
/** Of all happenings. Traffic takes a while to be itself again, and there is more to be seen of links. */
const DAEMONS_SHARE = 0.04

export async function happen(place: Place, chance: Chance): Promise<void> {
  if (chance.next() < DAEMONS_SHARE) await chance.pick(OF_DAEMONS)(place, chance)
  else await chance.pick(OF_LINKS)(place, chance.pick(LINKS), chance)
}
