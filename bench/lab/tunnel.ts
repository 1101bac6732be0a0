/** A tunnel in a lab: server and client as real processes, set up the way a user would. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Daemon, type Exit } from './daemon.js'
import { footprint } from './footprint.js'
import type { Lab } from './lab.js'
import type { Site } from './site.js'
import { SERVER_ADDRESS } from './topology.js'
import type { Way } from './traffic.js'

/** Where the lab's server listens. */
export const SERVER_ENDPOINT = `${SERVER_ADDRESS}:5000`

export interface TunnelOptions {
  /** As after `--uplink`; the lab's links by default. */
  uplinks?: readonly string[]
  /** More words of the server's and the client's command line. */
  serverWords?: readonly string[]
  clientWords?: readonly string[]
  /** How many paths to wait for; as many as uplinks by default. */
  paths?: number
  /** Another command line than the product's. */
  program?: readonly string[]
}

/** What a tunnel needs: its server at SERVER_ADDRESS, and devices on the client that lead there. */
export interface Linked extends Site {
  readonly links: ReadonlyMap<string, unknown>
}

export interface InnerAddresses {
  ipv4: string
  ipv6: string
}

export interface Tunnel<L extends Linked = Lab> {
  readonly lab: L
  readonly server: Daemon
  readonly client: Daemon
  /** Inner addresses, told by the daemons. */
  readonly inner: { readonly server: InnerAddresses; readonly client: InnerAddresses }
  /** Through the tunnel. */
  readonly up: Way
  readonly down: Way
  /**
   * Ends both by SIGTERM. Rejects when one does not end well, or has left anything behind in its
   * namespace. The lab goes on.
   */
  close(): Promise<void>
}

/**
 * Starts a server, invites and joins, starts a client, and waits until all its paths carry data. Another
 * tunnel of the same site, after the first is closed, finds client and server knowing each other.
 */
export async function openTunnel<L extends Linked>(
  lab: L,
  options: TunnelOptions = {},
): Promise<Tunnel<L>> {
  const { uplinks = [...lab.links.keys()], paths = uplinks.length } = options
  const program = options.program === undefined ? {} : { program: options.program }
  const server = new Daemon(lab, {
    role: 'server',
    tun: 'mps0',
    words: ['--listen', SERVER_ENDPOINT, ...(options.serverWords ?? [])],
    ...program,
  })
  const client = new Daemon(lab, {
    role: 'client',
    tun: 'mpc0',
    words: [...uplinks.flatMap((uplink) => ['--uplink', uplink]), ...(options.clientWords ?? [])],
    ...program,
  })
  const before = await Promise.all([footprint(lab, 'server'), footprint(lab, 'client')])
  server.start()
  await server.until('the server to run', () => true)
  if (!existsSync(join(client.stateDir, 'server.json'))) await enrol(server, client, 'home')
  client.start()
  await client.untilPaths(paths)
  await server.untilPaths(paths)
  const inner = { server: await innerOf(server), client: await innerOf(client) }
  return {
    lab,
    server,
    client,
    inner,
    up: { from: 'client', to: 'server', address: inner.server.ipv4 },
    down: { from: 'server', to: 'client', address: inner.client.ipv4 },
    async close() {
      const running = [client, server].filter(({ pid }) => pid !== undefined)
      for (const daemon of running) expectDone(daemon, await daemon.end())
      const after = await Promise.all([footprint(lab, 'server'), footprint(lab, 'client')])
      expectSame('server', before[0], after[0])
      expectSame('client', before[1], after[1])
    },
  }
}

/** Invites under a name and joins with what the server printed. Returns the invitation. */
export async function enrol(server: Daemon, client: Daemon, name: string): Promise<string> {
  const invitation = await invite(server, name)
  await client.command('join', invitation)
  return invitation
}

export async function invite(server: Daemon, name: string): Promise<string> {
  const { stdout } = await server.command('invite', name, '--endpoint', SERVER_ENDPOINT)
  const invitation = /mptun:\/\/\S+/.exec(stdout)?.[0]
  if (invitation === undefined) throw new Error(`mptun invite printed no mptun:// line: ${stdout}`)
  return invitation
}

export async function innerOf(daemon: Daemon): Promise<InnerAddresses> {
  const { addresses } = await daemon.until('inner addresses', (status) =>
    status.addresses.some((address) => address.includes(':')),
  )
  const bare = addresses.map((address) => address.replace(/\/\d+$/, ''))
  return {
    ipv4: bare.find((address) => address.includes('.')) ?? '',
    ipv6: bare.find((address) => address.includes(':')) ?? '',
  }
}

function expectDone(daemon: Daemon, { code, signal }: Exit): void {
  if (code === 0) return
  throw new Error(`${daemon.tun} ended with ${signal ?? `exit code ${code}`}\n${daemon.logs()}`)
}

/** Compares two footprints and names what is there now and was not, or the other way round. */
export function expectSame(
  side: string,
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): void {
  const differences = Object.keys(after).flatMap((view) => {
    const [was, is] = [lines(before[view]), lines(after[view])]
    const left = [...is].filter((line) => !was.has(line)).map((line) => `  left: ${line}`)
    const gone = [...was].filter((line) => !is.has(line)).map((line) => `  gone: ${line}`)
    return left.length + gone.length === 0 ? [] : [`${view}`, ...left, ...gone]
  })
  if (differences.length === 0) return
  throw new Error(`the ${side}'s namespace is not as it was:\n${differences.join('\n')}`)
}

const lines = (text = '') => new Set(text.split('\n').filter((line) => line !== ''))
