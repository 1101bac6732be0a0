/** Programs of other packages, run with argument arrays. */

import { execFile } from 'node:child_process'
import { delimiter } from 'node:path'
import { MptunError, systemError } from '../errors.js'

/** Resolves to what the program printed. MPTUN_E_SYSTEM_PROGRAM with its own words when it fails. */
export type Run = (program: string, args: readonly string[]) => Promise<string>

/** Debian's packages of what we run. */
const PACKAGE: Readonly<Record<string, string>> = { ip: 'iproute2', nft: 'nftables' }

const MOST_BYTES = 16 << 20

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /not permitted|permission denied/i,
    '; this needs CAP_NET_ADMIN: run as root, or as a service with AmbientCapabilities=CAP_NET_ADMIN',
  ],
  [/EMFILE/, '; this process may open more files with ulimit -n 1024, or LimitNOFILE=1024'],
]

/**
 * Administrators' programs are not on everybody's PATH. An empty part of it is the working directory (environ(7)), from
 * which root should run nothing.
 */
function searchPath(): string {
  const own = (process.env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')
  return [...own, '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(delimiter)
}

export const run: Run = (program, args) =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, PATH: searchPath(), LC_ALL: 'C' }
    const options = { env, maxBuffer: MOST_BYTES, encoding: 'utf8' as const }
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(failure(program, args, error, stderr))
    })
  })

function failure(
  program: string,
  args: readonly string[],
  error: Error & { code?: unknown },
  stderr: string,
): MptunError {
  if (error.code === 'ENOENT') {
    const name = PACKAGE[program] ?? program
    return systemError(
      'PROGRAM',
      `the program ${program} is missing; install it: apt-get install ${name}`,
      error,
    )
  }
  const words = stderr.trim().split('\n').slice(0, 3).join('; ') || error.message
  const remedy = REMEDIES.find(([sign]) => sign.test(words))?.[1] ?? ''
  const said = `${[program, ...args].join(' ').slice(0, 200)} failed: ${words}${remedy}`
  return new MptunError('MPTUN_E_SYSTEM_PROGRAM', said, { syscall: program, cause: error })
}
