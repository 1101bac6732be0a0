/** What the core tells, as lines of the log. */

import type { Endpoint } from '../boundary.js'
import type { Fact } from '../core/facts.js'
import { REFUSAL } from '../core/handshake.js'
import { duration } from '../core/quantity.js'
import type { LogEvent, LogFields } from '../log.js'
import { formatEndpoint } from '../net/address.js'

/** The line of a fact, or nothing for those that are only for the daemon. */
export function lineOf(fact: Fact): readonly [LogEvent, LogFields] | undefined {
  switch (fact.kind) {
    case 'session-up':
      return ['session.up', { peer: fact.peer, aead: fact.aead }]
    case 'session-rekeyed':
      return ['session.rekeyed', { peer: fact.peer }]
    case 'session-down':
      return ['session.down', { peer: fact.peer, why: fact.why }]
    case 'handshake-started':
      return ['handshake.started', { why: fact.why }]
    case 'handshake-refused': {
      const { why, peer, from } = fact
      return ['handshake.refused', { peer, why, meaning: REFUSAL[why], from: endpointText(from) }]
    }
    case 'handshake-unanswered':
      return ['handshake.unanswered', { why: unanswered(fact) }]
    case 'key-shared':
      return ['peer.key-shared', { peer: fact.peer, why: keyShared(fact.from) }]
    case 'peer-enrolled':
      return ['peer.enrolled', { peer: fact.peer }]
    case 'path-state': {
      const { peer, path, label, from, to, why } = fact
      return ['path.state', { peer, path, uplink: label, from, to, why: why || undefined }]
    }
    case 'path-moved': {
      const { peer, path, label, endpoint } = fact
      return ['path.moved', { peer, path, uplink: label, endpoint: endpointText(endpoint) }]
    }
    case 'active-path':
      return ['path.active', { peer: fact.peer, path: fact.path, uplink: fact.label }]
    case 'budget': {
      const { uplink, isSpent, why } = fact
      return isSpent ? ['uplink.spent', { uplink, why }] : ['uplink.refilled', { uplink }]
    }
    case 'policy':
      return ['policy.changed', { peer: fact.peer, mode: fact.mode }]
    case 'mtu':
      return ['mtu.found', { bytes: fact.bytes }]
    case 'peer-mtu':
      return ['mtu.told', { peer: fact.peer, bytes: fact.bytes }]
    default:
      return undefined
  }
}

export function keyShared(from: Endpoint): string {
  return `two machines have this key and take the session from each other, now the one at ${endpointText(from)}: each needs a key of its own; on one of them remove the file key of the state directory, run mptun invite here and mptun join there`
}

const UNANSWERED_REMEDY =
  'see that the server runs and its UDP port is open in every firewall; where it refuses this client, its log says why'

/** What is wrong, for status, where datagrams leave for the server and nothing comes back; else empty. */
export function silence({ tried }: Extract<Fact, { kind: 'handshake-unanswered' }>): string {
  const isAsked = tried.some(({ to }) => to !== undefined)
  return isAsked ? `it does not answer; ${UNANSWERED_REMEDY}` : ''
}

function unanswered({ forUs, tried }: Extract<Fact, { kind: 'handshake-unanswered' }>): string {
  const ways = tried.map(({ uplink, to, why }) =>
    to === undefined ? `${uplink}: ${why}` : `${uplink} to ${endpointText(to)}`,
  )
  const remedy = tried.some(({ to }) => to !== undefined) ? `; ${UNANSWERED_REMEDY}` : ''
  return `no answer for ${duration(forUs / 1e6)} (${ways.join('; ')})${remedy}`
}

export function endpointText({ family, remote, remotePort }: Endpoint): string {
  return formatEndpoint(remote.subarray(0, family === 4 ? 4 : 16), remotePort)
}
