/** Where a server is, as people write it: `vps.example.org:5000`, `192.0.2.1:5000` or `[2001:db8::1]:5000`. */
import ipaddr from 'ipaddr.js'

export interface HostPort {
  /** A name, or an address without brackets. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

export const HOST_PORT =
  'HOST:PORT such as vps.example.org:5000, 192.0.2.1:5000 or [2001:db8::1]:5000'

/** Undefined for anything else. */
export function parseHostPort(text: string): HostPort | undefined {
  const [, bracketed, plain = '', digits = ''] =
    /^(?:\[([^[\]]*)\]|([^:[\]]*)):([1-9]\d{0,4})$/.exec(text) ?? []
  const isHost = bracketed === undefined ? isHostName(plain) : isIpv6(bracketed)
  const port = Number(digits)
  return isHost && port <= 65_535 ? { host: bracketed ?? plain, port } : undefined
}

/** Writes what parseHostPort reads. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function isIpv6(host: string): boolean {
  // A zone is a device of one machine and means nothing on another.
  return ipaddr.IPv6.isValid(host) && !host.includes('%')
}

/** A host name of RFC 1123, section 2.1 (and the underscores that people use), or an IPv4 address. A last label of digits alone is neither. */
function isHostName(host: string): boolean {
  if (ipaddr.IPv4.isValidFourPartDecimal(host)) return true
  const labels = host.replace(/\.$/, '').split('.')
  const areLabels = labels.every((label) => /^(?!-)[\w-]{1,63}(?<!-)$/.test(label))
  return host.length <= 253 && areLabels && !/^\d+$/.test(labels.at(-1)!)
}
