import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readSetting } from '../../src/config/setting.js'
import { nearest } from '../../src/config/spelling.js'
import { INTENTS, uplink } from '../../src/config/uplink.js'
import { DEFAULT_UPLINK, OVER_BUDGET, type UplinkTraits } from '../../src/core/terms.js'
import { parseAddress } from '../../src/net/address.js'
import type { Device } from '../../src/net/devices.js'
import { Uplinks } from '../../src/net/uplinks.js'

function device(name: string, ifindex: number, ...addresses: string[]): Device {
  const octets = addresses.map((text) => parseAddress(text)!)
  return { name, ifindex, isUp: true, hasCarrier: true, addresses: octets, networks: [] }
}
const devices = (...list: Device[]) => new Map(list.map((each) => [each.name, each]))

describe('an uplink in text', () => {
  type Words = readonly [word: string, traits: Partial<UplinkTraits>]
  const numbers = (min: number, max: number) => fc.integer({ min, max })
  /** A trait as it is written, and what it means. */
  const TRAIT_WORDS: readonly fc.Arbitrary<Words>[] = [
    numbers(1, 256).map((weight) => [`weight=${weight}`, { weight }]),
    numbers(0, 255).map((tier) => [`tier=${tier}`, { tier }]),
    fc.constantFrom(...INTENTS).map((intent) => [intent, { intent }]),
    fc.boolean().map((metered) => [metered ? 'metered' : 'unmetered', { metered }]),
    numbers(1, 1e9).map((mb) => [`budget-day=${mb}MB`, { budgetDayBytes: mb * 1e6 }]),
    numbers(1, 1e6).map((gb) => [`budget-month=${gb}GB`, { budgetMonthBytes: gb * 1e9 }]),
    numbers(1, 31).map((resetDay) => [`reset-day=${resetDay}`, { resetDay }]),
    fc
      .constantFrom(...OVER_BUDGET)
      .map((overBudget) => [`over-budget=${overBudget}`, { overBudget }]),
    numbers(10, 1e6).map((kbit) => [`rate-up=${kbit}kbit`, { rateUpBytesPerS: kbit * 125 }]),
    numbers(1, 34_000).map((mbit) => [
      `rate-down=${mbit}Mbit`,
      { rateDownBytesPerS: mbit * 125_000 },
    ]),
    numbers(1, 500).map((ms) => [`target=${ms}ms`, { targetUs: ms * 1000 }]),
  ]

  it('has any traits in any order, and what is left out is the default', () => {
    const some = fc.shuffledSubarray([...TRAIT_WORDS]).chain((each) => fc.tuple(...each))
    fc.assert(
      fc.property(fc.constantFrom('eth0', 'wwan0', 'ppp-1', 'a.b', 'x_1'), some, (name, traits) => {
        const text = [name, ...traits.map(([word]) => word)].join(',')
        const meant = Object.assign({ ...DEFAULT_UPLINK, name }, ...traits.map(([, is]) => is))
        expect(uplink(text)).toEqual(meant)
      }),
      { seed: 3 },
    )
  })

  it('has a rate where a budget that is used up slows it down', () => {
    expect(uplink('wwan0,over-budget=512kbit').overBudget).toBe(64_000)
  })
})

describe('the watch over uplinks', () => {
  const watch = (...names: string[]) => {
    const uplinks = new Uplinks()
    for (const name of names) uplinks.add(name)
    return uplinks
  }

  it('opens a socket for each family that a device has, once', () => {
    const uplinks = watch('eth0')
    const present = devices(device('eth0', 3, '192.0.2.5', '2001:db8::5'))
    expect(uplinks.update(present)).toEqual([
      { kind: 'open', name: 'eth0', family: 4 },
      { kind: 'open', name: 'eth0', family: 6 },
    ])
    expect(uplinks.update(present)).toEqual([])
  })

  it('waits for a device that does not exist yet, says so once, and takes it when it comes', () => {
    const uplinks = watch('wwan0')
    const why = 'the device wwan0 does not exist yet: waiting for it'
    expect(uplinks.update(devices())).toEqual([{ kind: 'waiting', name: 'wwan0', why }])
    expect(uplinks.update(devices())).toEqual([])
    expect(uplinks.update(devices(device('wwan0', 9, '192.0.2.5')))).toEqual([
      { kind: 'open', name: 'wwan0', family: 4 },
    ])
  })

  it('gives up the socket of a device that went, and opens another when it is back', () => {
    const uplinks = watch('wwan0')
    uplinks.update(devices(device('wwan0', 9, '192.0.2.5')))
    expect(uplinks.update(devices())).toMatchObject([
      { kind: 'gone', family: 4, why: expect.stringContaining('does not exist yet') },
      { kind: 'waiting' },
    ])
    expect(uplinks.update(devices(device('wwan0', 10, '192.0.2.5')))).toMatchObject([
      { kind: 'open', family: 4 },
    ])
  })

  it('opens another socket for a device that was replaced between two looks', () => {
    const uplinks = watch('wwan0')
    uplinks.update(devices(device('wwan0', 9, '192.0.2.5')))
    expect(uplinks.update(devices(device('wwan0', 10, '192.0.2.5')))).toEqual([
      { kind: 'open', name: 'wwan0', family: 4 },
    ])
  })

  it('keeps the socket when the address changes within its family', () => {
    const uplinks = watch('wwan0')
    uplinks.update(devices(device('wwan0', 9, '192.0.2.5')))
    expect(uplinks.update(devices(device('wwan0', 9, '198.51.100.7')))).toEqual([])
  })

  it('gives up one family and keeps the other', () => {
    const uplinks = watch('eth0')
    uplinks.update(devices(device('eth0', 3, '192.0.2.5', '2001:db8::5')))
    expect(uplinks.update(devices(device('eth0', 3, '192.0.2.5')))).toEqual([
      {
        kind: 'gone',
        name: 'eth0',
        family: 6,
        why: 'the device eth0 has no IPv6 address any more',
      },
    ])
  })

  it('tries again what was refused', () => {
    const uplinks = watch('eth0')
    const present = devices(device('eth0', 3, '192.0.2.5'))
    uplinks.update(present)
    uplinks.handleRefused('eth0', 4)
    expect(uplinks.update(present)).toEqual([{ kind: 'open', name: 'eth0', family: 4 }])
  })
})

