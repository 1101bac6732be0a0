/** What programs have put into a namespace, to compare before with after. */

import type { Side, Site } from './site.js'

const VIEWS: readonly (readonly string[])[] = [
  ['ip', '-o', 'link'],
  ['ip', '-o', 'address'],
  ['ip', '-4', 'route', 'show', 'table', 'all'],
  ['ip', '-6', 'route', 'show', 'table', 'all'],
  ['ip', '-4', 'rule'],
  ['ip', '-6', 'rule'],
  ['ip', 'tuntap'],
  // A closed TCP connection is remembered for a minute, whoever had it.
  ['ss', '-Htuanp', 'exclude', 'time-wait'],
  ['nft', 'list', 'ruleset'],
  ['sysctl', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'],
]

/** Devices, addresses, routes, rules, sockets, filters and forwarding, each under its command. */
export async function footprint(site: Site, side: Side): Promise<Record<string, string>> {
  const outputs = await Promise.all(VIEWS.map((argv) => site.exec(side, argv)))
  return Object.fromEntries(
    VIEWS.map((argv, index) => [argv.join(' '), sortLines(outputs[index]!.stdout)]),
  )
}

/** Order, device numbers, counts and lifetimes change by themselves. */
function sortLines(text: string): string {
  return text
    .replace(/^\d+: /gm, '')
    .replace(/ (users|qlen|expires|used|age) \S+/g, '')
    .split('\n')
    .map((line) => line.trim())
    .sort()
    .join('\n')
    .trim()
}
