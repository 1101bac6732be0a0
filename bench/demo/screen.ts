/** What the demo prints: colours and a live line on a terminal, plain lines anywhere else. */

import { styleText } from 'node:util'

type Style = Parameters<typeof styleText>[0]

/** Off a terminal what is live is repeated this rarely: a log is read later. */
const PLAIN_INTERVAL_MS = 2000

export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #isTerminal: boolean
  readonly #hasColors: boolean
  #isLive = false
  #lastPlainMs = Number.NEGATIVE_INFINITY

  constructor(out: NodeJS.WriteStream, env: NodeJS.ProcessEnv) {
    this.#out = out
    this.#isTerminal = out.isTTY === true && env['TERM'] !== 'dumb'
    this.#hasColors = this.#isTerminal && !env['NO_COLOR']
  }

  paint(style: Style, text: string): string {
    return this.#hasColors ? styleText(style, text) : text
  }

  title(text: string): void {
    this.line(`\n${this.paint('bold', text)}`)
  }

  line(text = ''): void {
    this.#clear()
    this.#out.write(`${text}\n`)
  }

  /** What a user would type. */
  command(text: string): void {
    this.line(`  ${this.paint('cyan', `$ ${text}`)}`)
  }

  /** Text of another program. */
  quote(text: string): void {
    for (const each of text.trimEnd().split('\n')) this.line(this.paint('dim', `  | ${each}`))
  }

  /** Replaces the live line before it. */
  live(text: string): void {
    if (this.#isTerminal) {
      this.#clear()
      // A line that wraps could not be taken back.
      this.#out.write(text.slice(0, this.#out.columns - 1))
      this.#isLive = true
    } else if (performance.now() - this.#lastPlainMs >= PLAIN_INTERVAL_MS) {
      this.#lastPlainMs = performance.now()
      this.#out.write(`${text}\n`)
    }
  }

  /** Columns as wide as their widest cell; the first to the left, numbers to the right. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const all = [head, ...rows]
    const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
    const text = (row: readonly string[]) =>
      widths
        .map((width, i) =>
          i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width),
        )
        .join('   ')
        .trimEnd()
    this.line(`  ${this.paint('dim', text(head))}`)
    for (const row of rows) this.line(`  ${text(row)}`)
  }

  #clear(): void {
    if (!this.#isLive) return
    this.#out.write('\r\x1b[K')
    this.#isLive = false
  }
}