describe('a setting', () => {
  it.each([
    ['mode balance-xor', { kind: 'policy', change: { mode: 'balance-xor' } }],
    ['mode 1', { kind: 'policy', change: { mode: 'active-backup' } }],
    ['primary none', { kind: 'policy', change: { primary: undefined } }],
    ['updelay 500', { kind: 'policy', change: { updelayUs: 500_000 } }],
    ['primary_reselect better', { kind: 'policy', change: { reselect: 'better' } }],
    ['weight wwan0 3', { kind: 'uplink', name: 'wwan0', traits: { weight: 3 } }],
    ['tier wwan0 1', { kind: 'uplink', name: 'wwan0', traits: { tier: 1 } }],
    ['standby wwan0', { kind: 'uplink', name: 'wwan0', traits: { intent: 'standby' } }],
    [
      'uplink wwan0 up weight=2',
      { kind: 'uplink', name: 'wwan0', traits: { intent: 'up', weight: 2 } },
    ],
    [
      'add-uplink wwan1,weight=2',
      { kind: 'add-uplink', uplink: { ...DEFAULT_UPLINK, name: 'wwan1', weight: 2 } },
    ],
    ['remove-uplink wwan1', { kind: 'remove-uplink', name: 'wwan1' }],
    [
      'budget_day wwan0 1.5GB',
      { kind: 'uplink', name: 'wwan0', traits: { budgetDayBytes: 1.5e9 } },
    ],
    [
      'rate-up wwan0 20Mbit/s',
      { kind: 'uplink', name: 'wwan0', traits: { rateUpBytesPerS: 2.5e6 } },
    ],
    ['target wwan0 auto', { kind: 'uplink', name: 'wwan0', traits: { targetUs: 0 } }],
    [
      'uplink wwan0 unmetered budget-month=none reset-day=31 rate-down=none target=15ms down tier=1 weight=9 rate-up=10kbit budget-day=1MB',
      {
        kind: 'uplink',
        name: 'wwan0',
        traits: {
          intent: 'down',
          tier: 1,
          weight: 9,
          metered: false,
          budgetDayBytes: 1e6,
          budgetMonthBytes: 0,
          resetDay: 31,
          rateUpBytesPerS: 1250,
          rateDownBytesPerS: 0,
          targetUs: 15_000,
        },
      },
    ],
  ])('%s is read', (text, setting) => {
    expect(readSetting(text.split(' '))).toEqual(setting)
  })

  it.each([
    ['mdoe balance-xor', 'found "mdoe", accepted is mode, '],
    ['mdoe balance-xor', '(did you mean "mode"?)'],
    ['mode', 'found "mode", accepted is: mode MODE'],
    ['mode a b', 'found "mode a b", accepted is: mode MODE'],
    ['weight wwan0 300', 'weight: found "300", accepted is a whole number from 1 to 256'],
    ['uplink wwan0 standbye', '(did you mean "standby"?)'],
    ['uplink wwan0 metred', '(did you mean "metered"?)'],
    ['uplink wwan0 metered unmetered', 'unmetered is given twice'],
    ['uplink wwan0 up down', 'intent is given twice'],
    ['uplink wwan0 budget-day=500', 'budget-day: found "500", accepted is an amount from 1MB'],
    ['budget-day wwan0 500kB', 'budget-day: found "500kB", accepted is an amount from 1MB'],
    ['rate-up wwan0 20', 'rate-up: found "20", accepted is a rate from 10kbit to 34Gbit such as'],
    ['rate-up wwan0 40Gbit', 'or none'],
    ['reset-day wwan0 32', 'reset-day: found "32", accepted is a whole number from 1 to 31'],
    ['target wwan0 5s', 'target: found "5s", accepted is a whole number of milliseconds'],
    ['__proto__ x', 'accepted is mode'],
  ])('%s is refused', (text, part) => {
    expect(() => readSetting(text.split(' '))).toThrow(part)
  })
})

describe('the nearest spelling', () => {
  it.each([
    ['wieght', 'weight'],
    ['MODE', 'mode'],
    ['uplinks', 'uplink'],
    ['xyz', undefined],
    ['', undefined],
  ])('of %j is %j', (word, guess) => {
    expect(nearest(word, ['mode', 'weight', 'uplink'])).toBe(guess)
  })
})
