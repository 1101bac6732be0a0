import { describe, expect, it } from 'vitest'
import { bitRate, dataSize, duration } from '../../src/core/quantity.js'

describe("people's units", () => {
  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [3_601, '1 h'],
    [90_061, '1 d 1 h'],
  ])('%i seconds are %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })

  it.each([
    [0, '0 bit/s'],
    [124.9, '999 bit/s'],
    [125, '1.00 kbit/s'],
    [124_950, '1.00 Mbit/s'],
    [1.25e9, '10.0 Gbit/s'],
    [1.25e13, '100000 Gbit/s'],
  ])('%d bytes a second are %s', (bytes, text) => {
    expect(bitRate(bytes)).toBe(text)
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1500, '1.50 kB'],
    [12_345_678, '12.3 MB'],
    [500e6, '500 MB'],
    [999_600_000, '1.00 GB'],
    [2e15, '2000 TB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(dataSize(bytes)).toBe(text)
  })
})
