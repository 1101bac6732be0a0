import { Command } from 'commander'
import { suggestion } from '../config/spelling.js'
import { peerName } from '../config/values.js'
import { configError } from '../errors.js'
import {
  type DaemonOptions,
  examples,
  reading,
  type StateOptions,
  withDaemon,
  withState,
} from './options.js'
import { askIfRunning, openStore, readEach, warn } from './state.js'

export function revokeCommand(): Command {
  return withDaemon(withState(new Command('revoke')))
    .description("forget a client's key and its invitations, and end its sessions at once")
    .argument('<NAME>', 'as mptun peers lists it', reading(peerName))
    .addHelpText('after', examples('mptun revoke barge'))
    .action(async (name: string, options: StateOptions & DaemonOptions) => {
      const store = await openStore(options.stateDir)
      // One that nobody can read lets nobody in either.
      const open = readEach(store.inviteIds(), (id) => store.readInvite(id), warn)
      const invites = open.filter(({ record }) => record.name === name)
      const wasPeer = store.removePeer(name)
      for (const { id } of invites) store.removeInvite(id)
      if (!wasPeer && invites.length === 0) {
        const invited = open.map(({ record }) => record.name)
        const names = [...new Set([...store.peerNames(), ...invited])].sort()
        throw configError(
          'PEER',
          `found no peer and no invitation "${name}"${suggestion(name, names)}; there are: ${names.join(', ') || 'none'}`,
        )
      }
      const isTold = (await askIfRunning(options, { verb: 'refresh' })) !== undefined
      process.stdout.write(
        `${name} is revoked${isTold ? ', its sessions are ended' : `; no daemon runs for ${options.tun}`}\n`,
      )
    })
}
