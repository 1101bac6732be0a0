/** Says while it runs what was just measured and how much is left. */

import { cost, gbit, micros, thousands } from './quantity.js'
import type { Progress } from './runner.js'
import type { Sample } from './sample.js'

export class ProgressLines {
  readonly #out: NodeJS.WriteStream
  readonly #total: number
  readonly #startedMs = performance.now()
  #done = 0

  /** @param total how many samples there will be. */
  constructor(out: NodeJS.WriteStream, total: number) {
    this.#out = out
    this.#total = total
  }

  tell(progress: Progress): void {
    if (progress.kind === 'opened') {
      this.#line(`started ${progress.contestant.title}`)
      return
    }
    this.#done++
    if (progress.kind === 'failed') {
      const { contestant, case: each, why } = progress.failure
      this.#line(`FAILED  ${each}  ${contestant}  ${why}`)
      return
    }
    const { contestant, case: each, round, sample } = progress
    this.#line(`round ${round}  ${each.title}  ${contestant.title}  ${brief(sample)}`)
  }

  end(): void {
    this.#out.write('\n')
  }

  #line(text: string): void {
    const seconds = Math.round((performance.now() - this.#startedMs) / 1000)
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
    this.#out.write(`${clock.padStart(5)}  ${this.#done}/${this.#total}  ${text}\n`)
  }
}

function brief(sample: Sample): string {
  const parts = [
    sample.mbit === undefined ? '' : `${gbit(sample.mbit)} Gbit/s`,
    sample.cpuSPerGb === undefined ? '' : `${cost(sample.cpuSPerGb)} s/GB`,
    sample.onePercentPerS === undefined
      ? ''
      : `${[sample.losslessPerS, sample.halfPercentPerS, sample.onePercentPerS].map(thousands).join(' / ')} 000 packets/s`,
    sample.cpuUsPerPacket === undefined ? '' : `${cost(sample.cpuUsPerPacket)} us a packet`,
    sample.pingUs === undefined ? '' : `ping ${micros(sample.pingUs)} us`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}
