import { Command } from 'commander'
import { readSetting, SETTINGS } from '../config/setting.js'
import { askControl, controlPath } from '../control.js'
import { type DaemonOptions, examples, traitsHelp, withDaemon } from './options.js'

function settingsHelp(): string {
  const rows = Object.entries(SETTINGS).map(([word, { shape, doc }]) => [`${word} ${shape}`, doc])
  const width = Math.max(...rows.map(([form]) => form!.length))
  return `\nSettings:\n${rows.map(([form, doc]) => `  ${form!.padEnd(width)}  ${doc}`).join('\n')}`
}

export function setCommand(): Command {
  return withDaemon(new Command('set'))
    .description('change a running daemon, without loss, until its next start')
    .argument('<SETTING...>', 'a word of the configuration and its value')
    .addHelpText('after', settingsHelp())
    .addHelpText('after', traitsHelp())
    .addHelpText(
      'after',
      examples(
        'mptun set mode balance-xor',
        'mptun set weight wwan0 3',
        'mptun set uplink wwan0 standby',
        'mptun set budget-day wwan0 500MB',
        'mptun set add-uplink wwan1,weight=2',
        'mptun set remove-uplink wwan1',
      ),
    )
    .action(async (words: readonly string[], { runDir, tun }: DaemonOptions) => {
      readSetting(words)
      await askControl(controlPath(runDir, tun), { verb: 'set', words })
    })
}
