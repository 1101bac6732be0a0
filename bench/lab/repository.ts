/** Where the repository's own files are, seen from the sources as from dist/. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The absolute path of a file that is named from the repository's root. */
export function repositoryPath(...parts: readonly string[]): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json')) && directory !== '/') {
    directory = dirname(directory)
  }
  return join(directory, ...parts)
}
