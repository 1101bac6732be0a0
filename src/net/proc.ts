/** Values that the kernel shows in files. */

import { readFileSync } from 'node:fs'

/** Undefined where it cannot be read, for whatever reason. */
export function readValue(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
