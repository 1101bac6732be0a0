/**
 * The network devices of this machine and what can be done with them as uplinks.
 * iproute2 is asked: sysfs shows the devices of the namespace in which it was mounted, not of ours.
 */

import * as v from 'valibot'
import { systemError } from '../errors.js'
import {
  type Cidr,
  type Family,
  familyOf,
  formatAddress,
  leadsOutside,
  networkOf,
  parseAddress,
} from './address.js'
import { readValue } from './proc.js'
import type { Run } from './program.js'

export interface Device {
  readonly name: string
  /** Changes when a device goes and comes back under its name. */
  readonly ifindex: number
  readonly isUp: boolean
  readonly hasCarrier: boolean
  /** Addresses from which a server outside can be reached. */
  readonly addresses: readonly Uint8Array[]
  /** What the kernel takes for reachable through it without a gateway. */
  readonly networks: readonly Cidr[]
}

/** The next hop of a default route. */
export interface Gateway {
  readonly device: string
  readonly address: Uint8Array
}

const LISTING = v.array(
  v.object({
    // iproute2 prints an empty object for a device that went while it was listing.
    ifname: v.optional(v.string()),
    ifindex: v.optional(v.number()),
    flags: v.optional(v.array(v.string()), []),
    addr_info: v.optional(
      v.array(
        v.object({
          local: v.optional(v.string(), ''),
          // The other end, where there is one: the prefix is of its network then.
          address: v.optional(v.string()),
          prefixlen: v.optional(v.number()),
          tentative: v.optional(v.boolean(), false),
          dadfailed: v.optional(v.boolean(), false),
        }),
      ),
      [],
    ),
  }),
)

const ROUTES = v.array(
  v.object({
    gateway: v.optional(v.string()),
    dev: v.optional(v.string()),
    nexthops: v.optional(
      v.array(v.object({ gateway: v.optional(v.string()), dev: v.optional(v.string()) })),
      [],
    ),
  }),
)

/** By name. MPTUN_E_SYSTEM_PROGRAM when iproute2 is missing. */
export async function listDevices(run: Run): Promise<ReadonlyMap<string, Device>> {
  return parseDevices(await run('ip', ['-json', 'address', 'show']))
}

/** Of both families, also those that a rule chooses. MPTUN_E_SYSTEM_PROGRAM when iproute2 is missing. */
export async function listGateways(run: Run): Promise<Gateway[]> {
  const words = ['-json', 'route', 'show', 'table', 'all', 'default']
  return parseGateways(await run('ip', words))
}

/** Names of the devices over which some route of some table leads there. MPTUN_E_SYSTEM_PROGRAM when iproute2 is missing. */
export async function listWays(run: Run, address: Uint8Array): Promise<ReadonlySet<string>> {
  const family = `-${familyOf(address)}`
  const words = ['-json', family, 'route', 'show', 'table', 'all', 'match', formatAddress(address)]
  const hops = parseHops(await run('ip', words))
  return new Set(hops.flatMap(({ dev }) => dev ?? []))
}

/** Reads what `ip -json route show` prints. */
export function parseGateways(text: string): Gateway[] {
  return parseHops(text).flatMap(({ gateway = '', dev }) => {
    const address = parseAddress(gateway)
    return address === undefined || dev === undefined ? [] : [{ device: dev, address }]
  })
}

function parseHops(text: string) {
  return parseListing(ROUTES, 'route', text).flatMap(({ nexthops, ...own }) => [own, ...nexthops])
}

/** Reads what `ip -json address show` prints. */
export function parseDevices(text: string): ReadonlyMap<string, Device> {
  const devices = new Map<string, Device>()
  for (const { ifname: name, ifindex, flags, addr_info } of parseListing(
    LISTING,
    'address',
    text,
  )) {
    if (name === undefined || ifindex === undefined) continue
    const addresses = addr_info
      .filter(({ tentative, dadfailed }) => !tentative && !dadfailed)
      .map(({ local }) => parseAddress(local))
      .filter((address) => address !== undefined && leadsOutside(address)) as Uint8Array[]
    devices.set(name, {
      name,
      ifindex,
      isUp: flags.includes('UP'),
      hasCarrier: flags.includes('LOWER_UP'),
      addresses,
      networks: addr_info.flatMap(({ local, address = local, prefixlen }) => {
        const parsed = parseAddress(address)
        if (parsed === undefined) return []
        const prefix = prefixlen ?? parsed.length * 8
        return [networkOf({ family: familyOf(parsed), address: parsed, prefix })]
      }),
    })
  }
  return devices
}

function parseListing<S extends v.GenericSchema>(
  schema: S,
  topic: string,
  text: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, parseJson(text))
  if (result.success) return result.output
  throw systemError(
    'PROGRAM',
    `ip -json ${topic} show printed something unexpected; iproute2 4.14 or newer is needed`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether the kernel has IPv6 at all. */
export function hasIpv6(): boolean {
  return readValue('/proc/net/if_inet6') !== undefined
}

/** Strict reverse path filtering (RFC 3704, section 2.2) drops answers that come where the route back does not lead. */
export function isStrictlyFiltered(device: string): boolean {
  // ip-sysctl: "The max value from conf/{all,interface}/rp_filter is used".
  const values = ['all', device].map((name) =>
    Number(readValue(`/proc/sys/net/ipv4/conf/${name}/rp_filter`) ?? 0),
  )
  return Math.max(...values) === 1
}

/** Which families an uplink can carry now, or a sentence why none. */
export function judge(
  name: string,
  device: Device | undefined,
): { readonly families: readonly Family[]; readonly why: string } {
  const no = (why: string) => ({ families: [], why })
  if (device === undefined) return no(`the device ${name} does not exist yet: waiting for it`)
  if (!device.isUp) return no(`the device ${name} is down: waiting for ip link set ${name} up`)
  if (!device.hasCarrier) return no(`the device ${name} has no carrier: waiting for its link`)
  const families = ([4, 6] as const).filter((family) =>
    device.addresses.some((address) => address.length === (family === 4 ? 4 : 16)),
  )
  if (families.length === 0) {
    return no(`the device ${name} has no address that leads outside: waiting for one`)
  }
  return { families, why: '' }
}
