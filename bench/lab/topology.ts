/**
 * The addresses of a lab and what each namespace is told.
 *
 *   client                     router of each link               server
 *   NAME  192.168.N.2  ~~~~~~  lan 192.168.N.1 | wan 203.0.113.N  ----  198.51.100.1 (on lo)
 *         PREFIX:N::2  (link)      PREFIX:N::1 |     PREFIX:fffe:N  veth     PREFIX:ffff::1
 *
 * N counts the links from 10. The server sees each link under an address of its own: through the NAT
 * the router's wan address, without it the client's. IPv6 is routed, never translated.
 * The veths are routed rather than bridged: one hop less for every packet, and no bridge needed.
 */

const FIRST_LINK_NUMBER = 10
const PREFIX_6 = 'fd6d:7074:756e'

/** In the ranges that RFC 5737 keeps for documentation. */
export const SERVER_ADDRESS = '198.51.100.1'
export const SERVER_ADDRESS_6 = `${PREFIX_6}:ffff::1`

/**
 * The two ends of a veth. Unlike ARP, neighbour discovery answers only for the asked device's own
 * addresses, and the server's is on lo.
 */
const ROUTER_LINK_LOCAL = 'fe80::2'
const SERVER_LINK_LOCAL = 'fe80::1'

/** Ports per mapping range: far more than a lab has flows. */
const NAT_RANGE_PORTS = 1000
const NAT_FIRST_PORT = 20_000
const NAT_RANGES = 40

/** What an ordinary host of a distribution with systemd has: reverse path filter loose. */
export const HOST_SYSCTLS = {
  'net.ipv4.conf.all.rp_filter': 2,
  'net.ipv4.conf.default.rp_filter': 2,
  // A lab's addresses are given by hand: nothing is to be sent on an idle link unasked.
  'net.ipv6.conf.default.accept_ra': 0,
  'net.ipv6.conf.default.router_solicitations': 0,
  'net.ipv6.conf.default.dad_transmits': 0,
  'net.ipv6.conf.default.addr_gen_mode': 1,
}

export const ROUTER_SYSCTLS = {
  ...HOST_SYSCTLS,
  'net.ipv4.ip_forward': 1,
  'net.ipv6.conf.all.forwarding': 1,
}

/** One link's place in the lab. */
export interface LinkAddresses {
  /** The uplink device in the client, named like the link. */
  device: string
  address: string
  gateway: string
  address6: string
  gateway6: string
  /** Of the link's router on the Internet side. */
  publicAddress: string
  publicAddress6: string
  /** The server's end of the veth. */
  serverDevice: string
  /** Of the client's default route: the first link is preferred. */
  metric: number
}

export function addressesOf(name: string, index: number): LinkAddresses {
  const number = FIRST_LINK_NUMBER + index
  return {
    device: name,
    address: `192.168.${number}.2`,
    gateway: `192.168.${number}.1`,
    address6: `${PREFIX_6}:${number}::2`,
    gateway6: `${PREFIX_6}:${number}::1`,
    publicAddress: `203.0.113.${number}`,
    publicAddress6: `${PREFIX_6}:fffe::${number}`,
    serverDevice: `to-${name}`.slice(0, 15),
    metric: 100 * (index + 1),
  }
}

/** `ip` commands for the client's device, also after it was made again. */
export function uplinkCommands(link: LinkAddresses): string[] {
  const { device, metric } = link
  return [
    `address replace ${link.address}/24 dev ${device}`,
    `address replace ${link.address6}/64 dev ${device} nodad`,
    `route replace default via ${link.gateway} dev ${device} metric ${metric}`,
    `route replace default via ${link.gateway6} dev ${device} metric ${metric}`,
  ]
}

export function lanCommands(link: LinkAddresses): string[] {
  return [
    `address replace ${link.gateway}/24 dev lan`,
    `address replace ${link.gateway6}/64 dev lan nodad`,
  ]
}

/** Also after rebinding, which takes the IPv4 address away and with it the route. */
export function wanCommands(link: LinkAddresses): string[] {
  return [
    `address replace ${link.publicAddress}/32 dev wan`,
    `address replace ${link.publicAddress6}/128 dev wan nodad`,
    `address replace ${ROUTER_LINK_LOCAL}/64 dev wan nodad`,
    'link set wan up',
    `route replace ${SERVER_ADDRESS}/32 dev wan src ${link.publicAddress}`,
    `route replace ${SERVER_ADDRESS_6}/128 via ${SERVER_LINK_LOCAL} dev wan src ${link.publicAddress6}`,
  ]
}

/** The router leads to it as well, unless no NAT hides the first one. */
export function otherAddress({ address }: LinkAddresses): string {
  return address.endsWith('.2') ? address.replace(/2$/, '3') : address.replace(/3$/, '2')
}

export function dropPublicAddressCommands(link: LinkAddresses): string[] {
  return [`address delete ${link.publicAddress}/32 dev wan`]
}

export function serverCommands(): string[] {
  return [
    `address replace ${SERVER_ADDRESS}/32 dev lo`,
    `address replace ${SERVER_ADDRESS_6}/128 dev lo nodad`,
  ]
}

/** The way back to a link; to the client's own subnet only where no NAT hides it. */
export function serverLinkCommands(link: LinkAddresses, nat: boolean): string[] {
  const { serverDevice: device, publicAddress } = link
  const via6 = `via ${ROUTER_LINK_LOCAL} dev ${device} src ${SERVER_ADDRESS_6}`
  const commands = [
    `address replace ${SERVER_LINK_LOCAL}/64 dev ${device} nodad`,
    `link set ${device} up`,
    `route replace ${publicAddress}/32 dev ${device} src ${SERVER_ADDRESS}`,
    `route replace ${link.publicAddress6}/128 ${via6}`,
    `route replace ${link.address6}/128 ${via6}`,
  ]
  if (!nat) {
    commands.push(
      `route replace ${link.address}/32 via ${publicAddress} dev ${device} src ${SERVER_ADDRESS}`,
    )
  }
  return commands
}

/**
 * A home router: everything that leaves is masqueraded, and what comes unasked is dropped without a
 * word. UDP gets a port of the range with number `generation`, so that a later one is never the same.
 */
export function natRules(generation: number): string {
  const from = NAT_FIRST_PORT + (generation % NAT_RANGES) * NAT_RANGE_PORTS
  const to = from + NAT_RANGE_PORTS - 1
  return `table ip lab
delete table ip lab
table ip lab {
  chain postrouting {
    type nat hook postrouting priority srcnat
    oifname "wan" meta l4proto udp masquerade to :${from}-${to}
    oifname "wan" masquerade
  }
  chain input {
    type filter hook input priority filter
    iifname "wan" ct state new drop
  }
  chain forward {
    type filter hook forward priority filter
    iifname "wan" ct state new drop
  }
}
`
}

/** Beside the rules of a NAT; a chain of its own that is empty drops nothing. */
export function narrowRules(bytes: number | undefined): string {
  const rule = bytes === undefined ? '' : `meta length gt ${bytes} drop`
  return `table inet narrow
delete table inet narrow
table inet narrow {
  chain forward {
    type filter hook forward priority filter
    ${rule}
  }
}
`
}
