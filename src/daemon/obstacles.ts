/** Why an uplink with a socket may get no answer: what this machine itself can see of it, when somebody asks. */

import type { ServerEndpoint } from '../core/client.js'
import { type Family, formatAddress } from '../net/address.js'
import { listWays } from '../net/devices.js'
import type { PeerReport } from '../status.js'
import type { Machine } from './machine.js'

type Looking = Pick<Machine, 'run' | 'isStrictlyFiltered'>

export interface Known {
  readonly servers: readonly ServerEndpoint[]
  /** Of the sockets that an uplink has. */
  readonly familiesOf: (uplink: string) => readonly Family[]
}

/** The same reports; paths that are down say what may be in their way. */
export async function tellObstacles(
  machine: Looking,
  peers: readonly PeerReport[],
  known: Known,
): Promise<readonly PeerReport[]> {
  const isDown = ({ state }: { readonly state: string }) => state === 'down'
  const down = peers.flatMap(({ paths }) => paths.filter(isDown))
  if (down.length === 0) return peers
  const obstacles = await findObstacles(machine, new Set(down.map(({ label }) => label)), known)
  return peers.map((peer) => ({
    ...peer,
    paths: peer.paths.map((path) => {
      const obstacle = isDown(path) ? obstacles.get(path.label) : undefined
      return obstacle === undefined ? path : { ...path, why: `${path.why}; ${obstacle}` }
    }),
  }))
}

/** Sentences by uplink. */
async function findObstacles(
  { run, isStrictlyFiltered }: Looking,
  uplinks: ReadonlySet<string>,
  { servers, familiesOf }: Known,
): Promise<ReadonlyMap<string, string>> {
  const ways = await Promise.all(
    servers.map(async ({ family, address }) => ({
      family,
      address,
      over: await listWays(run, address),
    })),
  )
  const found = new Map<string, string>()
  for (const name of uplinks) {
    const families = familiesOf(name)
    const fitting = ways.filter(({ family }) => families.includes(family))
    const [first] = fitting
    if (first === undefined) continue
    // A socket that is bound to its device gets no error: where no route leads, Linux takes everybody for a neighbour there.
    if (!fitting.some(({ over }) => over.has(name))) {
      const ip = first.family === 4 ? 'ip' : 'ip -6'
      found.set(
        name,
        `no route leads over ${name} to ${formatAddress(first.address)}: give it a default route of its own, such as ${ip} route add default via GATEWAY dev ${name} metric 1000`,
      )
    } else if (families.includes(4) && isStrictlyFiltered(name)) {
      found.set(
        name,
        `strict reverse path filtering may drop what comes back on ${name}: run sysctl -w net.ipv4.conf.all.rp_filter=2`,
      )
    }
  }
  return found
}
