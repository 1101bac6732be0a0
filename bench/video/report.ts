/**
 * `npm run bench:video`: live video of a real ffmpeg over two uplinks of phones, of which one is cut every
 * five seconds without a sign, as an MPEG transport stream over plain UDP and over SRT. Each frame is
 * compared octet by octet. Everything happens in network namespaces of its own, which it removes.
 *
 *   npm run bench:video                               every stream in turn: an hour
 *   npm run bench:video -- --quick                    the mode adaptive alone, shorter: five minutes
 *   npm run bench:video -- --mbit 8 --cut 1000        this stream with cuts of so many milliseconds
 *   npm run bench:video -- --over adaptive,a          these modes and links alone
 *   npm run bench:video -- --transport srt            one transport
 *   npm run bench:video -- --seconds 60               more of the film that counts
 *
 * Exit codes: 0 done, 1 refused, 2 something could not be measured.
 */

import { parseArgs } from 'node:util'
import { messageOf } from '#mptun/errors.js'
import { subjectName } from '../bond/subject.js'
import { describeMachine, machineSentence } from '../reporting/machine.js'
import { asText, type Table } from '../reporting/table.js'
import { measureVideo, type VideoMeasured } from './measure.js'
import { chooseRuns, type Wish } from './runs.js'

const OPTIONS = {
  quick: { type: 'boolean', default: false },
  mbit: { type: 'string' },
  cut: { type: 'string' },
  over: { type: 'string' },
  transport: { type: 'string' },
  seconds: { type: 'string' },
} as const

const HEAD = [
  'through',
  'sent',
  'intact',
  'corrupt',
  'missing',
  'gap ms',
  'hold ms',
  'complaints',
  'dropped',
  'given up',
  'late ms',
]

function cellsOf(of: VideoMeasured): string[] {
  const { sent, intact, corrupt, missing, longestGapMs, holdMs, complaints } = of
  const whole = [sent, intact, corrupt, missing, longestGapMs, holdMs, complaints]
  const own = [of.queueDropped, of.givenUp, of.lateMaxUs / 1000]
  return [...whole, ...own].map((value) =>
    value === undefined || Number.isNaN(value) ? '' : value.toFixed(0),
  )
}

async function main(wish: Wish): Promise<number> {
  const groups = chooseRuns(wish)
  console.log(machineSentence(await describeMachine()))
  console.log(
    'gap: longest between two frames; hold: what a player must hold back; complaints: of the receiving ffmpeg;\n' +
      "dropped, given up: by the tunnel; late: the emulator's worst",
  )
  let failures = 0
  for (const { title, runs } of groups) {
    const rows: string[][] = []
    for (const run of runs) {
      const name = subjectName(run.subject)
      try {
        rows.push([name, ...cellsOf(await measureVideo(run))])
      } catch (error) {
        failures++
        console.error(`${title}, ${name}: ${messageOf(error)}`)
      }
    }
    const table: Table = { title, head: HEAD, rows }
    console.log(`\n${asText(table)}`)
  }
  return failures === 0 ? 0 : 2
}

try {
  process.exitCode = await main(parseArgs({ options: OPTIONS }).values)
} catch (error) {
  console.error(`bench:video: ${messageOf(error)}`)
  process.exitCode = 1
}
