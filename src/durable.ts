/** Files that are whole or not there, also after a power cut, and that only their owner may look into. Errors are the system's. */

import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  return ifExists(() => readFileSync(path, 'utf8'))
}

/** @param how keep: a file that is there already stays as it is. */
export function writeDurably(path: string, content: string, how: 'replace' | 'keep'): void {
  // The process id keeps two writers apart, and tells whether a draft is still somebody's.
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}`)
  rmSync(draft, { force: true })
  writeWhole(draft, content)
  if (how === 'replace') renameSync(draft, path)
  else linkIfFree(draft, path)
  syncDirectory(dirname(path))
}

/** False when there was none. */
export function removeDurably(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return false
  rmSync(path, { force: true })
  syncDirectory(dirname(path))
  return true
}

/** Takes away what writers that were killed have left in a directory. It disturbs nobody: where it cannot be, it stays. */
export function removeDrafts(dir: string): void {
  try {
    for (const name of readdirSync(dir)) {
      const [, pid] = /^\..+\.(\d+)$/.exec(name) ?? []
      if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(dir, name), { force: true })
    }
  } catch {
    // Neither read nor written is any of them.
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}

export function ifExists<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export function errnoOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code
}

function writeWhole(path: string, content: string): void {
  const fd = openSync(path, 'wx', 0o600)
  try {
    writeSync(fd, content)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  chmodSync(path, 0o600)
}

/** link(2) is atomic and refuses to replace. */
function linkIfFree(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** A rename outlives a power cut only when its directory was synced too. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
