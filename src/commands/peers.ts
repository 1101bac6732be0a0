import { Command } from 'commander'
import { duration } from '../core/quantity.js'
import { systemClock } from '../daemon/clock.js'
import { systemError } from '../errors.js'
import { formatAddress } from '../net/address.js'
import type { Store } from '../store.js'
import { examples, type StateOptions, withState } from './options.js'
import { openStore, readEach } from './state.js'

export function peersCommand(): Command {
  return withState(new Command('peers'))
    .description('list the clients that the server knows, and open invitations')
    .option('--json', 'one object')
    .addHelpText('after', examples('mptun peers', 'mptun peers --json'))
    .action(async ({ stateDir, json }: StateOptions & { json?: boolean }) => {
      const faults: string[] = []
      const store = await openStore(stateDir)
      const list = await listPeers(store, systemClock.wallUs() / 1e6, (why) => faults.push(why))
      process.stdout.write(json ? `${JSON.stringify(list)}\n` : render(list))
      // Whoever takes the list for the whole is to know that it is not.
      if (faults.length > 0) throw systemError('STATE', faults.join('\n'))
    })
}

interface PeerList {
  readonly peers: readonly {
    readonly name: string
    readonly publicKey: string
    readonly ipv4: string
    readonly ipv6: string
    /** ISO 8601. */
    readonly created: string
  }[]
  readonly invitations: readonly { readonly name: string; readonly expiresInS: number }[]
}

/** What may be shown: never a secret. */
async function listPeers(
  store: Store,
  nowS: number,
  onFault: (why: string) => void,
): Promise<PeerList> {
  const { formatKey } = await import('../core/keys.js')
  const peers = readEach(store.peerNames(), (name) => store.readPeer(name), onFault)
  const invitations = readEach(store.inviteIds(), (id) => store.readInvite(id), onFault)
  return {
    peers: peers.map(({ id: name, record: { publicKey, ipv4, ipv6, created } }) => ({
      name,
      publicKey: formatKey(publicKey),
      ipv4: formatAddress(ipv4),
      ipv6: formatAddress(ipv6),
      created: new Date(created * 1000).toISOString(),
    })),
    invitations: invitations
      .filter(({ record: { expires } }) => expires > nowS)
      .map(({ record: { name, expires } }) => ({ name, expiresInS: Math.round(expires - nowS) })),
  }
}

function render({ peers, invitations }: PeerList): string {
  const rows = peers.map(({ name, ipv4, ipv6, publicKey }) => [name, ipv4, ipv6, publicKey])
  const widths = [0, 1, 2, 3].map((i) => Math.max(0, ...rows.map((row) => row[i]!.length)))
  const lines = [
    ...rows.map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    ),
    ...invitations.map(
      ({ name, expiresInS }) => `${name}  invited, for another ${duration(expiresInS)}`,
    ),
  ]
  return lines.length === 0 ? 'no peers; mptun invite NAME lets one in\n' : `${lines.join('\n')}\n`
}
