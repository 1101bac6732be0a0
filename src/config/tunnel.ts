/** The whole configuration of one tunnel, after checks and defaults, in the units of the inside. */

import type { HostPort } from '../core/hostport.js'
import type { Mode, PrimaryReselect, XmitHash } from '../core/policy.js'
import { configError } from '../errors.js'
import type { Cidr } from '../net/address.js'
import { type AEAD, LIMIT, TIMER } from '../wire.js'
import type { GivenOptions } from './file.js'
import {
  DEFAULT_POOL,
  DEFAULT_RUN_DIR,
  DEFAULT_STATE_DIR,
  DEFAULT_TUN,
  type Role,
} from './options.js'
import type { Raw } from './schema.js'
import type { UplinkConfig } from './uplink.js'
import { type Listen, pool } from './values.js'

/** What is left open is decided by the core's default, or on a server by each client. */
export interface PolicyConfig {
  readonly mode: Mode | undefined
  readonly hash: XmitHash | undefined
  /** Name of an uplink. */
  readonly primary: string | undefined
  readonly reselect: PrimaryReselect | undefined
  readonly updelayUs: number | undefined
  readonly downdelayUs: number | undefined
}

interface CommonConfig {
  readonly tun: string
  /** Nothing: what passes every path whole. */
  readonly mtuBytes: number | undefined
  /** The kernel's super-packets and runs of datagrams. */
  readonly offload: boolean
  /** Nothing: any. */
  readonly aead: keyof typeof AEAD | undefined
  readonly stateDir: string
  readonly runDir: string
  readonly logFormat: 'text' | 'json'
  readonly probeIntervalUs: number
  readonly keepaliveUs: number
  readonly nat: boolean
  readonly policy: PolicyConfig
}

export interface ServerConfig extends CommonConfig {
  readonly role: 'server'
  /** Empty: the default port on every address of every family that this machine has. */
  readonly listen: readonly Listen[]
  readonly pool: Cidr
  /** Nothing: the one that the state directory keeps. */
  readonly pool6: Cidr | undefined
}

export interface ClientConfig extends CommonConfig {
  readonly role: 'client'
  readonly uplinks: readonly UplinkConfig[]
  readonly routes: readonly Cidr[]
  /** Nothing: where the invitation says. */
  readonly server: HostPort | undefined
}

export type TunnelConfig = ServerConfig | ClientConfig

/** Joins what was given, the last word wins, and checks it. MPTUN_E_CONFIG_VALUE names place, find and remedy. */
export async function resolveConfig(
  role: 'server',
  ...sources: GivenOptions[]
): Promise<ServerConfig>
export async function resolveConfig(
  role: 'client',
  ...sources: GivenOptions[]
): Promise<ClientConfig>
export async function resolveConfig(role: Role, ...sources: GivenOptions[]): Promise<TunnelConfig> {
  // Not every command reads a configuration.
  const { check } = await import('./schema.js')
  const given = new Map(sources.flatMap((source) => [...source]))
  const raw = check(given)
  const place = (word: string, inner = '') => given.get(word)?.place(inner) ?? `--${word}`
  return role === 'server' ? serverConfig(raw) : clientConfig(raw, place)
}

function commonConfig(raw: Raw): CommonConfig {
  return {
    tun: raw.tun ?? DEFAULT_TUN,
    mtuBytes: raw.mtu,
    aead: raw.aead,
    offload: raw.offload ?? true,
    stateDir: raw['state-dir'] ?? DEFAULT_STATE_DIR,
    runDir: raw['run-dir'] ?? DEFAULT_RUN_DIR,
    logFormat: raw['log-format'] ?? 'text',
    probeIntervalUs: raw['probe-interval'] ?? TIMER.probeUs.value,
    keepaliveUs: raw.keepalive ?? TIMER.keepaliveUs.value,
    nat: raw.nat ?? false,
    policy: {
      mode: raw.mode,
      hash: raw['xmit-hash-policy'],
      primary: raw.primary,
      reselect: raw['primary-reselect'],
      updelayUs: raw.updelay,
      downdelayUs: raw.downdelay,
    },
  }
}

function serverConfig(raw: Raw): ServerConfig {
  return {
    ...commonConfig(raw),
    role: 'server',
    listen: raw.listen ?? [],
    pool: raw.pool ?? pool(DEFAULT_POOL),
    pool6: raw.pool6,
  }
}

function clientConfig(raw: Raw, place: (word: string, inner?: string) => string): ClientConfig {
  const uplinks = raw.uplink ?? []
  if (uplinks.length === 0) {
    throw configError(
      'UPLINK',
      'no uplink is given; name at least one network device, such as --uplink eth0 (`ip link` lists them)',
      'uplink',
    )
  }
  if (uplinks.length > LIMIT.paths.value) {
    throw configError(
      'UPLINK',
      `${place('uplink')}: found ${uplinks.length} uplinks, accepted are at most ${LIMIT.paths.value}`,
      'uplink',
    )
  }
  const names = uplinks.map(({ name }) => name)
  const tun = raw.tun ?? DEFAULT_TUN
  if (names.includes(tun)) {
    throw configError(
      'UPLINK',
      `${place('uplink', `[${names.indexOf(tun)}]`)}: ${tun} is the tunnel's own device; give the devices that lead to the server`,
      `uplink[${names.indexOf(tun)}]`,
    )
  }
  const twice = names.findIndex((name, i) => names.indexOf(name) < i)
  if (twice >= 0) {
    throw configError(
      'UPLINK',
      `${place('uplink', `[${twice}]`)}: ${names[twice]} is given twice; give each device once, with all that is said of it`,
      `uplink[${twice}]`,
    )
  }
  if (raw.primary !== undefined && !names.includes(raw.primary)) {
    throw configError(
      'PRIMARY',
      `${place('primary')}: found "${raw.primary}", accepted is one of the uplinks: ${names.join(', ')}`,
      'primary',
    )
  }
  return {
    ...commonConfig(raw),
    role: 'client',
    uplinks,
    routes: (raw.route ?? []).flat(),
    server: raw.server,
  }
}
