/** The link emulator as a child process: commands in, one line of JSON back for each. */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { repositoryPath } from './repository.js'

/** One direction of a link. Packets and bytes since the start; bytes are IP lengths. */
export interface DirectionStats {
  offeredPackets: number
  offeredBytes: number
  acceptedPackets: number
  acceptedBytes: number
  /** By chance. */
  lostPackets: number
  /** Dropped at the tail of the queue, or by `limit`. */
  fullPackets: number
  /** Sent while the link was down. */
  refusedPackets: number
  copiedPackets: number
  /** Under way when the link went down. */
  cutPackets: number
  deliveredPackets: number
  deliveredBytes: number
  /** Arrived where no device was. */
  undeliverablePackets: number
  /** Dropped by the emulator for want of memory: must stay 0. */
  overflowPackets: number
  /** Now waiting for the rate. */
  backlogBytes: number
  /**
   * How much later the next octet would be for what was sent before it. A stop of the link itself, at which
   * one alone would wait as long, is not in it.
   */
  inflictedUs: number
  /** Now under way, the waiting ones included. */
  inFlightPackets: number
  /** Delivered over 1 ms after their time: how far to trust this run. */
  latePackets: number
  /** The worst delivery since the last call. */
  lateMaxUs: number
}

export interface LinkStats {
  name: string
  /** From side a to side b: what the client sends. */
  up: DirectionStats
  down: DirectionStats
}

export interface EmulatorStats {
  /** CLOCK_MONOTONIC. */
  timeUs: number
  links: LinkStats[]
}

type Answer = { ok: true } | { ok: false; error: string }

interface Waiting {
  resolve: (line: string) => void
  reject: (error: Error) => void
}

/** Where native/build.mjs leaves the program. */
export function emulatorPath(): string {
  return repositoryPath('build', 'mptun-emulator')
}

export class Emulator {
  readonly #child: ChildProcess
  readonly #waiting: Waiting[] = []
  readonly #ended: Promise<void>
  #stderr = ''
  #failure: Error | undefined

  private constructor(path: string, args: readonly string[]) {
    this.#child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stdin?.on('error', () => {}) // its end is told by 'close'
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#stderr += data
    })
    this.#ended = new Promise((resolve) => {
      const end = (error: Error) => {
        this.#failure ??= error
        for (const { reject } of this.#waiting.splice(0)) reject(this.#failure)
        resolve()
      }
      this.#child.on('error', (cause) => end(this.#cannotStart(path, cause)))
      this.#child.on('close', (code) =>
        end(new Error(this.#stderr.trim() || `mptun-emulator ended with exit code ${code}`)),
      )
    })
    if (this.#child.stdout) {
      createInterface({ input: this.#child.stdout }).on('line', (line) =>
        this.#waiting.shift()?.resolve(line),
      )
    }
  }

  /** Starts it with a description per link; resolves once its devices exist and it carries. */
  static async start(options: {
    links: readonly string[]
    seed?: number
    path?: string
  }): Promise<Emulator> {
    const args = options.links.flatMap((link) => ['--link', link])
    if (options.seed !== undefined) args.push('--seed', String(options.seed))
    const emulator = new Emulator(options.path ?? emulatorPath(), args)
    await emulator.#nextLine()
    return emulator
  }

  /** @throws Error with the emulator's words when it refuses. */
  async command(line: string): Promise<void> {
    await this.#ask(line)
  }

  async stats(): Promise<EmulatorStats> {
    const { timeUs, links } = await this.#ask('stats')
    return { timeUs, links } as EmulatorStats
  }

  /** Ends it; its devices vanish. */
  async close(): Promise<void> {
    this.#child.stdin?.end()
    await this.#ended
  }

  killNow(): void {
    this.#child.kill('SIGKILL')
  }

  async #ask(line: string): Promise<Record<string, unknown>> {
    if (/[\r\n]/.test(line)) throw new Error(`found a line break in ${JSON.stringify(line)}`)
    const answered = this.#nextLine()
    this.#child.stdin?.write(`${line}\n`)
    const answer = JSON.parse(await answered) as Answer & Record<string, unknown>
    if (!answer.ok) throw new Error(`${line}: ${answer.error}`)
    return answer
  }

  #nextLine(): Promise<string> {
    if (this.#failure) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  #cannotStart(path: string, cause: Error): Error {
    const remedy = existsSync(path) ? '' : '; make it: npm run build:native'
    return new Error(`${path}: ${cause.message}${remedy}`, { cause })
  }
}
