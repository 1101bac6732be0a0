import { Command } from 'commander'
import { askControl, controlPath } from '../control.js'
import { type DaemonOptions, examples, withDaemon } from './options.js'

export function downCommand(): Command {
  return withDaemon(new Command('down'))
    .description('end a running daemon and wait until it is gone')
    .addHelpText('after', examples('mptun down', 'mptun down --tun mptun1'))
    .action(async ({ runDir, tun }: DaemonOptions) => {
      await askControl(controlPath(runDir, tun), { verb: 'down' }, { untilGone: true })
    })
}
