/** One daemon on a site: the real command line as a real process. */

import type { ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { askControl, type ControlRequest, controlPath } from '#mptun/control.js'
import type { StatusReport } from '#mptun/status.js'
import type { Finished } from './namespaces.js'
import { repositoryPath } from './repository.js'
import type { Side, Site } from './site.js'

const POLL_MS = 20
/** Above the longest time for which a path that comes and goes is held back, 20 s. */
const WAIT_MS = 30_000
/** A daemon that does not end by then hangs. */
const END_MS = 5000
const COMMAND_MS = 20_000

export interface DaemonOptions {
  role: 'server' | 'client'
  /** Where it runs; its role by default. */
  side?: Side
  /** Up to 15 letters; also names its directories in the site's. */
  tun: string
  /** Of the command line, after `mptun ROLE`. */
  words?: readonly string[]
  /** Another command line than the product's. */
  program?: readonly string[]
}

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

export class Daemon {
  readonly side: Side
  readonly tun: string
  readonly stateDir: string
  readonly runDir: string
  readonly #site: Site
  readonly #role: 'server' | 'client'
  readonly #words: readonly string[]
  readonly #program: readonly string[]
  #child: ChildProcess | undefined
  #exited: Promise<Exit> | undefined
  #logs = ''

  constructor(site: Site, { role, side = role, tun, words = [], program = MPTUN }: DaemonOptions) {
    this.#site = site
    this.#role = role
    this.#words = words
    this.#program = program
    this.side = side
    this.tun = tun
    this.stateDir = join(site.directory, `${tun}-state`)
    this.runDir = join(site.directory, `${tun}-run`)
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Starts the process. That it is ready is told by its status: see `until`. */
  start(): void {
    if (this.#child !== undefined) throw new Error(`the ${this.#role} ${this.tun} runs already`)
    const dirs = ['--state-dir', this.stateDir, '--run-dir', this.runDir]
    const child = this.#site.spawn(
      this.side,
      [...this.#program, this.#role, '--tun', this.tun, ...dirs, ...this.#words],
      { stdio: ['ignore', 'ignore', 'pipe'], env: cleanEnvironment() },
    )
    child.stderr?.on('data', (data: Buffer) => {
      this.#logs += data
    })
    this.#exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#child = undefined
        this.#logs += `${this.tun} ended with ${signal ?? `exit code ${code}`}\n`
        resolve({ code, signal })
      })
    })
    this.#child = child
  }

  /** Sends a signal by pid and waits until the process is gone. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    const child = this.#child
    if (child === undefined || this.#exited === undefined) {
      throw new Error(`the ${this.#role} ${this.tun} does not run\n${this.#logs}`)
    }
    child.kill(signal)
    let isHanging = false
    const timer = setTimeout(() => {
      isHanging = true
      child.kill('SIGKILL')
    }, END_MS)
    const exit = await this.#exited
    clearTimeout(timer)
    if (isHanging) throw new Error(`${this.tun} ignored ${signal} for ${END_MS} ms\n${this.#logs}`)
    return exit
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.end(signal)
    this.start()
  }

  /** Runs another command of the command line against this daemon's state. */
  command(name: string, ...words: string[]): Promise<Finished> {
    return this.#run([name, '--state-dir', this.stateDir, ...words])
  }

  /** As `mptun set WORDS`. Rejects with what the command said. */
  async set(...words: string[]): Promise<void> {
    await this.#run(['set', '--tun', this.tun, '--run-dir', this.runDir, ...words])
  }

  /**
   * As `mptun status --json` prints it, from the same socket: whoever asks again and again takes none of
   * the machine from what is measured there.
   */
  async status(): Promise<StatusReport> {
    return (await this.#ask({ verb: 'status' })) as StatusReport
  }

  /** As a person sees it, or with `--json` a program, by the command line. */
  async statusText(...words: string[]): Promise<string> {
    const where = ['--tun', this.tun, '--run-dir', this.runDir]
    return (await this.#run(['status', ...where, ...words])).stdout
  }

  /** Asks for the status until it is as wanted, or says what it was last. */
  async until(what: string, isSo: (status: StatusReport) => boolean): Promise<StatusReport> {
    const deadlineMs = performance.now() + WAIT_MS
    let last = 'no answer'
    while (performance.now() < deadlineMs && this.#child !== undefined) {
      try {
        const status = await this.status()
        if (isSo(status)) return status
        last = JSON.stringify(status, null, 1)
      } catch (error) {
        last = String(error)
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    throw new Error(`${this.tun}: waited in vain for ${what}; last: ${last}\nlog:\n${this.#logs}`)
  }

  /** Waits until a peer has so many paths that carry data. */
  untilPaths(count: number, peer?: string): Promise<StatusReport> {
    return this.until(`${count} paths in use`, ({ peers }) =>
      peers.some(
        ({ name, paths }) =>
          (peer === undefined || name === peer) &&
          paths.filter(({ state, inUse }) => state === 'up' && inUse).length === count,
      ),
    )
  }

  /** What it wrote on stderr, all its lives together. */
  logs(): string {
    return this.#logs
  }

  /** Of the running process, Node's own among them. */
  threads(): string[] {
    return this.pid === undefined ? [] : readdirSync(`/proc/${this.pid}/task`)
  }

  async #ask(request: ControlRequest): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    const isLate = new Promise((_, reject) => {
      const error = new Error(`${this.tun} did not answer "${request.verb}" for ${COMMAND_MS} ms`)
      timer = setTimeout(reject, COMMAND_MS, error)
    })
    try {
      return await Promise.race([askControl(controlPath(this.runDir, this.tun), request), isLate])
    } finally {
      clearTimeout(timer)
    }
  }

  #run(words: readonly string[]): Promise<Finished> {
    return this.#site.exec(this.side, [...this.#program, ...words], {
      timeoutMs: COMMAND_MS,
      env: cleanEnvironment(),
    })
  }
}

/** What a user runs. */
export const MPTUN = [process.execPath, repositoryPath('dist', 'cli.js')]

/** What is printed must not depend on who looks: no colours, no journal, no options of a test runner. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { JOURNAL_STREAM, NODE_OPTIONS, FORCE_COLOR, ...env } = process.env
  return { ...env, NO_COLOR: '1' }
}
