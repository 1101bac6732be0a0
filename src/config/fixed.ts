/** What of a configuration waits for the next start. */

import { configError } from '../errors.js'
import type { TunnelConfig } from './tunnel.js'

/** Words that a running daemon cannot change. */
const FIXED = [
  'tun',
  'aead',
  'offload',
  'stateDir',
  'runDir',
  'logFormat',
  'probeIntervalUs',
  'keepaliveUs',
  'nat',
] as const
const FIXED_SERVER = ['listen', 'pool', 'pool6'] as const
const WORD: Readonly<Record<string, string>> = {
  stateDir: 'state-dir',
  runDir: 'run-dir',
  logFormat: 'log-format',
  probeIntervalUs: 'probe-interval',
  keepaliveUs: 'keepalive',
}

/** Words that differ and take effect at the next start. */
export function needsRestart(before: TunnelConfig, after: TunnelConfig): string[] {
  if (before.role !== after.role) throw configError('ROLE', 'a daemon keeps its role')
  const keys: readonly string[] = before.role === 'server' ? [...FIXED, ...FIXED_SERVER] : FIXED
  const text = (config: TunnelConfig, key: string) =>
    JSON.stringify((config as unknown as Record<string, unknown>)[key])
  return keys.filter((key) => text(before, key) !== text(after, key)).map((key) => WORD[key] ?? key)
}
