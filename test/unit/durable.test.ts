import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { removeDurably } from '../../src/durable.js'

/** Another process, which removes this file just before we do. */
const rival = vi.hoisted(() => ({ removes: '' }))
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  const late =
    <O extends unknown[]>(remove: (path: string, ...options: O) => void) =>
    (path: string, ...options: O) => {
      if (path === rival.removes) fs.unlinkSync(path)
      remove(path, ...options)
    }
  return { ...fs, rmSync: late(fs.rmSync), unlinkSync: late(fs.unlinkSync) }
})

let dir: string
beforeEach(() => {
  rival.removes = ''
  dir = mkdtempSync(join(tmpdir(), 'mptun-durable-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

it('a file is removed by one of those who remove it', () => {
  const file = join(dir, 'invite')
  expect(removeDurably(file)).toBe(false)
  writeFileSync(file, '')
  expect(removeDurably(file)).toBe(true)
  expect(existsSync(file)).toBe(false)
  writeFileSync(file, '')
  rival.removes = file
  expect(removeDurably(file)).toBe(false)
})
