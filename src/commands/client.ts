import { Command } from 'commander'
import { runForeground } from './foreground.js'
import { examples, traitsHelp, withConfig } from './options.js'

const BONDING = `
The file may also use the bonding driver's names: slaves, mode (also 0 to 3), primary,
primary_reselect, xmit_hash_policy, updelay, downdelay, and miimon or arp_interval for probe-interval.
Those without a meaning between two ends of a tunnel (lacp_rate, fail_over_mac, ...) are refused with a reason.`

export function clientCommand(): Command {
  const command = new Command('client')
    .description('run the end with several uplinks, in the foreground')
    .option('--config <FILE>', 'a TOML file with the same words; the command line wins')
  return withConfig(command, 'client')
    .addHelpText('after', traitsHelp())
    .addHelpText('after', BONDING)
    .addHelpText(
      'after',
      examples(
        'mptun client --uplink wwan0 --uplink eth1',
        'mptun client --uplink eth0,weight=3 --uplink wwan0 --route default',
        'mptun client --mode active-backup --primary eth0 --uplink eth0 --uplink wwan0,standby',
        'mptun client --mode adaptive --uplink eth0 --uplink wwan0,tier=1,budget-month=10GB',
        'mptun client --config /etc/mptun/client.toml',
      ),
    )
    .action((_options, self: Command) => runForeground(self, 'client'))
}
