/**
 * Masquerading, by a server of its pools to the outside and by a client of its own network into the tunnel: one nftables
 * table, named after the tunnel, and IPv4 forwarding. Both are put back at the end; what a killed daemon left is replaced at the next start.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Cidr } from './address.js'
import { formatCidr } from './address.js'
import { forwardFaults } from './firewall.js'
import { readValue } from './proc.js'
import type { Run } from './program.js'

export interface NatOptions {
  readonly run: Run
  readonly tun: string
  /** What is masqueraded on its way out; left out: whatever goes into the tunnel. */
  readonly pools?: readonly Cidr[] | undefined
  /** Where all tunnels of this machine keep the earlier value of ip_forward, whatever becomes of who changed it. */
  readonly memoPath: string
  /** /proc, or a directory that plays its part. */
  readonly procDir?: string
}

const TABLE_PREFIX = 'mptun_'

/** Of each device another one. nftables takes letters, digits, and _ / \ . - in names; no device has a slash in its own. */
function tableName(tun: string): string {
  const octets = (text: string) => Buffer.from(text).toString('hex').replace(/../g, '/$&')
  return TABLE_PREFIX + tun.replace(/[^A-Za-z0-9_.-]+/g, octets)
}

export class Nat {
  readonly #options: NatOptions
  readonly #procDir: string

  constructor(options: NatOptions) {
    this.#options = options
    this.#procDir = options.procDir ?? '/proc'
  }

  /** Resolves to what is missing: sentences. MPTUN_E_SYSTEM_PROGRAM. */
  async install(): Promise<string[]> {
    await this.#options.run('nft', [this.#ruleset()])
    this.#enableForwarding()
    const faults: string[] = []
    if (this.#read('ipv4/ip_forward') !== '1') {
      faults.push('net.ipv4.ip_forward cannot be set: run sysctl -w net.ipv4.ip_forward=1')
    }
    // Forwarding of IPv6 makes a host ignore router advertisements (RFC 4861, section 6.2.7): its owner decides.
    const forwardsIpv6 = this.#read('ipv6/conf/all/forwarding') !== '0'
    if (!forwardsIpv6) {
      faults.push(
        'IPv6 is not forwarded: set net.ipv6.conf.all.forwarding=1 (and accept_ra=2 where addresses come by router advertisement)',
      )
    }
    const families = new Set(['ip', 'inet', ...(forwardsIpv6 ? ['ip6'] : [])])
    const { run, tun } = this.#options
    return [...faults, ...(await forwardFaults(run, tun, families, this.#procDir))]
  }

  /** Whether the table is there: whoever loads a ruleset of their own may flush it with the rest. MPTUN_E_SYSTEM_PROGRAM. */
  async isInstalled(): Promise<boolean> {
    const { run, tun } = this.#options
    const tables = await run('nft', ['list', 'tables'])
    return tables.split('\n').includes(`table inet ${tableName(tun)}`)
  }

  /** Takes everything back. Never throws: it runs when a daemon ends, for whatever reason. */
  async remove(): Promise<void> {
    const { run, tun } = this.#options
    await run('nft', ['delete', 'table', 'inet', tableName(tun)]).catch(() => '')
    const tables = await run('nft', ['list', 'tables']).catch(() => TABLE_PREFIX)
    // Another tunnel of this machine may still need forwarding: the last one that ends puts it back.
    if (!tables.includes(TABLE_PREFIX)) this.#restoreForwarding()
  }

  /** `add` and `delete` in front make it a replacement, in one transaction (nft(8)). */
  #ruleset(): string {
    const { tun, pools } = this.#options
    const table = tableName(tun)
    const device = JSON.stringify(tun)
    const clamp = 'tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu'
    const outside = (pool: Cidr) =>
      `${pool.family === 4 ? 'ip' : 'ip6'} saddr ${formatCidr(pool)} oifname != ${device} masquerade`
    const masquerade = pools?.map(outside) ?? [`oifname ${device} masquerade`]
    return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept
    ${masquerade.join('\n    ')}
  }
  chain forward {
    type filter hook forward priority mangle; policy accept
    iifname ${device} ${clamp}
    oifname ${device} ${clamp}
  }
}`
  }

  #enableForwarding(): void {
    const { memoPath } = this.#options
    const before = this.#read('ipv4/ip_forward')
    if (before === undefined || before === '1') return
    // Without the memo it stays on when we end, which harms less than a tunnel that leads nowhere.
    attempt(() => writeFileSync(memoPath, before, { mode: 0o600 }))
    this.#write('ipv4/ip_forward', '1')
  }

  #restoreForwarding(): void {
    // There is no memo where forwarding was on before.
    attempt(() => this.#write('ipv4/ip_forward', readFileSync(this.#options.memoPath, 'utf8')))
    rmSync(this.#options.memoPath, { force: true })
  }

  #read(name: string): string | undefined {
    return readValue(`${this.#procDir}/sys/net/${name}`)
  }

  #write(name: string, value: string): void {
    // Read-only in many containers; install() looks at the result.
    attempt(() => writeFileSync(`${this.#procDir}/sys/net/${name}`, value))
  }
}

function attempt(deed: () => void): void {
  try {
    deed()
  } catch {
    // Whoever calls knows what to do without.
  }
}
