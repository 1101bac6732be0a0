/**
 * `npm run soak`: random happenings to links and daemons for minutes, under ordinary traffic:
 *   npm run soak -- --minutes 10 --seed 3 --mode adaptive
 * The same seed repeats the order of happenings, not what the machine's own timing adds. --journal FILE keeps what the
 * daemons say and how their paths are, each second.
 * Exit code 0 when there was no fault, 1 with a sentence for each, 2 when the soak itself could not be made.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '#mptun/errors.js'
import { run } from '../lab/namespaces.js'
import { repositoryPath } from '../lab/repository.js'
import { asText } from '../reporting/table.js'
import { Chance } from './chance.js'
import { nowMs } from './clock.js'
import { happen } from './happenings.js'
import { Journal } from './journal.js'
import { faultsOf } from './judge.js'
import { Place } from './place.js'
import { readSettings, type Settings } from './settings.js'
import { tableOf } from './table.js'
import { DIRECTIONS, type Round, startTraffic } from './traffic.js'
import { growthFaults, usesOf } from './uses.js'

const ROUND_MS = 60_000
/** Between happenings: mostly too short for anything to settle, now and then long enough to judge a rate. */
const PAUSES_MS: readonly (readonly [number, number])[] = [
  [300, 3000],
  [300, 3000],
  [9000, 13_000],
]

async function playRound(place: Place, chance: Chance): Promise<Round> {
  const direction = chance.pick(DIRECTIONS)
  const congestion = chance.pick(['cubic', 'bbr'] as const)
  const traffic = await startTraffic(place.tunnel, direction, congestion)
  for (const endMs = nowMs() + ROUND_MS; nowMs() < endMs; ) {
    await pause(chance.between(...chance.pick(PAUSES_MS)))
    await happen(place, chance)
  }
  return traffic.end()
}

/** Tells each fault as soon as it is found, and the table at the end. */
async function soak(place: Place, { minutes, seed, mode }: Settings): Promise<boolean> {
  const chance = new Chance(seed)
  const rounds: Round[] = []
  let isWell = true
  const tell = (faults: readonly string[]) => {
    for (const fault of faults) console.log(`FAULT: ${fault}.`)
    isWell &&= faults.length === 0
  }
  const first = usesOf(place)
  for (const endMs = nowMs() + minutes * 60_000; nowMs() < endMs; ) {
    const round = await playRound(place, chance)
    rounds.push(round)
    tell(faultsOf(place.course, round, mode))
  }
  const last = usesOf(place)
  tell(growthFaults(first, last))
  const title = `${minutes} minutes, ${mode}, seed ${seed}`
  console.log(asText(tableOf(title, place.course.length - 1, rounds, [first, last])))
  return isWell
}

async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2))
  const build = [process.execPath, repositoryPath('native', 'build.mjs')]
  await run([...build, '--bench', '--only', 'mptun-content'])
  const place = await Place.open(settings.seed, settings.mode)
  const journal = settings.journal === undefined ? undefined : new Journal(settings.journal, place)
  try {
    process.exitCode = (await soak(place, settings)) ? 0 : 1
  } catch (error) {
    await place.close().catch(() => undefined) // it cannot be as it was
    throw error
  } finally {
    journal?.close()
  }
  await place.close()
}

try {
  await main()
} catch (error) {
  console.error(`soak: ${messageOf(error)}`)
  process.exitCode = 2
}
