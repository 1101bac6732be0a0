/** Addresses, MTU and routes of the tunnel's own device. Everything can be said twice. */

import { MptunError } from '../errors.js'
import { type Cidr, formatAddress, formatCidr } from './address.js'
import type { Run } from './program.js'

export interface TunSetup {
  readonly name: string
  readonly addresses: readonly Cidr[]
  readonly routes: readonly Cidr[]
}

/** Sets MTU and brings the device up, without addresses. */
export async function raiseTun(run: Run, name: string, mtuBytes: number): Promise<void> {
  // A link-local address of its own would send router solicitations and multicast into the tunnel.
  await run('ip', ['link', 'set', 'dev', name, 'addrgenmode', 'none']).catch(() => '')
  await run('ip', ['link', 'set', 'dev', name, 'mtu', String(mtuBytes), 'up'])
}

export interface TunState {
  /** Those that lead into it now. */
  readonly routes: readonly Cidr[]
  /** What was left undone, because the machine has IPv6 switched off or another device has the route: sentences. */
  readonly faults: readonly string[]
}

/** Gives the device these addresses and no others, and the routes into it that no other device has. */
export async function addressTun(
  run: Run,
  { name, addresses, routes }: TunSetup,
): Promise<TunState> {
  const faults: string[] = []
  const wanted = new Set(addresses.map(formatCidr))
  for (const { family, local, prefixlen } of await presentAddresses(run, name)) {
    const present = `${local}/${prefixlen}`
    if (wanted.has(present)) continue
    await run('ip', [flag(family === 'inet' ? 4 : 6), 'address', 'delete', present, 'dev', name])
  }
  const attempt = async (cidr: Cidr, args: readonly string[]) => {
    try {
      await run('ip', args)
      return true
    } catch (error) {
      if (cidr.family === 4 || !(error instanceof MptunError)) throw error
      faults.push(error.message)
      return false
    }
  }
  for (const address of addresses) {
    // Nobody else can have our address in a tunnel: duplicate detection would only delay it.
    const nodad = address.family === 6 ? ['nodad'] : []
    const text = formatCidr(address)
    await attempt(address, ['address', 'replace', text, 'dev', name, ...nodad])
  }
  const own: Cidr[] = []
  for (const route of routes) {
    const text = formatCidr(route)
    const holder = await holderOf(run, name, route)
    if (holder !== undefined) {
      faults.push(
        `${text} is routed to ${holder} and stays so: take that route away, or name another network with --route`,
      )
    } else if (await attempt(route, [flag(route.family), 'route', 'replace', text, 'dev', name])) {
      own.push(route)
    }
  }
  return { routes: own, faults }
}

/** What a route has that is given no metric: ip-route(8). */
const METRIC = { 4: 0, 6: 1024 } as const

/** Whose route of the same network and metric would be replaced, and missed when ours is gone: an uplink's, another tunnel's. */
async function holderOf(run: Run, name: string, route: Cidr): Promise<string | undefined> {
  const words = ['-json', flag(route.family), 'route', 'show', 'exact', formatCidr(route)]
  // Of a family that is switched off there is nothing to tell.
  const found: PresentRoute[] = JSON.parse(await run('ip', words).catch(() => '[]'))
  const other = found.find(({ dev, metric = 0 }) => dev !== name && metric === METRIC[route.family])
  return other && (other.dev ?? other.nexthops?.map(({ dev }) => dev).join(' and ') ?? other.type)
}

interface PresentRoute {
  readonly dev?: string
  readonly metric?: number
  readonly nexthops?: readonly { readonly dev: string }[]
  /** blackhole, unreachable, prohibit ... */
  readonly type?: string
}

/** Takes routes away that are no longer wanted. */
export async function dropRoutes(run: Run, name: string, routes: readonly Cidr[]): Promise<void> {
  for (const route of routes) {
    const args = [flag(route.family), 'route', 'delete', formatCidr(route), 'dev', name]
    await run('ip', args).catch(() => '')
  }
}

/** After the engine has closed: a persistent device is still there and is left as it was found, without addresses. */
export async function clearTun(run: Run, name: string): Promise<void> {
  await run('ip', ['address', 'flush', 'dev', name]).catch(() => '')
  await run('ip', ['link', 'set', 'dev', name, 'down']).catch(() => '')
}

interface Present {
  readonly family: string
  readonly local: string
  readonly prefixlen: number
}

async function presentAddresses(run: Run, name: string): Promise<Present[]> {
  const listing = JSON.parse(await run('ip', ['-json', 'address', 'show', 'dev', name]))
  const infos: (Present & { scope?: string })[] = listing[0]?.addr_info ?? []
  return infos.filter(({ scope }) => scope !== 'link')
}

function flag(family: 4 | 6): string {
  return `-${family}`
}

/** The addresses of one side of the tunnel, as its device has them. */
export function innerCidrs(inner: {
  readonly ipv4: Uint8Array
  readonly ipv4Prefix: number
  readonly ipv6: Uint8Array
  readonly ipv6Prefix: number
}): Cidr[] {
  const both: readonly Cidr[] = [
    { family: 4, address: inner.ipv4, prefix: inner.ipv4Prefix },
    { family: 6, address: inner.ipv6, prefix: inner.ipv6Prefix },
  ]
  return both.filter(({ address }) => !/^(0\.0\.0\.0|::)$/.test(formatAddress(address)))
}
