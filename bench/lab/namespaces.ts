/** Network namespaces and the programs that set them up, always with argument arrays. */

import { type ExecFileOptions, execFile, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const NETNS_DIRECTORY = '/run/netns'
/** What lies in NAME here, `ip netns exec NAME` lays over /etc: ip-netns(8). */
const NETNS_ETC_DIRECTORY = '/etc/netns'

/** The end of a process is not kept waiting for a kernel that is busy with other namespaces. */
const END_MS = 10_000

/** Every namespace of every lab begins with this, then the owner's pid. */
export const NAMESPACE_PREFIX = 'mplab'

const PACKAGE_OF: Record<string, string> = {
  ffmpeg: 'ffmpeg',
  gcc: 'gcc',
  ip: 'iproute2',
  nft: 'nftables',
  sysctl: 'procps',
  valgrind: 'valgrind',
}

export interface Finished {
  /** Exit code, null after a signal. */
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  /** Whether a non-zero exit rejects (the default) or is reported in `code`. */
  check?: boolean
  /** Given to the program on its standard input. */
  input?: string
  timeoutMs?: number
  env?: NodeJS.ProcessEnv
  signal?: AbortSignal
}

/** Runs a program to its end. Rejects, naming the whole command, when it is missing or has failed. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [command = '', ...args] = argv
  const execOptions: ExecFileOptions = { maxBuffer: 1 << 28, killSignal: 'SIGKILL' }
  if (options.timeoutMs !== undefined) execOptions.timeout = options.timeoutMs
  if (options.env !== undefined) execOptions.env = options.env
  if (options.signal !== undefined) execOptions.signal = options.signal
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, execOptions, (error, stdout, stderr) => {
      const finished = { code: child.exitCode, stdout: String(stdout), stderr: String(stderr) }
      if (!error || (options.check === false && child.pid !== undefined)) resolve(finished)
      else reject(failure(argv, error, finished))
    })
    child.stdin?.on('error', () => {}) // the program may end without reading it all
    child.stdin?.end(options.input ?? '')
  })
}

function failure(argv: readonly string[], error: Error & { code?: unknown }, finished: Finished) {
  const command = argv.join(' ')
  if (error.code === 'ENOENT') {
    const name = PACKAGE_OF[argv[0] ?? '']
    const remedy = name ? `; install it: apt-get install ${name}` : ''
    return new Error(`${argv[0]} was not found${remedy}`, { cause: error })
  }
  const why = finished.stderr.trim() || finished.stdout.trim() || error.message
  return new Error(`${command}: exit ${finished.code}: ${why}`, { cause: error })
}

/** The command that runs `argv` in a namespace. The child's pid is the program's own. */
export function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', namespace, ...argv]
}

/** Runs `ip` commands in a namespace, IPv4 and IPv6 told apart by their addresses. */
export async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return
  await run(['ip', '-n', namespace, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}

export async function addNamespace(
  namespace: string,
  sysctls: Readonly<Record<string, number>>,
): Promise<void> {
  await run(['ip', 'netns', 'add', namespace])
  const settings = Object.entries(sysctls).map(([key, value]) => `${key}=${value}`)
  await run(inNamespace(namespace, ['sysctl', '-qw', ...settings]))
  await ipBatch(namespace, ['link set lo up'])
}

/** Kills by pid what still runs in the namespace, then removes it. Safe to call twice. */
export function removeNamespaceSync(namespace: string): void {
  const pids = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8', timeout: END_MS })
  for (const pid of (pids.stdout ?? '').split('\n').map(Number)) {
    if (pid > 0 && pid !== process.pid) kill(pid)
  }
  spawnSync('ip', ['netns', 'delete', namespace], { timeout: END_MS })
  rmSync(join(NETNS_ETC_DIRECTORY, namespace), { recursive: true, force: true })
}

/** Gives names to addresses, as /etc/hosts does, for programs that start in the namespace from here on. */
export function setHosts(namespace: string, addresses: Readonly<Record<string, string>>): void {
  const directory = join(NETNS_ETC_DIRECTORY, namespace)
  mkdirSync(directory, { recursive: true })
  const lines = Object.entries(addresses).map(([name, address]) => `${address} ${name}\n`)
  writeFileSync(join(directory, 'hosts'), lines.join(''))
}

/** Names the only server that programs ask for other names; they wait for its answer for so long. */
export function setNameServer(namespace: string, address: string, patienceS: number): void {
  const directory = join(NETNS_ETC_DIRECTORY, namespace)
  mkdirSync(directory, { recursive: true })
  const text = `nameserver ${address}\noptions timeout:${patienceS} attempts:1\n`
  writeFileSync(join(directory, 'resolv.conf'), text)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself between the list and the signal.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function listNamespaces(): string[] {
  try {
    return readdirSync(NETNS_DIRECTORY)
  } catch {
    return [] // there has never been one on this machine
  }
}

/** Removes the labs whose owner is dead; returns the namespaces removed. */
export function removeStaleLabs(): string[] {
  const stale = listNamespaces().filter((name) => {
    const [prefix, pid] = name.split('.')
    return prefix === NAMESPACE_PREFIX && Number(pid) > 0 && !isAlive(Number(pid))
  })
  for (const namespace of stale) removeNamespaceSync(namespace)
  return stale
}
