import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Codec, type Field, type Layout, place, type Scalar } from '../../src/layout.js'

const field = (name: string, type: Scalar): Field => ({ name, doc: '', type })
const octets = (name: string, length: number): Field => ({ name, doc: '', type: 'bytes', length })

const MIXED = [
  { name: 'a', type: 'u8', doc: '' },
  { name: 'b', type: 'u32', doc: '' },
  { name: 'c', type: 'bytes', length: 3, doc: '' },
  { name: 'd', type: 'u16', doc: '' },
  { name: 'e', type: 'u64', doc: '' },
  { name: 'f', type: 'i32', doc: '' },
] as const

const RANGE: Record<Scalar, readonly [least: number, most: number]> = {
  u8: [0, 255],
  u16: [0, 65_535],
  u24: [0, 2 ** 24 - 1],
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  u64: [0, Number.MAX_SAFE_INTEGER - 1],
}
const SCALARS = Object.keys(RANGE) as Scalar[]

describe('offsets', () => {
  const offsets = (packing: 'packed' | 'aligned') =>
    place(MIXED, packing).fields.map(({ offset }) => offset)

  it('follow one another when packed', () => {
    expect(offsets('packed')).toEqual([0, 1, 5, 8, 10, 18])
    expect(place(MIXED, 'packed').size).toBe(22)
  })

  it('are those of the C compiler when aligned', () => {
    expect(offsets('aligned')).toEqual([0, 4, 8, 12, 16, 24])
    expect(place(MIXED, 'aligned').size).toBe(32)
  })

  it('need a length of octets', () => {
    const layout: Layout = [{ name: 'x', type: 'bytes', doc: '' }]
    expect(() => place(layout, 'packed')).toThrow('layout: x has no length')
  })
})

describe('a codec', () => {
  it('writes little-endian', () => {
    const codec = new Codec(MIXED, 'packed')
    const record = {
      a: 1,
      b: 0x05040302,
      c: Uint8Array.of(6, 7, 8),
      d: 0x0a09,
      e: 0x11100f0e0d0c0b,
      f: -2,
    }
    expect([...codec.encode(record)]).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0],
      ...[0xfe, 0xff, 0xff, 0xff],
    ])
    expect(codec.decode(codec.encode(record))).toEqual(record)
  })

  it('writes u24 as three octets', () => {
    const codec = new Codec([field('x', 'u24'), field('y', 'u8')], 'packed')
    expect([...codec.encode({ x: 0xfedcba, y: 1 })]).toEqual([0xba, 0xdc, 0xfe, 1])
    expect(codec.decode(Uint8Array.of(0xba, 0xdc, 0xfe, 1))).toEqual({ x: 0xfedcba, y: 1 })
  })

  it('leaves zero what is left out, and padding', () => {
    const codec = new Codec(MIXED, 'aligned')
    expect([...codec.encode({ a: 255 })]).toEqual([255, ...new Array(31).fill(0)])
  })

  it('takes octets that are shorter than their field, none that are longer', () => {
    const codec = new Codec([{ name: 'x', type: 'bytes', length: 4, doc: '' }], 'packed')
    expect([...codec.encode({ x: Uint8Array.of(1, 2) })]).toEqual([1, 2, 0, 0])
    expect(() => codec.encode({ x: new Uint8Array(5) })).toThrow('layout: x takes 4 octets, got 5')
  })

  it.each(SCALARS)('holds exactly the values of %s', (type) => {
    const codec = new Codec([field('x', type)], 'packed')
    const [least, most] = RANGE[type]
    for (const value of [least, most])
      expect(codec.decode(codec.encode({ x: value }))).toEqual({ x: value })
    for (const value of [least - 1, most + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => codec.encode({ x: value })).toThrow(`layout: x is ${type}, got ${value}`)
    }
  })

  it('refuses a buffer that is too short, and reads only its own octets of a longer one', () => {
    const codec = new Codec([field('x', 'u16')], 'packed')
    expect(() => codec.decode(new Uint8Array(1))).toThrow('layout: 1 octets where 2 are needed')
    const backing = Uint8Array.of(9, 9, 1, 2, 9)
    expect(codec.decode(backing.subarray(2))).toEqual({ x: 0x0201 })
  })

  it('gives copies of octets', () => {
    const codec = new Codec([{ name: 'x', type: 'bytes', length: 2, doc: '' }], 'packed')
    const bytes = Uint8Array.of(1, 2)
    const { x } = codec.decode(bytes)
    bytes.fill(0)
    expect(x).toEqual(Uint8Array.of(1, 2))
  })

  const anyRecord = fc
    .array(fc.oneof(fc.constantFrom(...SCALARS), fc.integer({ min: 0, max: 20 })), {
      minLength: 1,
      maxLength: 12,
    })
    .chain((kinds) => {
      const layout = kinds.map((kind, i) =>
        typeof kind === 'number' ? octets(`f${i}`, kind) : field(`f${i}`, kind),
      )
      const values = kinds.map((kind) => {
        if (typeof kind === 'number') return fc.uint8Array({ minLength: kind, maxLength: kind })
        const [min, max] = RANGE[kind]
        return fc.maxSafeInteger().map((value) => min + (Math.abs(value) % (max - min + 1)))
      })
      return fc.tuple(...values).map((list) => ({
        layout,
        record: Object.fromEntries(list.map((value, i) => [`f${i}`, value])),
      }))
    })

  it('reads what it wrote, in any layout', () => {
    fc.assert(
      fc.property(
        anyRecord,
        fc.constantFrom('packed' as const, 'aligned' as const),
        ({ layout, record }, packing) => {
          const codec = new Codec(layout as Layout, packing)
          expect(codec.decode(codec.encode(record as Record<string, number>))).toEqual(record)
          for (const { offset, size, type } of codec.fields) {
            if (packing === 'aligned' && type !== 'bytes') expect(offset % size).toBe(0)
          }
          if (packing === 'aligned') expect(codec.size % 8).toBe(0)
        },
      ),
      { seed: 9 },
    )
  })
})
