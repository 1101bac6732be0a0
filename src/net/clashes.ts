/** Whether the tunnel's inner networks are ones that this machine has already, on another device. */

import {
  type Cidr,
  contains,
  type Family,
  formatAddress,
  formatCidr,
  networkOf,
  overlap,
  parseCidr,
} from './address.js'
import type { Device, Gateway } from './devices.js'

export interface Neighbourhood {
  /** The tunnel's own device: what it has is what it was given before. */
  readonly tun: string
  readonly devices: ReadonlyMap<string, Device>
}

export interface Clash {
  /** Both in one sentence, with the remedy. */
  readonly why: string
  readonly family: Family
}

/** One for each of the tunnel's networks that shares addresses with another device's. */
export function findOverlaps(inner: readonly Cidr[], around: Neighbourhood): Clash[] {
  const present = presentNetworks(around)
  return inner.map(networkOf).flatMap((own) => {
    const others = present
      .filter(({ network }) => overlap(own, network))
      .map(({ device, network }) => `${formatCidr(network)} of ${device}`)
    if (others.length === 0) return []
    const both = `the tunnel's network ${formatCidr(own)} overlaps ${others.join(' and ')}`
    return [{ family: own.family, why: `${both}; ${remedy(own, present)}` }]
  })
}

/** One for each of the tunnel's networks in which an uplink or its gateway lies: they could not be reached any more. */
export function findCutOffs(
  inner: readonly Cidr[],
  around: Neighbourhood,
  uplinks: ReadonlySet<string>,
  gateways: readonly Gateway[],
): Clash[] {
  const needed = [...uplinks].flatMap((device) => [
    ...(around.devices.get(device)?.addresses ?? []).map((address) => ({ device, address })),
    ...gateways.filter((gateway) => gateway.device === device),
  ])
  const present = presentNetworks(around)
  return inner.map(networkOf).flatMap((own) => {
    const found = needed.find(({ address }) => contains(own, address))
    if (found === undefined) return []
    const network = `the tunnel's network ${formatCidr(own)}`
    const uplink = `${formatAddress(found.address)}, which the uplink ${found.device} needs`
    const why = `${network} would cut off ${uplink}: this device gets no IPv${own.family} address`
    return [{ family: own.family, why: `${why}; ${remedy(own, present)}` }]
  })
}

/** A network of no bits is a default route in other clothes: whatever is narrower comes before it. */
function presentNetworks({ tun, devices }: Neighbourhood) {
  return [...devices.values()]
    .filter(({ name }) => name !== tun)
    .flatMap(({ name, networks }) => networks.map((network) => ({ device: name, network })))
    .filter(({ network }) => network.prefix > 0)
}

/** One of each private range (RFC 1918): a machine may have all of 10.0.0.0/8. */
const POOLS = ['10.78.0.0/24', '172.29.77.0/24', '192.168.77.0/24']

function remedy(own: Cidr, present: readonly { readonly network: Cidr }[]): string {
  const words = 'give the server another network'
  if (own.family === 6) return `${words}: mptun server --pool6, with 40 random bits behind fd`
  const taken = [own, ...present.map(({ network }) => network)]
  const free = POOLS.find((text) => !taken.some((network) => overlap(network, parseCidr(text)!)))
  return `${words}: mptun server --pool ${free ?? 'A.B.C.0/24'}`
}
