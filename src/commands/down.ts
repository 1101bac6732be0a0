import { Command } from 'commander'
import { askControl, controlPath } from '../control.js'
import { examples, type TunOptions, withTun } from './options.js'

export function downCommand(): Command {
  return withTun(new Command('down'))
    .description('end a running daemon and wait until it is gone')
    .addHelpText('after', examples('mptun down', 'mptun down --tun mptun1'))
    .action(async ({ runDir, tun }: TunOptions) => {
      await askControl(controlPath(runDir, tun), { verb: 'down' }, { untilGone: true })
    })
}
