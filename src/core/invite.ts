/**
 * Invitations: one line that a server's owner gives to a client's, and all that the client needs.
 *
 *     mptun://HOST:PORT[,HOST:PORT...]/NAME?key=SERVER_KEY&secret=SECRET&expires=UNIX_SECONDS
 *
 * The line is a secret. No error quotes it whole, nor its key, nor its secret.
 */

import { configError, type MptunError } from '../errors.js'
import { formatHostPort, HOST_PORT, type HostPort, parseHostPort } from './hostport.js'
import { blake2b, erase, formatKey, parseKey } from './keys.js'
import { isPeerName, PEER_NAME } from './peername.js'

export interface Invite {
  /** Where the server listens, best first; at least one. */
  readonly endpoints: readonly HostPort[]
  /** What the server calls this client. */
  readonly name: string
  readonly serverPublicKey: Uint8Array
  /** 32 octets, good for one client; the psk of its first handshake. */
  readonly secret: Uint8Array
  /** Seconds since 1970. */
  readonly expires: number
}

const SCHEME = 'mptun://'
const PARAMETERS = ['key', 'secret', 'expires'] as const
const SHAPE = 'mptun://HOST:PORT/NAME?key=...&secret=...&expires=...'
/** More would not fit into one line that people copy. */
const MOST_ENDPOINTS = 8

/** What the initiation tells of an invitation: the first 16 octets of BLAKE2b-512 of its secret. */
export function inviteId(secret: Uint8Array): Uint8Array {
  const hash = blake2b(64, secret)
  const id = hash.slice(0, 16)
  erase(hash)
  return id
}

/** Writes what parseInvite reads. Same errors. */
export function formatInvite(invite: Invite): string {
  const { endpoints, name, serverPublicKey, secret, expires } = invite
  const hosts = endpoints.map(formatHostPort)
  const line = `${SCHEME}${hosts.join(',')}/${name}?key=${formatKey(serverPublicKey)}&secret=${formatKey(secret)}&expires=${expires}`
  parseInvite(line)
  return line
}

/** Reads an invitation; blanks around it are allowed. MPTUN_E_CONFIG_INVITE, MPTUN_E_CONFIG_KEY. */
export function parseInvite(text: string): Invite {
  const line = text.trim()
  if (!line.startsWith(SCHEME)) {
    throw fault('', `it does not begin with ${SCHEME}; an invitation looks like ${SHAPE}`)
  }
  const queryAt = line.indexOf('?')
  if (queryAt < 0) throw fault('', `it has no "?"; ${COPY_WHOLE}`)
  const [hosts = '', name, ...more] = line.slice(SCHEME.length, queryAt).split('/')
  if (name === undefined || more.length > 0) {
    throw fault(
      '',
      `found ${more.length + (name === undefined ? 0 : 1)} "/" behind the endpoints, expected one and then the name`,
    )
  }
  const endpoints = parseEndpoints(hosts)
  if (!isPeerName(name)) throw fault('name', `found ${shown(name)}, expected ${PEER_NAME}`)
  const parameters = parseParameters(line.slice(queryAt + 1))
  return {
    endpoints,
    name,
    serverPublicKey: parseKey(parameters.key, 'invitation.key'),
    secret: parseKey(parameters.secret, 'invitation.secret'),
    expires: parseExpires(parameters.expires),
  }
}

const COPY_WHOLE = `copy the whole line, up to the number behind expires=`

function parseEndpoints(text: string): HostPort[] {
  const endpoints = text.split(',').map((each) => {
    const endpoint = parseHostPort(each)
    if (endpoint !== undefined) return endpoint
    throw fault('endpoint', `found ${shown(each)}, expected ${HOST_PORT}`)
  })
  if (endpoints.length > MOST_ENDPOINTS) {
    throw fault('endpoint', `found ${endpoints.length}, expected at most ${MOST_ENDPOINTS}`)
  }
  return endpoints
}

function parseParameters(query: string): Record<(typeof PARAMETERS)[number], string> {
  const found = new Map<string, string>()
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const name = equals < 0 ? '' : part.slice(0, equals)
    const known = PARAMETERS.find((each) => each === name)
    if (known === undefined) {
      // Only a short word can be shown: anything else may be a piece of the secret.
      const what = /^[a-z]{1,12}$/.test(name) ? `"${name}="` : 'something else'
      throw fault(
        '',
        `found ${what} behind "?", expected key=, secret= and expires=, joined by "&"`,
      )
    }
    if (found.has(known)) throw fault(known, 'found twice, expected once')
    found.set(known, part.slice(equals + 1))
  }
  const value = (name: (typeof PARAMETERS)[number]) => {
    const text = found.get(name)
    if (text === undefined) throw fault(name, `missing; ${COPY_WHOLE}`)
    return text
  }
  return { key: value('key'), secret: value('secret'), expires: value('expires') }
}

function parseExpires(text: string): number {
  // Eleven digits last for three thousand years and stay exact.
  if (/^[1-9]\d{0,10}$/.test(text)) return Number(text)
  throw fault('expires', `found ${shown(text)}, expected seconds since 1970, such as 1767225600`)
}

function fault(part: string, message: string): MptunError {
  const key = part === '' ? 'invitation' : `invitation.${part}`
  return configError('INVITE', `${key}: ${message}`, key)
}

/** Text for an error message, without any run of characters that could be a piece of a key. */
function shown(text: string): string {
  const harmless = text.replace(/[\w-]{20,}/g, '***')
  return JSON.stringify(harmless.length > 60 ? `${harmless.slice(0, 60)}...` : harmless)
}
