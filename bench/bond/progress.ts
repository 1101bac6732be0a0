/** Prints a line of a table for each measurement, as soon as it is made. */

import { CELLS } from './cells.js'
import type { Failure } from './results.js'
import type { Done, Listener, Step } from './runner.js'
import { subjectName } from './subject.js'

const NAMES = [9, 15, 6, 5, 16]

export class ProgressTable implements Listener {
  readonly #out: NodeJS.WriteStream
  readonly #total: number
  readonly #startedMs = performance.now()
  #done = 0
  #heading = ''

  /** @param total how many measurements there will be. */
  constructor(out: NodeJS.WriteStream, total: number) {
    this.#out = out
    this.#total = total
  }

  onDone({ step, sample, sumMbit }: Done): void {
    this.#head(step)
    const cells = CELLS.map(({ head, text }) => text(sample, sumMbit).padStart(head.length))
    this.#line([this.#clock(), ...namesOf(step)], cells)
  }

  onFailure({ scenario, load, congestion, subject, why }: Failure): void {
    this.#line([this.#clock(), scenario, congestion, load, subject], [`FAILED ${inShort(why)}`])
  }

  #head({ scenario: { id, title } }: Step): void {
    if (this.#heading === id) return
    this.#heading = id
    this.#out.write(`\n${id}: ${title}\n`)
    this.#line(
      ['', 'scenario', 'tcp', 'load', 'subject'],
      CELLS.map(({ head }) => head),
    )
  }

  #clock(): string {
    this.#done++
    const seconds = Math.round((performance.now() - this.#startedMs) / 1000)
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} ${this.#done}/${this.#total}`
  }

  #line(names: readonly string[], cells: readonly string[]): void {
    const padded = names.map((name, index) => name.padEnd(NAMES[index]!))
    this.#out.write(`${[...padded, ...cells].join('  ').trimEnd()}\n`)
  }
}

/** What the program itself said, where there are pages of logs behind the reason. */
function inShort(why: string): string {
  const said = /^mptun: (.*)$/m.exec(why)?.[1] ?? why.split('\n')[0]!
  return said.slice(0, 160)
}

const namesOf = ({ scenario, congestion, load, subject }: Step) => [
  scenario.id,
  load === 'udp' ? '' : congestion,
  load,
  subjectName(subject),
]
