/**
 * A state directory serves one daemon of a role at a time: two servers would move each other's clients into their own
 * pools, two clients would end each other's sessions. Whoever has it listens at a socket in it and never says a word.
 */

import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Role } from '../config/options.js'
import { isServed } from '../control.js'
import { configError } from '../errors.js'

/** Gives it back. */
export type Release = () => void

/** MPTUN_E_CONFIG_STATE_DIR when a daemon of this role has it. What a killed one left is no claim. */
export async function claimState(stateDir: string, role: Role): Promise<Release> {
  const path = join(stateDir, `${role}.sock`)
  if (await isServed(path)) {
    throw configError(
      'STATE_DIR',
      `another ${role} runs with ${stateDir}: end it, or give this one a --state-dir of its own`,
      'state-dir',
    )
  }
  const server = createServer((socket) => socket.destroy())
  return new Promise((resolve) => {
    // On a disk that is read-only, or below a path that is too long for sockets, nothing is claimed.
    server.on('error', () => resolve(() => undefined))
    try {
      rmSync(path, { force: true })
    } catch {
      // Nor is it where nothing can be removed: listening fails as well.
    }
    server.listen(path, () => {
      resolve(() => {
        server.close()
        rmSync(path, { force: true })
      })
    })
  })
}
