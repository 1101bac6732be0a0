#!/usr/bin/env node
/** The command line. Exit codes: 0 done, 1 refused (the user's input), 2 failed (the system), 70 a bug of ours (sysexits.h). */

import { Command, CommanderError } from 'commander'
import { clientCommand } from './commands/client.js'
import { downCommand } from './commands/down.js'
import { inviteCommand } from './commands/invite.js'
import { joinCommand } from './commands/join.js'
import { keygenCommand } from './commands/keygen.js'
import { peersCommand } from './commands/peers.js'
import { reloadCommand } from './commands/reload.js'
import { revokeCommand } from './commands/revoke.js'
import { serverCommand } from './commands/server.js'
import { setCommand } from './commands/set.js'
import { statusCommand } from './commands/status.js'
import { programVersion, versionCommand } from './commands/version.js'
import { nearest } from './config/spelling.js'
import { type ErrorFamily, MptunError } from './errors.js'

const EXIT: Readonly<Record<ErrorFamily, number>> = { config: 1, system: 2, bug: 70 }

const INTRODUCTION = `
Set-up, in short:
  server$ mptun server --nat
  server$ mptun invite barge
  client$ mptun join 'mptun://...'
  client$ mptun client --uplink wwan0 --uplink eth1 --route default
`

function program(): Command {
  const commands = [
    serverCommand(),
    clientCommand(),
    inviteCommand(),
    joinCommand(),
    keygenCommand(),
    peersCommand(),
    revokeCommand(),
    statusCommand(),
    setCommand(),
    reloadCommand(),
    downCommand(),
    versionCommand(),
  ]
  const root = new Command('mptun')
    .description('WAN bonding tunnel: several poor Internet connections made into one good one')
    .version(programVersion())
    .addHelpText('after', INTRODUCTION)
    .showHelpAfterError('(mptun --help lists the commands)')
  for (const command of commands) {
    command
      .exitOverride()
      .showHelpAfterError(`(mptun ${command.name()} --help shows what is accepted)`)
    root.addCommand(command)
  }
  // commander's own guesses are bolder: who wants to rename a client is not to be led to revoke.
  root.on('command:*', ([word]: readonly [string]) => {
    const meant = nearest(
      word,
      commands.map((command) => command.name()),
    )
    const guess = meant === undefined ? '' : `\n(Did you mean ${meant}?)`
    root.error(`error: unknown command '${word}'${guess}`)
  })
  return root.exitOverride()
}

/** Tells what went wrong and returns the exit code. */
function tell(error: unknown): number {
  // commander has told it already; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.config
  if (error instanceof MptunError && error.family !== 'bug') {
    process.stderr.write(`mptun: ${error.message}\n`)
    return EXIT[error.family]
  }
  const story = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(
    `mptun: this is a bug of mptun, please report it with these lines:\n${programVersion()} ${process.version} ${story}\n`,
  )
  return EXIT.bug
}

// `mptun status | head`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : EXIT.system)
})

// A log that nobody takes (journald starts anew, its disk is full) ends no tunnel: what is lost is a line.
process.stderr.on('error', () => undefined)

process.on('uncaughtException', (error) => process.exit(tell(error)))

try {
  await program().parseAsync()
  // Nothing that is still open may keep us.
  process.exit(0)
} catch (error) {
  process.exit(tell(error))
}
