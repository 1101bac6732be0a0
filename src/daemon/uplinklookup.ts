/**
 * Addresses of a name, asked for over the uplinks. The machine's routes may lead its own questions into the tunnel: which
 * does not work when it is the tunnel's server that has to be found.
 */

import { type Family, familyOf, parseAddress } from '../net/address.js'
import { encodeQuestion, readAnswer } from '../net/dns.js'
import type { Machine } from './machine.js'

const DNS_PORT = 53
/** The name is asked for again and again: a server or an uplink that is slower is no loss. */
const PATIENCE_US = 3_000_000

export interface Way {
  readonly device: string
  /** Of its addresses. */
  readonly families: readonly Family[]
}

type Asking = Pick<Machine, 'exchange' | 'nameServers' | 'randomBytes'>

/** Each name server is asked over each uplink, at once. Never rejects: none answers when the list is empty. */
export async function lookupOver(
  machine: Asking,
  ways: readonly Way[],
  host: string,
): Promise<readonly string[]> {
  const wanted = new Set(ways.flatMap(({ families }) => families))
  const questions = machine.nameServers().flatMap((server) => {
    const family = familyOf(parseAddress(server)!)
    const leading = ways.filter(({ families }) => families.includes(family))
    return leading.flatMap(({ device }) =>
      [...wanted].map((about) => ask(machine, { device, family, address: server }, host, about)),
    )
  })
  return [...new Set((await Promise.all(questions)).flat())]
}

async function ask(
  machine: Asking,
  over: { readonly device: string; readonly family: Family; readonly address: string },
  host: string,
  about: Family,
): Promise<readonly string[]> {
  const [high = 0, low = 0] = machine.randomBytes(2)
  const message = encodeQuestion((high << 8) | low, host, about)
  const answer = machine.exchange({ ...over, port: DNS_PORT, message, patienceUs: PATIENCE_US })
  return answer.then((octets) => readAnswer(octets, message, about) ?? []).catch(() => [])
}
