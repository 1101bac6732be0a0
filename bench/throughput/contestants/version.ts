import { run } from '../../lab/namespaces.js'

/** As Debian calls it; elsewhere what the package's program says of itself is not looked for. */
export async function packageVersion(name: string): Promise<string> {
  const { code, stdout } = await run(['dpkg-query', '--show', name], { check: false })
  const [, version] = stdout.trim().split('\t')
  return code === 0 && version !== undefined ? version : 'of unknown version'
}
