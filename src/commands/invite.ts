import { randomFillSync } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { Command } from 'commander'
import { DEFAULT_PORT } from '../config/options.js'
import { hostPort, type Listen, lifetime, listen, peerName } from '../config/values.js'
import type { HostPort } from '../core/hostport.js'
import { systemClock } from '../daemon/clock.js'
import { configError } from '../errors.js'
import { formatAddress, formatEndpoint, isGlobal, parseAddress } from '../net/address.js'
import type { StatusReport } from '../status.js'
import type { Store } from '../store.js'
import {
  type DaemonOptions,
  examples,
  reading,
  type StateOptions,
  withDaemon,
  withState,
} from './options.js'
import { askIfRunning, openStore, ownKey, readEach, readSound, warn } from './state.js'

interface InviteOptions extends StateOptions, DaemonOptions {
  readonly endpoint?: readonly HostPort[]
  readonly expires?: number
}

const DEFAULT_LIFETIME = '24h'
/** More make a line that nobody copies; formatInvite takes as many. */
const MOST_ENDPOINTS = 8

export function inviteCommand(): Command {
  const readEndpoint = reading(hostPort)
  return withDaemon(withState(new Command('invite')))
    .description('print one line that lets a client in, once')
    .argument('<NAME>', 'what the server calls the client', reading(peerName))
    .option(
      '--endpoint <HOST:PORT>',
      "where clients reach this server, may be repeated (default this machine's global addresses)",
      (text: string, before?: readonly HostPort[]) => [...(before ?? []), readEndpoint(text)],
    )
    .option(
      '--expires <TIME>',
      `how long it is good for, such as 30m, 24h or 7d (default ${DEFAULT_LIFETIME})`,
      reading(lifetime),
    )
    .addHelpText(
      'after',
      examples(
        'mptun invite barge',
        'mptun invite barge --endpoint vps.example.org:5000 --expires 7d',
        'mptun invite van | ssh van sudo mptun join -',
      ),
    )
    .action(async (name: string, options: InviteOptions) => {
      const store = await openStore(options.stateDir)
      const { publicKey } = await ownKey(store)
      const endpoints = options.endpoint ?? (await ownEndpoints(options))
      const { formatInvite, inviteId } = await import('../core/invite.js')
      const secret = randomFillSync(new Uint8Array(32))
      const nowS = Math.floor(systemClock.wallUs() / 1e6)
      const expires = nowS + (options.expires ?? lifetime(DEFAULT_LIFETIME)) / 1_000_000
      const line = formatInvite({ endpoints, name, serverPublicKey: publicKey, secret, expires })
      const id = Buffer.from(inviteId(secret)).toString('hex')
      store.writeInvite(id, { name, secret, expires })
      tidy(store, { id, name }, nowS)
      warnOfClient(store)
      process.stdout.write(`${line}\n`)
    })
}

/** Whoever is invited anew gets one line that works; those that expired are nobody's. */
function tidy(
  store: Store,
  fresh: { readonly id: string; readonly name: string },
  nowS: number,
): void {
  const { name } = fresh
  const others = store.inviteIds().filter((id) => id !== fresh.id)
  for (const { id, record } of readEach(others, (each) => store.readInvite(each), warn)) {
    if (record.name !== name && record.expires > nowS) continue
    store.removeInvite(id)
    if (record.name === name) warn(`the earlier invitation for ${name} is void`)
  }
  if (readSound(() => store.readPeer(name), warn) !== undefined) {
    warn(`${name} is enrolled; whoever uses this line takes its place`)
  }
}

/** A machine may be both ends; whoever runs this on the wrong one would wonder why nobody can come in. */
function warnOfClient(store: Store): void {
  if (store.peerNames().length > 0) return
  const server = readSound(() => store.readServer(), warn)
  if (server === undefined) return
  const { host, port } = server.endpoints[0]!
  warn(
    `this machine is a client of ${formatEndpoint(host, port)}: to let others in there, run mptun invite on that server`,
  )
}

/** Where a daemon listens, or would by default, on addresses that are reached from everywhere. */
async function ownEndpoints(options: DaemonOptions): Promise<readonly HostPort[]> {
  const report = (await askIfRunning(options, { verb: 'status' })) as StatusReport | undefined
  const listening = report?.role === 'server' ? report.endpoints.map(listen) : defaults(options)
  const endpoints = listening.flatMap(({ address, port }) =>
    (isUnspecified(address) ? globalAddresses(address.length) : [address])
      .filter(isGlobal)
      .map((each) => ({ host: formatAddress(each), port })),
  )
  if (endpoints.length > 0) return endpoints.slice(0, MOST_ENDPOINTS)
  throw configError(
    'ENDPOINT',
    'this machine has no address that is reached from everywhere; say where clients reach it: --endpoint HOST:PORT',
    'endpoint',
  )
}

/** A server that has just been started may not answer yet: its port is not to be guessed in silence. */
function defaults({ tun }: DaemonOptions): Listen[] {
  warn(
    `no server runs for ${tun}: the port is taken to be ${DEFAULT_PORT}; if it listens at another, invite again while it runs, or with --endpoint HOST:PORT`,
  )
  return [4, 16].map((octets) => ({ address: new Uint8Array(octets), port: DEFAULT_PORT }))
}

function isUnspecified(address: Uint8Array): boolean {
  return address.every((octet) => octet === 0)
}

function globalAddresses(octets: number): Uint8Array[] {
  return Object.values(networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .map(({ address }) => parseAddress(address))
    .filter((address) => address?.length === octets) as Uint8Array[]
}
