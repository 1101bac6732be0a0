/** From the server as people name it to addresses. */

import { lookup as dnsLookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { ServerEndpoint } from '../core/client.js'
import type { HostPort } from '../core/hostport.js'
import { familyOf, formatEndpoint, parseAddress } from './address.js'

/** All addresses of a name, in the order that the machine prefers. Rejects with an error of node:dns. */
export type Lookup = (host: string) => Promise<readonly string[]>

export const lookup: Lookup = async (host) =>
  (await dnsLookup(host, { all: true, verbatim: true })).map(({ address }) => address)

export interface Resolved {
  /** Without repetition, in the order given. */
  readonly endpoints: readonly ServerEndpoint[]
  /** Names that have no address now: sentences. */
  readonly faults: readonly string[]
}

/**
 * Names are asked for at the same time; a name that fails hides no other.
 *
 * @param known what each name had when it was last found, and still counts for one that fails; kept up to date.
 */
export async function resolveEndpoints(
  names: readonly HostPort[],
  ask: Lookup,
  known: Map<string, readonly string[]>,
): Promise<Resolved> {
  const faults: string[] = []
  const found = await Promise.all(
    names.map(async ({ host, port }) => {
      const texts = isIP(host) > 0 ? [host] : await askOne(host, ask, known, faults)
      return texts.flatMap((text) => endpointOf(text, port))
    }),
  )
  const distinct = new Map(
    found.flat().map((endpoint) => [formatEndpoint(endpoint.address, endpoint.port), endpoint]),
  )
  return { endpoints: [...distinct.values()], faults }
}

async function askOne(
  host: string,
  ask: Lookup,
  known: Map<string, readonly string[]>,
  faults: string[],
): Promise<readonly string[]> {
  try {
    const found = await ask(host)
    known.set(host, found)
    return found
  } catch (error) {
    const reason = (error as { code?: string }).code ?? String(error)
    faults.push(
      `${host} has no address now (${reason}), and is asked for again: see that the name is right and that this machine's name servers answer`,
    )
    return known.get(host) ?? []
  }
}

function endpointOf(text: string, port: number): ServerEndpoint[] {
  const address = parseAddress(text)
  return address === undefined ? [] : [{ family: familyOf(address), address, port }]
}
