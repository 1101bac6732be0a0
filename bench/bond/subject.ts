/** What carries the load over the links of a lab: a tunnel over one or all of them, or the kernel's MPTCP. */

import type { PeerReport } from '#mptun/status.js'
import type { Lab } from '../lab/lab.js'
import { inNamespace, ipBatch, run } from '../lab/namespaces.js'
import type { Way } from '../lab/traffic.js'
import { openTunnel } from '../lab/tunnel.js'
import type { BondLink } from './scenarios/scenario.js'

export const MODES = [
  'balance-rr',
  'balance-xor',
  'active-backup',
  'broadcast',
  'adaptive',
] as const
export type Mode = (typeof MODES)[number]

export type Subject =
  /** Without the link's random loss, where it is to be told what that costs. */
  | { readonly kind: 'alone'; readonly link: string; readonly isLossless?: boolean }
  | { readonly kind: 'mode'; readonly mode: Mode }
  | { readonly kind: 'mptcp' }

/** As in tables and files. */
export function subjectName(subject: Subject): string {
  if (subject.kind === 'alone') {
    return `${subject.link} alone${subject.isLossless === true ? ', lossless' : ''}`
  }
  return subject.kind === 'mode' ? subject.mode : 'MPTCP'
}

/** A subject that carries. */
export interface Carrier {
  readonly protocol: 'tcp' | 'mptcp'
  readonly up: Way
  readonly down: Way
  /** Both ends' view of each other; undefined where there is no tunnel. */
  reports(): Promise<{ client: PeerReport; server: PeerReport } | undefined>
  close(): Promise<void>
}

export function openSubject(
  lab: Lab,
  links: readonly BondLink[],
  subject: Subject,
): Promise<Carrier> {
  if (subject.kind === 'mptcp') return openMptcp(lab)
  if (subject.kind === 'alone') return openMptun(lab, [subject.link], [])
  return openMptun(lab, uplinkWords(links, subject.mode), ['--mode', subject.mode])
}

/** Weights are integers of up to 256: as near to the rates as these can be. */
const MOST_WEIGHT = 256

function uplinkWords(links: readonly BondLink[], mode: Mode): string[] {
  if (mode === 'adaptive') return links.map(({ name }) => name) // it is told no rate
  const most = Math.max(...links.map(({ mbit }) => mbit))
  const scale = Math.min(1, MOST_WEIGHT / most)
  const weight = (mbit: number) => Math.max(1, Math.round(mbit * scale))
  return links.map(({ name, mbit }) => `${name},weight=${weight(mbit)}`)
}

async function openMptun(
  lab: Lab,
  uplinks: readonly string[],
  clientWords: readonly string[],
): Promise<Carrier> {
  const tunnel = await openTunnel(lab, { uplinks, clientWords })
  return {
    protocol: 'tcp',
    up: tunnel.up,
    down: tunnel.down,
    async reports() {
      const [client, server] = await Promise.all([tunnel.client.status(), tunnel.server.status()])
      return { client: client.peers[0]!, server: server.peers[0]! }
    },
    close: () => tunnel.close(),
  }
}

/** More than a scenario has links: mptcp(8) allows up to 8. */
const SUBFLOWS = 8

/**
 * Each uplink's address becomes an endpoint from which the client opens a subflow; `dev` binds it to the
 * uplink, whose default route then leads on. The first uplink carries the first subflow by its metric.
 */
async function openMptcp(lab: Lab): Promise<Carrier> {
  const limits = `mptcp limits set subflows ${SUBFLOWS} add_addr_accepted ${SUBFLOWS}`
  const ip = (side: 'client' | 'server', words: string) =>
    run(inNamespace(lab.namespace(side), ['ip', ...words.split(' ')]))
  await Promise.all([ip('client', limits), ip('server', limits)])
  const [first, ...others] = [...lab.links.values()]
  for (const { address, device } of others) {
    await ip('client', `mptcp endpoint add ${address} dev ${device} subflow`)
  }
  const direct: Way = { from: 'client', to: 'server', address: lab.server.address }
  return {
    protocol: 'mptcp',
    up: direct,
    down: { from: 'server', to: 'client', address: first!.address },
    async reports() {
      return undefined
    },
    close: () => ipBatch(lab.namespace('client'), ['mptcp endpoint flush']),
  }
}
