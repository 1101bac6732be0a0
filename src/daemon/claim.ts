/**
 * A state directory serves one daemon of a role at a time: two servers would move each other's clients into their own
 * pools, two clients would end each other's sessions. Whoever has it listens at a socket in it and never says a word.
 */

import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Role } from '../config/options.js'
import { isServed, listen, MOST_PATH_BYTES } from '../control.js'
import { configError } from '../errors.js'

/** Gives it back. */
export type Release = () => void

/** MPTUN_E_CONFIG_STATE_DIR when a daemon of this role has it. What a killed one left is no claim. */
export async function claimState(stateDir: string, role: Role): Promise<Release> {
  const path = join(stateDir, `${role}.sock`)
  // Of a longer path sockets take the beginning, which may be somebody else's. Nothing is claimed then.
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) return () => undefined
  if (await isServed(path)) {
    throw configError(
      'STATE_DIR',
      `another ${role} runs with ${stateDir}: end it, or give this one a --state-dir of its own`,
      'state-dir',
    )
  }
  const server = createServer((socket) => socket.destroy())
  server.on('error', () => undefined)
  try {
    rmSync(path, { force: true })
    await listen(server, path)
  } catch {
    // Nor is it on a disk that is read-only.
    return () => undefined
  }
  return () => {
    server.close()
    rmSync(path, { force: true })
  }
}
