import { Command } from 'commander'
import { duration } from '../core/quantity.js'
import { systemClock } from '../daemon/clock.js'
import { formatAddress } from '../net/address.js'
import type { Store } from '../store.js'
import { examples, type StateOptions, withState } from './options.js'
import { openStore } from './state.js'

export function peersCommand(): Command {
  return withState(new Command('peers'))
    .description('list the clients that the server knows, and open invitations')
    .option('--json', 'one object')
    .addHelpText('after', examples('mptun peers', 'mptun peers --json'))
    .action(async ({ stateDir, json }: StateOptions & { json?: boolean }) => {
      const list = await listPeers(await openStore(stateDir), systemClock.wallUs() / 1e6)
      process.stdout.write(json ? `${JSON.stringify(list)}\n` : render(list))
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
async function listPeers(store: Store, nowS: number): Promise<PeerList> {
  const { formatKey } = await import('../core/keys.js')
  const peers = store.peerNames().flatMap((name) => {
    const peer = store.readPeer(name)
    if (peer === undefined) return []
    const { publicKey, ipv4, ipv6, created } = peer
    return {
      name,
      publicKey: formatKey(publicKey),
      ipv4: formatAddress(ipv4),
      ipv6: formatAddress(ipv6),
      created: new Date(created * 1000).toISOString(),
    }
  })
  const invitations = store.inviteIds().flatMap((id) => {
    const invite = store.readInvite(id)
    if (invite === undefined || invite.expires <= nowS) return []
    return { name: invite.name, expiresInS: Math.round(invite.expires - nowS) }
  })
  return { peers, invitations }
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
