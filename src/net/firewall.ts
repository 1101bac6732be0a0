/**
 * Firewalls that drop what they are not told to forward: ufw, Docker and many administrators set this policy. In
 * nftables a packet has to be accepted by every chain that it meets (nft(8), "VERDICT STATEMENT"), so that our own table cannot help.
 */

import type { Run } from './program.js'

interface Chain {
  readonly family: string
  readonly table: string
  readonly name: string
}

const TABLE = /^table (ip|ip6|inet) (\S+) \{/
const OTHER_TABLE = /^table /
const CHAIN = /^\s+chain (\S+) \{/
const DROPS = /^\s+type filter hook forward .*policy drop;/

/** Those that drop by default, in what `nft list chains` prints. */
function droppingChains(listing: string): Chain[] {
  const found: Chain[] = []
  let family = ''
  let table = ''
  let name = ''
  for (const line of listing.split('\n')) {
    if (OTHER_TABLE.test(line)) [, family = '', table = ''] = TABLE.exec(line) ?? []
    name = CHAIN.exec(line)?.[1] ?? name
    if (family !== '' && DROPS.test(line)) found.push({ family, table, name })
  }
  return found
}

/** Whether some rule is about the device: "mptun0", or "mptun*" as iptables -i mptun+ is shown. */
function names(rules: string, device: string): boolean {
  return [...rules.matchAll(/"([^"\n]+)"/g)].some(([, name = '']) =>
    name.endsWith('*') ? device.startsWith(name.slice(0, -1)) : name === device,
  )
}

/**
 * A sentence for each chain that drops by default and has no rule about the device. Looks at nftables, and so at what
 * the iptables of today set there; those before it (iptables-legacy) keep their rules from everybody else.
 */
export async function forwardFaults(
  run: Run,
  device: string,
  families: ReadonlySet<string>,
): Promise<string[]> {
  const listing = await run('nft', ['list', 'chains']).catch(() => '')
  const chains = droppingChains(listing).filter(({ family }) => families.has(family))
  const faults: string[] = []
  for (const { family, table, name } of chains) {
    const rules = await run('nft', ['list', 'table', family, table]).catch(() => '')
    if (names(rules, device)) continue
    const insert = `nft insert rule ${family} ${table} ${name}`
    faults.push(
      `the firewall drops what it is not told to forward, and no rule of its table ${family} ${table} is about ${device}: run ufw route allow in on ${device}, or without ufw ${insert} iifname ${device} accept; ${insert} oifname ${device} accept`,
    )
  }
  return faults
}
