/** Files that are whole or not there, also after a power cut, and that only their owner may look into. Errors are the system's. */

import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Undefined when there is none. */
export function readIfThere(path: string): string | undefined {
  return ifExists(() => readFileSync(path, 'utf8'))
}

/**
 * With the directories above it; one that is there stays as it is. Node's own `recursive` tries for ever where the kernel
 * says ENOENT of a directory although the one above it is there, as /proc and /sys do.
 */
export function makeDirectory(path: string): void {
  if (isDirectory(path)) return
  const above = dirname(path)
  if (above !== path) makeDirectory(above)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another process may have been quicker.
    if (errnoOf(error) !== 'EEXIST' || !isDirectory(path)) throw error
  }
}

function isDirectory(path: string): boolean {
  return ifExists(() => statSync(path))?.isDirectory() === true
}

/** @param how keep: a file that is there already stays as it is. */
export function writeDurably(path: string, content: string, how: 'replace' | 'keep'): void {
  // The process id keeps two writers apart, and tells whether a draft is still somebody's.
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}`)
  rmSync(draft, { force: true })
  try {
    writeWhole(draft, content)
    if (how === 'replace') renameSync(draft, path)
    else linkIfFree(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  syncDirectory(dirname(path))
}

/** False when there was none: of several that remove the same one, one has done so. */
export function removeDurably(path: string): boolean {
  const isRemoved = ifExists(() => {
    unlinkSync(path)
    return true
  })
  if (isRemoved !== true) return false
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
    // Again and again until all is written: of what finds no room write(2) takes a part.
    writeFileSync(fd, content)
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
