import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { systemClock } from '../daemon/clock.js'
import { configError } from '../errors.js'
import { formatEndpoint } from '../net/address.js'
import { examples, type StateOptions, withState } from './options.js'
import { openStore, ownKey, warn } from './state.js'

export function joinCommand(): Command {
  return withState(new Command('join'))
    .description('take an invitation: make the key of this machine and keep the server')
    .argument(
      '<INVITATION>',
      'the line that mptun invite printed, in quotes, or - to read it from stdin',
    )
    .option('--force', 'leave the server that was joined before')
    .addHelpText(
      'after',
      examples(
        "mptun join 'mptun://vps.example.org:5000/barge?key=...&secret=...&expires=...'",
        'mptun join - < invitation',
      ),
    )
    .action(async (argument: string, { stateDir, force }: StateOptions & { force?: boolean }) => {
      const store = await openStore(stateDir)
      const { parseInvite } = await import('../core/invite.js')
      const { formatKey } = await import('../core/keys.js')
      const invite = parseInvite(argument === '-' ? await text(process.stdin) : argument)
      const nowS = systemClock.wallUs() / 1e6
      if (invite.expires <= nowS) {
        throw configError(
          'INVITE',
          `the invitation expired at ${iso(invite.expires)} and this machine's clock says ${iso(nowS)}; set the clock or ask for a new one`,
        )
      }
      await ownKey(store)
      const before = store.readServer()
      const isOther =
        before !== undefined && formatKey(before.publicKey) !== formatKey(invite.serverPublicKey)
      if (isOther && !force) {
        const [first] = before.endpoints
        throw configError(
          'JOINED',
          `this machine has joined the server at ${formatEndpoint(first!.host, first!.port)} as ${before.name}; --force leaves it, --state-dir keeps both`,
        )
      }
      const { name, endpoints, secret, serverPublicKey: publicKey } = invite
      store.writeServer({ name, endpoints, secret, publicKey })
      if (before !== undefined && !isOther && before.secret === undefined && before.name !== name) {
        // A server binds a key to one name, for good.
        warn(
          `that server knows this machine as ${before.name} and goes on calling it so; to have it as ${name}, run mptun revoke ${before.name} there first`,
        )
      }
      const at = endpoints.map(({ host, port }) => formatEndpoint(host, port)).join(', ')
      process.stdout.write(
        `joined the server at ${at} as ${name}\nnow run: mptun client --uplink NAME --uplink NAME (a daemon that runs takes it at its next start)\n`,
      )
    })
}

function iso(seconds: number): string {
  return new Date(Math.floor(seconds) * 1000).toISOString().replace('.000', '')
}
