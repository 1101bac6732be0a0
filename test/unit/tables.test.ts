import { expect, it } from 'vitest'
import { COUNTER } from '../../src/boundary.js'
import { nameOf } from '../../src/core/tables.js'
import { MODE } from '../../src/wire.js'

it('a number has the name of its table, or none', () => {
  expect(nameOf(COUNTER, COUNTER.dropReplay.value)).toBe('dropReplay')
  expect(nameOf(COUNTER, 9999)).toBeUndefined()
  expect(nameOf(MODE, MODE['balance-rr'].value)).toBe('balance-rr')
})
