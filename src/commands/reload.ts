import { Command } from 'commander'
import { askControl, controlPath } from '../control.js'
import { type DaemonOptions, examples, withDaemon } from './options.js'

export function reloadCommand(): Command {
  return withDaemon(new Command('reload'))
    .description('let a running daemon read its configuration file again, without loss')
    .addHelpText('after', examples('mptun reload', 'mptun reload --tun mptun1'))
    .action(async ({ runDir, tun }: DaemonOptions) => {
      const answer = await askControl(controlPath(runDir, tun), { verb: 'reload' })
      const { restart } = answer as { readonly restart: readonly string[] }
      if (restart.length === 0) return
      process.stdout.write(`read; these wait for a restart: ${restart.join(', ')}\n`)
    })
}
