import { describe, expect, it } from 'vitest'
import { oddities } from '../netns/odd_packets.js'
import { difference, octetsOf, singled } from '../netns/packets.js'

describe('the comparison of odd packets', () => {
  // With these addresses the 15th seed makes a TCP checksum that is the pseudo-header's sum by chance.
  it.each([
    { prefix: 'fd2d:1b0a:da2c', seed: 15 },
    { prefix: 'fd00', seed: 1 },
  ])('finds what arrives as it left: network $prefix, seed $seed', ({ prefix, seed }) => {
    const wanted = oddities(seed, 4000, {
      4: { source: octetsOf('10.0.0.2'), destination: octetsOf('10.0.0.1') },
      6: { source: octetsOf(`${prefix}::2`), destination: octetsOf(`${prefix}::1`) },
    }).flatMap(({ leaves }) => leaves)
    expect(difference(wanted, singled(wanted, wanted))).toEqual({ strange: [], missing: [] })
  })
})
