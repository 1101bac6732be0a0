/** Where programs run: a client and a server in namespaces of their own, until a close that leaves nothing. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Finished,
  inNamespace,
  NAMESPACE_PREFIX,
  type RunOptions,
  removeNamespaceSync,
  removeStaleLabs,
  run,
} from './namespaces.js'

/** How long a program may take to obey SIGTERM at `close`. */
const TERM_MS = 2000

/** Where a program runs; `router:NAME` is the router behind a lab's link of that name. */
export type Side = 'client' | 'server' | `router:${string}`

export interface Site {
  /** For files that live as long as the site, 0700. */
  readonly directory: string
  namespace(side: Side): string
  /** Runs a program to its end. Rejects on a non-zero exit unless `check` is false. */
  exec(side: Side, argv: readonly string[], options?: RunOptions): Promise<Finished>
  /** Starts a program; `endPrograms` ends it, if it still runs. */
  spawn(side: Side, argv: readonly string[], options?: SpawnOptions): ChildProcess
  /** By SIGTERM, 2 s later by SIGKILL. The site goes on. */
  endPrograms(): Promise<void>
  /** Removes everything: programs, devices, namespaces, files. Safe to call twice. */
  close(): Promise<void>
}

const openSites = new Set<NamespaceSite>()
let siteCount = 0

export abstract class NamespaceSite implements Site {
  readonly directory: string
  /** Of the namespaces' names. */
  protected readonly prefix: string
  readonly #children = new Set<ChildProcess>()

  /** Removes what sites of processes that were killed left behind. @param name letters, digits and `-`. */
  protected constructor(name: string) {
    removeStaleLabs()
    this.prefix = `${NAMESPACE_PREFIX}.${process.pid}.${siteCount++}.${name}`
    this.directory = mkdtempSync(join(tmpdir(), `${NAMESPACE_PREFIX}-`))
    openSites.add(this)
    if (openSites.size === 1) armSignals()
  }

  /** All that may exist, in the order of their removal. */
  protected abstract namespaces(): readonly string[]

  namespace(side: Side): string {
    return `${this.prefix}.${side}`
  }

  exec(side: Side, argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(this.command(side, argv), options)
  }

  spawn(side: Side, argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const [command = '', ...args] = this.command(side, argv)
    const child = spawn(command, args, options)
    this.#children.add(child)
    child.once('close', () => this.#children.delete(child))
    return child
  }

  /** The command that runs `argv` on a side; its process becomes the program. */
  protected command(side: Side, argv: readonly string[]): string[] {
    return inNamespace(this.namespace(side), argv)
  }

  async close(): Promise<void> {
    await this.endPrograms()
    this.closeNow()
  }

  async endPrograms(): Promise<void> {
    await Promise.all([...this.#children].map(endChild))
  }

  /** What can be done without waiting, for the end of the process. */
  closeNow(): void {
    for (const child of this.#children) child.kill('SIGKILL')
    for (const namespace of this.namespaces()) removeNamespaceSync(namespace)
    rmSync(this.directory, { recursive: true, force: true })
    if (openSites.delete(this) && openSites.size === 0) disarmSignals()
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_MS)
  await closed
  clearTimeout(timer)
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function closeAllNow(): void {
  for (const site of [...openSites]) site.closeNow()
}

/** Cleans up, then lets the signal do what it would have done without a site. */
function onSignal(signal: NodeJS.Signals): void {
  closeAllNow()
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function armSignals(): void {
  for (const signal of SIGNALS) process.on(signal, onSignal)
  process.on('exit', closeAllNow)
}

function disarmSignals(): void {
  for (const signal of SIGNALS) process.off(signal, onSignal)
  process.off('exit', closeAllNow)
}
