import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { WIRE } from '../wire.js'
import { examples } from './options.js'

/** The version of this program, from the package that it is part of. */
export function programVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

export function versionCommand(): Command {
  return new Command('version')
    .description('print the versions of mptun, its protocol and what it runs on')
    .option('--json', 'one object')
    .addHelpText('after', examples('mptun version', 'mptun version --json'))
    .action(({ json }: { json?: boolean }) => {
      const versions = {
        mptun: programVersion(),
        protocol: WIRE.version,
        node: process.versions.node,
        openssl: process.versions.openssl,
      }
      const { mptun, protocol, node, openssl } = versions
      process.stdout.write(
        json
          ? `${JSON.stringify(versions)}\n`
          : `mptun ${mptun}, protocol ${protocol} (Node ${node}, OpenSSL ${openssl})\n`,
      )
    })
}
