/** A program of node in a namespace, which is told and tells in lines of JSON. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { inNamespace } from '../../bench/lab/namespaces.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Of a busy machine. */
const PATIENCE_MS = 40_000
/** Of a program that was waited for in vain. */
const TOLD_LINES = 12

export type Line = Record<string, unknown>

export class LineProgram {
  readonly #child: ChildProcess
  readonly lines: Line[] = []
  #wake: (() => void) | undefined

  /** @param path of a program of the repository, which takes `options` as JSON. */
  constructor(namespace: string, path: string, options: object) {
    const argv = ['node', `${ROOT}${path}`, JSON.stringify(options)]
    const [command = '', ...args] = inNamespace(namespace, argv)
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line)
      this.#wake?.()
    })
  }

  /** The first line after `from` that fits. Rejects, with what it said last, when that takes too long. */
  async until(fits: (line: Line) => boolean, from = 0): Promise<Line> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#wake?.()
    }, PATIENCE_MS)
    try {
      for (let at = from; ; at++) {
        while (at >= this.lines.length) {
          if (isLate) throw new Error(`waited in vain for ${fits}; last:\n${this.#said()}`)
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
        if (fits(this.lines[at]!)) return this.lines[at]!
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #said(): string {
    return this.lines
      .slice(-TOLD_LINES)
      .map((line) => JSON.stringify(line))
      .join('\n')
  }

  /** Writes a line and waits for the answer that fits. */
  ask(line: unknown, fits: (line: Line) => boolean): Promise<Line> {
    const from = this.lines.length
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`)
    return this.until(fits, from)
  }

  /** Ends it in order; its exit code. */
  async end(): Promise<number | null> {
    const closed = new Promise<number | null>((resolve) => this.#child.once('close', resolve))
    this.#child.stdin?.end()
    return closed
  }
}
