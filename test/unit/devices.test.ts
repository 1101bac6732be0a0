import { describe, expect, it } from 'vitest'
import { judge, parseDevices } from '../../src/net/devices.js'

describe('devices', () => {
  const listing = JSON.stringify([
    { ifindex: 1, ifname: 'lo', flags: ['UP', 'LOWER_UP'], addr_info: [{ local: '127.0.0.1' }] },
    {},
    {
      ifindex: 3,
      ifname: 'wwan0',
      flags: ['UP', 'LOWER_UP'],
      addr_info: [
        { local: '192.0.2.5' },
        { local: 'fe80::1' },
        { local: '2001:db8::5', tentative: true },
      ],
    },
    { ifindex: 4, ifname: 'eth1', flags: [], addr_info: [] },
    { ifindex: 5, ifname: 'eth2', flags: ['UP'], addr_info: [{ local: '192.0.2.9' }] },
  ])
  const devices = parseDevices(listing)
  const verdict = (name: string) => judge(name, devices.get(name))

  it('are read from iproute2', () => {
    expect([...devices.keys()]).toEqual(['lo', 'wwan0', 'eth1', 'eth2'])
  })

  it('can be used in the families in which they have an address', () => {
    expect(verdict('wwan0')).toEqual({ families: [4], why: '' })
  })

  it.each([
    ['usb0', 'does not exist yet: waiting for it'],
    ['eth1', 'is down: waiting for ip link set eth1 up'],
    ['eth2', 'has no carrier'],
    ['lo', 'has no address that leads outside'],
  ])('%s cannot be used, and why', (name, why) => {
    expect(verdict(name)).toEqual({ families: [], why: expect.stringContaining(why) })
  })

  it.each(['', '{}', '[{"ifname":1}]'])('%j is not a listing', (text) => {
    expect(() => parseDevices(text)).toThrow(/printed something unexpected/)
  })
})
