/**
 * Firewalls that drop what they are not told to forward: ufw, Docker and many administrators set this policy. In
 * nftables a packet has to be accepted by every chain that it meets (nft(8), "VERDICT STATEMENT"), so that our own table cannot help.
 */

import { readValue } from './proc.js'
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

/** A place that drops what is to be forwarded, and the commands that let the device's packets pass. */
interface Obstacle {
  readonly at: string
  readonly remedy: string
}

/** Of nftables, and so of what the iptables of today set there. */
async function nftObstacles(
  run: Run,
  device: string,
  families: ReadonlySet<string>,
): Promise<Obstacle[]> {
  const listing = await run('nft', ['list', 'chains']).catch(() => '')
  const chains = droppingChains(listing).filter(({ family }) => families.has(family))
  const found: Obstacle[] = []
  for (const { family, table, name } of chains) {
    const rules = await run('nft', ['list', 'table', family, table]).catch(() => '')
    if (names(rules, device)) continue
    const insert = `nft insert rule ${family} ${table} ${name}`
    found.push({
      at: `its table ${family} ${table}`,
      remedy: `${insert} iifname ${device} accept; ${insert} oifname ${device} accept`,
    })
  }
  return found
}

const LEGACY = [
  { family: 'ip', program: 'iptables-legacy', tables: 'ip_tables_names' },
  { family: 'ip6', program: 'ip6tables-legacy', tables: 'ip6_tables_names' },
] as const

/** Of the iptables before nftables, which keep their rules apart. To ask them would load their tables: only where these are. */
async function legacyObstacles(
  run: Run,
  device: string,
  families: ReadonlySet<string>,
  procDir: string,
): Promise<Obstacle[]> {
  const found: Obstacle[] = []
  for (const { family, program, tables } of LEGACY) {
    const present = readValue(`${procDir}/net/${tables}`)?.split('\n') ?? []
    if (!families.has(family) || !present.includes('filter')) continue
    const rules = await run(program, ['-S', 'FORWARD']).catch(() => '')
    if (!/^-P FORWARD DROP$/m.test(rules) || namesLegacy(rules, device)) continue
    const insert = `${program} -I FORWARD`
    found.push({
      at: `its chain FORWARD of ${program}`,
      remedy: `${insert} -i ${device} -j ACCEPT; ${insert} -o ${device} -j ACCEPT`,
    })
  }
  return found
}

/** As `names`, in the words of iptables. */
function namesLegacy(rules: string, device: string): boolean {
  return [...rules.matchAll(/ -[io] (\S+)/g)].some(([, name = '']) =>
    name.endsWith('+') ? device.startsWith(name.slice(0, -1)) : name === device,
  )
}

/**
 * A sentence for each firewall that drops by default and has no rule about the device.
 * @param families of nftables: ip, ip6, inet.
 */
export async function forwardFaults(
  run: Run,
  device: string,
  families: ReadonlySet<string>,
  procDir: string,
): Promise<string[]> {
  const obstacles = [
    ...(await nftObstacles(run, device, families)),
    ...(await legacyObstacles(run, device, families, procDir)),
  ]
  return obstacles.map(
    ({ at, remedy }) =>
      `the firewall drops what it is not told to forward, and no rule of ${at} is about ${device}: run ufw route allow in on ${device}, or without ufw ${remedy}`,
  )
}
