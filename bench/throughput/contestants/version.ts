/** What the peers call themselves. */

import { run } from '../../lab/namespaces.js'

/** The version of a Debian package. */
export async function packageVersion(name: string): Promise<string> {
  const { code, stdout } = await run(['dpkg-query', '--show', name], { check: false })
  const [, version] = stdout.trim().split('\t')
  return code === 0 && version !== undefined ? version : 'of unknown version'
}
