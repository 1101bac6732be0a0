import { describe, expect, it } from 'vitest'
import { parseCidr } from '../../src/net/address.js'
import { findCutOffs, findOverlaps } from '../../src/net/clashes.js'
import { parseDevices, parseGateways } from '../../src/net/devices.js'

const INNER = [parseCidr('10.77.0.2/24')!, parseCidr('fd77::2/64')!]

/** Devices with these addresses; `local>peer/prefix` of a link between two. */
function around(devices: Readonly<Record<string, readonly string[]>>) {
  const listing = Object.entries(devices).map(([ifname, texts], i) => ({
    ifname,
    ifindex: i + 1,
    flags: ['UP', 'LOWER_UP'],
    addr_info: texts.map((text) => {
      const [, local, address, prefix] = /^([^>/]+)(?:>([^/]+))?\/(\d+)$/.exec(text)!
      return { local, address, prefixlen: Number(prefix) }
    }),
  }))
  return { tun: 'mptun0', devices: parseDevices(JSON.stringify(listing)) }
}

const overlaps = (...addresses: string[]) =>
  findOverlaps(INNER, around({ eth0: addresses })).map(({ why }) => why)

describe("a network of this machine and the tunnel's", () => {
  it.each([
    ['the same', '10.77.0.9/24', '10.77.0.0/24'],
    ['a wider one', '10.1.2.3/8', '10.0.0.0/8'],
    ['a narrower one', '10.77.0.129/30', '10.77.0.128/30'],
    ['a single address', '10.77.0.5/32', '10.77.0.5/32'],
    ['the other end of a link between two', '192.0.2.1>10.77.0.5/32', '10.77.0.5/32'],
    ['an IPv6 network', 'fd77::9/48', 'fd77::/48'],
  ])('overlap: %s', (_, address, network) => {
    expect(overlaps(address)).toEqual([
      expect.stringContaining(`overlaps ${network} of eth0; give`),
    ])
  })

  it.each([
    ['the next one', '10.77.1.1/24'],
    ['a default route in other clothes', '10.77.0.9/0'],
    ['the same octets in the other family', '::a4d:2/120'],
    ['loopback', '127.0.0.1/8'],
    ['link-local', 'fe80::1/64'],
  ])('do not: %s', (_, address) => {
    expect(overlaps(address)).toEqual([])
  })

  it('do not where the device is the one that the tunnel had before', () => {
    expect(findOverlaps(INNER, around({ mptun0: ['10.77.0.1/24', 'fd77::1/64'] }))).toEqual([])
  })

  it('are told with all that overlap, and with one that is free', () => {
    const [clash] = findOverlaps(INNER, around({ eth0: ['10.1.2.3/8'], br0: ['10.77.0.1/16'] }))
    expect(clash).toEqual({
      family: 4,
      why: "the tunnel's network 10.77.0.0/24 overlaps 10.0.0.0/8 of eth0 and 10.77.0.0/16 of br0; give the server another network: mptun server --pool 172.29.77.0/24",
    })
  })
})

describe("an uplink in the tunnel's network", () => {
  const here = around({ eth0: ['10.77.0.9/24'], wwan0: ['10.1.2.3/8', 'fd00::3/64'] })
  const gateways = parseGateways(
    JSON.stringify([
      { dst: 'default', gateway: '192.0.2.1', dev: 'eth0' },
      { dst: 'default', dev: 'ppp0' },
      { dst: 'default', nexthops: [{ gateway: '10.77.0.1', dev: 'wwan0' }, { dev: 'ppp0' }] },
    ]),
  )
  const cutOffs = (...uplinks: string[]) => findCutOffs(INNER, here, new Set(uplinks), gateways)

  it('would be cut off by its address', () => {
    expect(cutOffs('eth0')).toEqual([
      {
        family: 4,
        why: "the tunnel's network 10.77.0.0/24 would cut off 10.77.0.9, which the uplink eth0 needs: this device gets no IPv4 address; give the server another network: mptun server --pool 172.29.77.0/24",
      },
    ])
  })

  it('would be cut off by its gateway', () => {
    expect(cutOffs('wwan0').map(({ why }) => why)).toEqual([
      expect.stringContaining('would cut off 10.77.0.1, which the uplink wwan0 needs'),
    ])
  })

  it('is not one that only overlaps, nor another device that is no uplink', () => {
    expect(findCutOffs(INNER, here, new Set(['wwan0']), [])).toEqual([])
    expect(cutOffs('eth1')).toEqual([])
  })
})
