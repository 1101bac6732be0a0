/**
 * What one daemon at a time may have: its name, under which its socket lies and its device is made, and a state directory
 * in its role: two servers would move each other's clients into their own pools, two clients would end each other's
 * sessions. A claim is a lock of the kernel's, which ends with its process: what a killed one left is no claim.
 */

import { closeSync, fstatSync, openSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Role } from '../config/options.js'
import { attemptControl } from '../control.js'
import { ifExists, makeDirectory } from '../durable.js'
import { lockDescriptor } from '../engine.js'
import { configError, systemError } from '../errors.js'

/** Gives it back. */
export type Release = () => void

/** MPTUN_E_SYSTEM_CONTROL when a daemon has this control socket, or is about to. */
export function claimName(socketPath: string): Release {
  const release = attemptControl(`claim ${socketPath}`, () => {
    makeDirectory(dirname(socketPath))
    return take(socketPath.replace(/\.sock$/, '.lock'))
  })
  if (release !== undefined) return release
  const name = basename(socketPath, '.sock')
  throw systemError(
    'CONTROL',
    `another daemon has ${socketPath}; end it with mptun down --tun ${name}, or choose another --tun`,
  )
}

/** MPTUN_E_CONFIG_STATE_DIR when a daemon of this role has it. */
export function claimState(stateDir: string, role: Role): Release {
  const release = takeWhereWritable(join(stateDir, `${role}.lock`))
  if (release !== undefined) return release
  throw configError(
    'STATE_DIR',
    `another ${role} runs with ${stateDir}: end it, or give this one a --state-dir of its own`,
    'state-dir',
  )
}

/** On a disk that is full or read-only nothing is claimed. */
function takeWhereWritable(path: string): Release | undefined {
  try {
    return take(path)
  } catch {
    return () => undefined
  }
}

/** Undefined when somebody else has it. */
function take(path: string): Release | undefined {
  for (;;) {
    const fd = openSync(path, 'a', 0o600)
    if (!lockDescriptor(fd)) {
      closeSync(fd)
      return undefined
    }
    // Whoever had it before us may have removed, since we opened it, what we have locked.
    if (ifExists(() => statSync(path))?.ino === fstatSync(fd).ino) {
      return () => {
        rmSync(path, { force: true })
        closeSync(fd)
      }
    }
    closeSync(fd)
  }
}
