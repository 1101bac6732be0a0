/** The name servers of this machine. */

import { formatAddress, leadsOutside, parseAddress } from './address.js'
import { readValue } from './proc.js'

/** Where a program of this machine stands in for them, those that it asks in turn: systemd-resolved(8), NetworkManager.conf(5). */
const FILES = [
  '/etc/resolv.conf',
  '/run/systemd/resolve/resolv.conf',
  '/run/NetworkManager/no-stub-resolv.conf',
]

/** Addresses outside of this machine, each once. */
export function nameServers(): string[] {
  return [...new Set(FILES.flatMap((path) => parseNameServers(readValue(path) ?? '')))]
}

/** Reads what resolv.conf(5) describes. */
export function parseNameServers(text: string): string[] {
  const named = [...text.matchAll(/^nameserver[ \t]+(\S+)/gm)].map((match) => match[1] ?? '')
  return named.flatMap((word) => {
    const address = parseAddress(word)
    return address !== undefined && leadsOutside(address) ? [formatAddress(address)] : []
  })
}
