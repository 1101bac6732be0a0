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

/**
 * Gives the device these addresses and no others, and the routes into it.
 * Resolves to what could not be done for IPv6, which a machine may have switched off: sentences.
 */
export async function addressTun(
  run: Run,
  { name, addresses, routes }: TunSetup,
): Promise<string[]> {
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
    } catch (error) {
      if (cidr.family === 4 || !(error instanceof MptunError)) throw error
      faults.push(error.message)
    }
  }
  for (const address of addresses) {
    // Nobody else can have our address in a tunnel: duplicate detection would only delay it.
    const nodad = address.family === 6 ? ['nodad'] : []
    const text = formatCidr(address)
    await attempt(address, ['address', 'replace', text, 'dev', name, ...nodad])
  }
  for (const route of routes) {
    await attempt(route, [flag(route.family), 'route', 'replace', formatCidr(route), 'dev', name])
  }
  return faults
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
