import { describe, expect, it } from 'vitest'
import { MptunError } from '../../src/errors.js'
import { parseAddress, parseCidr } from '../../src/net/address.js'
import { addressTun, innerCidrs } from '../../src/net/tundevice.js'
import { scripted } from './program_fixture.js'

const cidr = (text: string) => parseCidr(text)!

describe('the tunnel device', () => {
  const inner = innerCidrs({
    ipv4: parseAddress('10.77.0.2')!,
    ipv4Prefix: 24,
    ipv6: parseAddress('fd00::2')!,
    ipv6Prefix: 64,
  })

  it('gets its addresses and routes, and loses those of another server', async () => {
    const { run, calls } = scripted({
      'ip -json address show dev t0': JSON.stringify([
        {
          addr_info: [
            { family: 'inet', local: '10.9.0.2', prefixlen: 24, scope: 'global' },
            { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
            { family: 'inet', local: '10.77.0.2', prefixlen: 24, scope: 'global' },
          ],
        },
      ]),
    })
    const setup = {
      name: 't0',
      addresses: inner,
      routes: [cidr('0.0.0.0/1'), cidr('8000::/1')],
    }
    expect(await addressTun(run, setup)).toEqual({ routes: setup.routes, faults: [] })
    expect(calls).toEqual([
      'ip -json address show dev t0',
      'ip -4 address delete 10.9.0.2/24 dev t0',
      'ip address replace 10.77.0.2/24 dev t0',
      'ip address replace fd00::2/64 dev t0 nodad',
      'ip -json -4 route show exact 0.0.0.0/1',
      'ip -4 route replace 0.0.0.0/1 dev t0',
      'ip -json -6 route show exact 8000::/1',
      'ip -6 route replace 8000::/1 dev t0',
    ])
  })

  it.each([
    ['an uplink has', [{ dst: '192.0.2.0/24', dev: 'eth0', flags: [] }], 'eth0'],
    [
      'several share',
      [{ dst: '192.0.2.0/24', nexthops: [{ dev: 'eth0' }, { dev: 'eth1' }] }],
      'eth0 and eth1',
    ],
    ['nobody is to have', [{ type: 'blackhole', dst: '192.0.2.0/24' }], 'blackhole'],
  ])('leaves a route alone that %s', async (_, found, holder) => {
    const route = cidr('192.0.2.0/24')
    const { run, calls } = scripted({
      'ip -json -4 route show exact 192.0.2.0/24': JSON.stringify(found),
    })
    const state = await addressTun(run, { name: 't0', addresses: [], routes: [route] })
    expect(state).toEqual({
      routes: [],
      faults: [expect.stringContaining(`192.0.2.0/24 is routed to ${holder} and stays so`)],
    })
    expect(calls.join()).not.toContain('replace')
  })

  it.each([
    ['its own of before', '192.0.2.0/24', { dev: 't0' }],
    ['one that gives way, of another metric', '192.0.2.0/24', { dev: 'eth0', metric: 100 }],
    ["one that the kernel's own goes before", '2001:db8::/64', { dev: 'eth0', metric: 256 }],
  ])('takes the place of %s', async (_, text, found) => {
    const route = cidr(text)
    const { run } = scripted({
      [`ip -json -${route.family} route show exact ${text}`]: JSON.stringify([found]),
    })
    const state = await addressTun(run, { name: 't0', addresses: [], routes: [route] })
    expect(state).toEqual({ routes: [route], faults: [] })
  })

  it('goes on without IPv6 where the kernel refuses that, and not without IPv4', async () => {
    const refused = new MptunError('MPTUN_E_SYSTEM_PROGRAM', 'refused')
    const setup = { name: 't0', addresses: inner, routes: [] }
    const [v4, v6] = [
      scripted({ 'ip address replace 10.77.0.2/24 dev t0': refused }),
      scripted({ 'ip address replace fd00::2/64 dev t0 nodad': refused }),
    ]
    await expect(addressTun(v4.run, setup)).rejects.toBe(refused)
    expect(await addressTun(v6.run, setup)).toEqual({ routes: [], faults: ['refused'] })
  })

  it('has no address where the server gave none', () => {
    const none = { ipv4: new Uint8Array(4), ipv4Prefix: 0, ipv6: new Uint8Array(16), ipv6Prefix: 0 }
    expect(innerCidrs(none)).toEqual([])
  })
})
