/** Files that are whole or not there, also after a power cut, and that only their owner may look into. Errors are the system's. */

import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
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
  // The process id keeps two writers apart.
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
