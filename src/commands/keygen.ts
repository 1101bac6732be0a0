import { Command } from 'commander'
import { examples, type StateOptions, withState } from './options.js'
import { openStore, ownKey } from './state.js'

export function keygenCommand(): Command {
  return withState(new Command('keygen'))
    .description("print this machine's public key; the key is made when there is none")
    .option('--json', 'one object')
    .addHelpText('after', examples('mptun keygen', 'mptun keygen --state-dir ./state'))
    .action(async ({ stateDir, json }: StateOptions & { json?: boolean }) => {
      const { publicKey } = await ownKey(await openStore(stateDir))
      const { formatKey } = await import('../core/keys.js')
      const text = formatKey(publicKey)
      process.stdout.write(json ? `${JSON.stringify({ publicKey: text })}\n` : `${text}\n`)
    })
}
