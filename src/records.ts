/** The records of the state directory: what they are inside, and as they lie in its files. libsodium must be ready. */

import * as v from 'valibot'
import { formatHostPort, type HostPort, parseHostPort } from './core/hostport.js'
import { parseKey } from './core/keys.js'
import { MptunError } from './errors.js'
import { parseAddress } from './net/address.js'

export interface PeerRecord {
  readonly publicKey: Uint8Array
  readonly ipv4: Uint8Array
  readonly ipv6: Uint8Array
  /** Seconds since 1970. */
  readonly created: number
}

export interface InviteRecord {
  readonly name: string
  readonly secret: Uint8Array
  /** Seconds since 1970. */
  readonly expires: number
}

export interface ServerRecord {
  readonly publicKey: Uint8Array
  readonly endpoints: readonly HostPort[]
  /** What the server calls this machine. */
  readonly name: string
  /** Until the server knows our key. */
  readonly secret: Uint8Array | undefined
}

const text = v.string()
const key = v.pipe(
  text,
  v.rawTransform<string, Uint8Array>(({ dataset, addIssue, NEVER }) => {
    try {
      return parseKey(dataset.value, 'key')
    } catch (error) {
      // The message names a length and never the text.
      addIssue({ message: error instanceof MptunError ? error.message : 'not a key' })
      return NEVER
    }
  }),
)
const address = (bytes: number) =>
  v.pipe(
    text,
    v.transform(parseAddress),
    v.check((found) => found?.length === bytes, `expected an address of ${bytes} octets`),
    v.transform((found) => found as Uint8Array),
  )
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

export const PEER = v.strictObject({
  publicKey: key,
  ipv4: address(4),
  ipv6: address(16),
  created: count,
})
export const INVITE = v.strictObject({ name: text, secret: key, expires: count })
export const SERVER = v.strictObject({
  publicKey: key,
  endpoints: v.pipe(
    v.array(v.strictObject({ host: text, port: v.pipe(v.number(), v.integer()) })),
    v.minLength(1),
    v.check(
      (endpoints) => endpoints.every((each) => parseHostPort(formatHostPort(each)) !== undefined),
      'an endpoint is not HOST and PORT',
    ),
  ),
  name: text,
  secret: v.optional(key),
})

const isoDate = v.pipe(text, v.regex(/^\d{4}-\d{2}-\d{2}$/))
export const USAGE = v.record(
  text,
  v.strictObject({ day: isoDate, dayBytes: count, month: isoDate, monthBytes: count }),
)

/** valibot's own messages quote what was received, which may be a secret: only ours are passed on. */
export function reasonOf({ type, message, expected }: v.BaseIssue<unknown>): string {
  if (type === 'raw_transform' || type === 'check') return message
  if (type === 'strict_object' && expected === 'never') return 'not a key of ours'
  return expected?.startsWith('"') ? 'missing' : `expected ${expected ?? type}`
}
