import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressAt,
  contains,
  formatAddress,
  formatEndpoint,
  isGlobal,
  leadsOutside,
  networkOf,
  parseAddress,
  parseCidr,
  sizeOf,
} from '../../src/net/address.js'

describe('addresses', () => {
  it.each(['192.0.2.1', '2001:db8::1', '::', 'fd00::77:1'])('%s is read and written', (text) => {
    expect(formatAddress(parseAddress(text)!)).toBe(text)
  })

  it.each(['', '10.1', '1.2.3.04', '0x7f.1', 'fe80::1%eth0', '::1/64', 'host'])(
    '%j is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined()
    },
  )

  it('are written with brackets before a port', () => {
    expect(formatEndpoint(parseAddress('2001:db8::1')!, 5000)).toBe('[2001:db8::1]:5000')
    expect(formatEndpoint('192.0.2.1', 5000)).toBe('192.0.2.1:5000')
  })

  it('belong to the network that they were counted from', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.integer({ min: 8, max: 30 }),
        fc.bigInt({ min: 0n, max: (1n << 22n) - 1n }),
        (address, prefix, index) => {
          const network = networkOf({ family: 4, address, prefix })
          const inside = index % sizeOf(network)
          expect(contains(network, addressAt(network, inside))).toBe(true)
          expect(contains(network, addressAt(network, 0n))).toBe(true)
        },
      ),
      { seed: 7, numRuns: 300 },
    )
  })

  it('count with carry', () => {
    expect(formatAddress(addressAt(parseCidr('10.0.0.0/8')!, 65_536n + 3n))).toBe('10.1.0.3')
  })

  it('are known by where they lead', () => {
    const outside = (text: string) => leadsOutside(parseAddress(text)!)
    expect(['192.168.1.5', '2001:db8::1', 'fd00::1', '100.64.0.1'].map(outside)).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(['127.0.0.1', '169.254.3.3', 'fe80::1', '::1', '0.0.0.0'].map(outside)).toEqual(
      Array(5).fill(false),
    )
    expect(isGlobal(parseAddress('8.8.8.8')!)).toBe(true)
    expect(isGlobal(parseAddress('192.168.1.5')!)).toBe(false)
    expect(isGlobal(parseAddress('100.64.0.1')!)).toBe(false)
  })
})
