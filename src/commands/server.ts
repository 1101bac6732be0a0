import { Command } from 'commander'
import { runForeground } from './foreground.js'
import { examples, withConfig } from './options.js'

export function serverCommand(): Command {
  const command = new Command('server')
    .description('run the well-connected end, in the foreground')
    .option('--config <FILE>', 'a TOML file with the same words; the command line wins')
  return withConfig(command, 'server')
    .addHelpText(
      'after',
      examples(
        'mptun server',
        'mptun server --listen 0.0.0.0:443 --nat',
        'mptun server --pool 10.9.0.0/24 --mode active-backup',
        'mptun server --config /etc/mptun/server.toml',
      ),
    )
    .action((_options, self: Command) => runForeground(self, 'server'))
}
