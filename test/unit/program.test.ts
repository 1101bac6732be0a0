import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run } from '../../src/net/program.js'

describe('a program', () => {
  it('that is missing is named with its package', async () => {
    await expect(run('mptun-no-such-program', [])).rejects.toMatchObject({
      code: 'MPTUN_E_SYSTEM_PROGRAM',
      message: expect.stringContaining('is missing; install it: apt-get install'),
    })
  })

  it('is never taken from where mptun was started', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'mptun-program-'))
    const [path, before] = [process.env['PATH'], process.cwd()]
    writeFileSync(join(dir, 'mptun-here'), '#!/bin/sh\necho here\n', { mode: 0o755 })
    process.chdir(dir)
    try {
      for (const empty of [undefined, '', ':/usr/bin', '/usr/bin:']) {
        if (empty === undefined) delete process.env['PATH']
        else process.env['PATH'] = empty
        await expect(run('mptun-here', [])).rejects.toThrow(/is missing/)
      }
    } finally {
      process.chdir(before)
      process.env['PATH'] = path
      rmSync(dir, { recursive: true })
    }
  })

  it('that fails is quoted', async () => {
    await expect(run('ip', ['link', 'show', 'dev', 'mptun-none'])).rejects.toThrow(
      /ip link show dev mptun-none failed: Device "mptun-none" does not exist/,
    )
  })
})
