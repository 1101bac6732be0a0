/** What `server` and `client` share: the configuration, the signals, and the daemon in the foreground. */

import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { fromCommandLine, fromFile, type GivenOptions } from '../config/file.js'
import type { Role } from '../config/options.js'
import { resolveConfig, type TunnelConfig } from '../config/tunnel.js'
import { configError } from '../errors.js'
import { keepHeapSmall } from './heap.js'
import { givenWords } from './options.js'
import { programVersion } from './version.js'

/** Resolves when the daemon has ended and nothing is left of it. */
export async function runForeground(command: Command, role: Role): Promise<void> {
  const file = command.getOptionValue('config') as string | undefined
  const line = fromCommandLine(givenWords(command, role))
  const readConfig = () => readTunnelConfig(role, file, line)
  const config = await readConfig()
  keepHeapSmall()
  // Loaded when the configuration is known to be right: a refusal comes at once.
  const { Daemon } = await import('../daemon/daemon.js')
  const { systemMachine } = await import('../daemon/machine.js')
  const { exitAtOnce } = await import('../engine.js')
  const version = programVersion()
  const daemon = new Daemon({ machine: systemMachine, config, readConfig, version })

  // Here nothing is left to do but to wait for threads.
  process.once('exit', (status) => exitAtOnce(status))
  let isAsked = false
  const end = () => {
    // The first one is asked politely, the second one means it.
    if (isAsked) process.exit(FORCED)
    isAsked = true
    daemon.end()
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('SIGHUP', () => {
    daemon.reload().catch(() => undefined) // told in the log
  })
  // What nobody has caught: the daemon takes its device and rules away before it ends, whatever else fails meanwhile.
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => daemon.fail(error))
  await daemon.run()
}

/** The system's doing: whatever was set up may still be there. */
const FORCED = 2

async function readTunnelConfig(
  role: Role,
  file: string | undefined,
  line: GivenOptions,
): Promise<TunnelConfig> {
  const given = file === undefined ? [line] : [await fromFile(role, file, await read(file)), line]
  return role === 'server' ? resolveConfig(role, ...given) : resolveConfig(role, ...given)
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const code = (error as { code?: string }).code
    const remedy = code === 'EACCES' ? 'run as root, or let this user read it' : 'give a TOML file'
    throw configError('FILE', `--config: ${file} cannot be read (${code}); ${remedy}`, 'config')
  }
}
