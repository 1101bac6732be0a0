/** The shape of what the command line and the file may give, one reader a word. Loaded only by commands that configure. */

import * as v from 'valibot'
import { configError } from '../errors.js'
import { AEAD, LIMIT } from '../wire.js'
import { mode, primaryReselect, wordOf, xmitHash } from './bonding.js'
import type { GivenOptions } from './file.js'
import { OPTIONS } from './options.js'
import { suggestion } from './spelling.js'
import { INTENTS, named, UPLINK_KEYS, uplink } from './uplink.js'
import {
  choice,
  deviceName,
  hostPort,
  integer,
  listen,
  milliseconds,
  path,
  pathDelay,
  pool,
  pool6,
  type Reader,
  refuse,
  route,
  seconds,
  Unacceptable,
} from './values.js'

/** One value that a reader takes; numbers of the file are read by their digits. */
function one<T>(reader: Reader<T>, spell: (value: unknown) => string = scalar) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return reader(spell(dataset.value))
      } catch (error) {
        if (!(error instanceof Unacceptable)) throw error
        addIssue({ message: error.message })
        return NEVER
      }
    }),
  )
}

/** Several; a single one needs no brackets. */
function many<T>(reader: Reader<T>, spell: (value: unknown) => string = scalar) {
  return v.pipe(
    v.unknown(),
    v.transform((value): unknown[] => (Array.isArray(value) ? value : [value])),
    v.array(one(reader, spell)),
  )
}

function scalar(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  throw new Unacceptable(`found ${describe(value)}, accepted is one value in quotes`)
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Date) return 'a date'
  return typeof value === 'object' ? 'a table' : String(value)
}

/** A table [[uplink]] as the words of the command line. */
function uplinkWords(value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return scalar(value)
  if (!('name' in value)) throw new Unacceptable('it has no name; give one, such as name = "eth0"')
  const words = Object.entries(value).flatMap(([key, inner]) => {
    if (!UPLINK_KEYS.includes(key)) throw new Unacceptable(unknownKey(key))
    if (key === 'name') return []
    return named(key, (found: unknown) => uplinkWord(key, found), inner)
  })
  return [named('name', scalar, value.name), ...words].join(',')
}

function uplinkWord(key: string, value: unknown): string[] {
  if (key === 'standby' || key === 'metered') return onOff(value) ? [key] : []
  return [key === 'intent' ? intentWord(scalar(value)) : `${key}=${scalar(value)}`]
}

/** In TOML whatever stands below the head of a table is the table's. */
function unknownKey(key: string): string {
  if (OPTIONS.some(({ word }) => word === wordOf(key))) {
    return `"${key}" is said of the tunnel, not of an uplink; put it above the first [[uplink]]`
  }
  const hint = suggestion(key, UPLINK_KEYS)
  return `unknown key "${key}"${hint}; accepted are ${UPLINK_KEYS.join(', ')}`
}

/** Among the words of an uplink an intent stands by itself. */
function intentWord(text: string): string {
  return choice(INTENTS)(text)
}

function onOff(value: unknown): boolean {
  return typeof value === 'boolean' ? value : refuse(String(value), 'true or false, without quotes')
}

const flag = v.pipe(
  v.unknown(),
  v.rawTransform<unknown, boolean>(({ dataset, addIssue, NEVER }) => {
    if (typeof dataset.value === 'boolean') return dataset.value
    addIssue({
      message: `found ${JSON.stringify(dataset.value)}, accepted is true or false, without quotes`,
    })
    return NEVER
  }),
)

const SCHEMA = v.strictObject({
  listen: v.optional(many(listen)),
  pool: v.optional(one(pool)),
  pool6: v.optional(one(pool6)),
  nat: v.optional(flag),
  uplink: v.optional(many(uplink, uplinkWords)),
  route: v.optional(many(route)),
  server: v.optional(one(hostPort)),
  mode: v.optional(one(mode)),
  'xmit-hash-policy': v.optional(one(xmitHash)),
  primary: v.optional(one(deviceName)),
  'primary-reselect': v.optional(one(primaryReselect)),
  updelay: v.optional(one(pathDelay)),
  downdelay: v.optional(one(pathDelay)),
  // Below 10 ms probes would be a load of their own; above 10 s a silent path is found by people first.
  'probe-interval': v.optional(one(milliseconds(10, 10_000))),
  // RFC 4787, REQ-5: a UDP mapping may be gone after 120 s.
  keepalive: v.optional(one(seconds(1, 120))),
  tun: v.optional(one(deviceName)),
  mtu: v.optional(one(integer(LIMIT.leastMtu.value, LIMIT.packetBytes.value, ' of bytes'))),
  aead: v.optional(one(choice(Object.keys(AEAD) as (keyof typeof AEAD)[]))),
  offload: v.optional(flag),
  'state-dir': v.optional(one(path)),
  'run-dir': v.optional(one(path)),
  'log-format': v.optional(one(choice(['text', 'json'] as const))),
})

export type Raw = v.InferOutput<typeof SCHEMA>

/** MPTUN_E_CONFIG_VALUE at the first value that its reader refuses. */
export function check(given: GivenOptions): Raw {
  const values = Object.fromEntries([...given].map(([word, { value }]) => [word, value]))
  const result = v.safeParse(SCHEMA, values, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const [word, ...inner] = (issue.path ?? []).map(({ key }) => key)
  const isList = Array.isArray(values[String(word)])
  const where = isList ? inner.map((key) => `[${String(key)}]`).join('') : ''
  const place = given.get(String(word))?.place(where) ?? String(word)
  throw configError('VALUE', `${place}: ${issue.message}`, `${String(word)}${where}`)
}
