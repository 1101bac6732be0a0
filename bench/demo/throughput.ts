/** The first scene: how much one TCP connection gets of each line alone, and of both. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Lab } from '../lab/lab.js'
import { type Congestion, runTcp } from '../lab/traffic.js'
import type { Tunnel } from '../lab/tunnel.js'
import type { Claims } from './claims.js'
import { LINES, type Line } from './place.js'
import type { Screen } from './screen.js'

const CONGESTION: Congestion = 'cubic'
/**
 * Not counted: TCP finds its speed. Over both lines it takes the longest, because the round trip of the
 * first packet, over the quicker line alone, makes cubic leave slow start early (HyStart).
 */
const OMIT_SECONDS = 3
const ALONE_SECONDS = 4
const BOND_SECONDS = 6
const LIVE_MS = 250
/** One connection over links of unlike delay; what is lost to headers is lost by each line alone too. */
const AIM_OF_SUM = 0.85

export interface Throughput {
  alone: ReadonlyMap<Line, number>
  bondMbit: number
}

export async function showThroughput(
  screen: Screen,
  claims: Claims,
  tunnel: Tunnel,
): Promise<Throughput> {
  screen.title('How much does one TCP connection carry?')
  screen.line(`  a download, congestion control ${CONGESTION}, once it has found its speed`)
  const alone = new Map<Line, number>()
  for (const line of LINES) alone.set(line, await measureAlone(screen, tunnel, line))
  const names = LINES.map(({ title }) => title).join(' + ')
  const bondMbit = await measure(screen, tunnel, names, BOND_SECONDS)

  const best = Math.max(...alone.values())
  const sum = [...alone.values()].reduce((total, mbit) => total + mbit, 0)
  const share = bondMbit / sum
  const found = `${bondMbit.toFixed(1)} against ${best.toFixed(1)} Mbit/s`
  claims.check(bondMbit > best, 'both lines carry more than the better one alone', found)
  claims.aim(
    share >= AIM_OF_SUM,
    `one connection got ${percent(share)} of the sum of both lines, short of the ${percent(AIM_OF_SUM)} aimed at`,
  )
  return { alone, bondMbit }
}

async function measureAlone(screen: Screen, tunnel: Tunnel, line: Line): Promise<number> {
  const others = LINES.filter((each) => each !== line)
  const setOthers = async (intent: 'up' | 'down') => {
    for (const { name } of others) {
      screen.command(`mptun set uplink ${name} ${intent}`)
      await tunnel.client.set('uplink', name, intent)
    }
  }
  await setOthers('down')
  await Promise.all([tunnel.client.untilPaths(1), tunnel.server.untilPaths(1)])
  const mbit = await measure(screen, tunnel, `${line.title} alone`, ALONE_SECONDS)
  await setOthers('up')
  await Promise.all([tunnel.client, tunnel.server].map((each) => each.untilPaths(LINES.length)))
  return mbit
}

async function measure(
  screen: Screen,
  { lab, down }: Tunnel,
  title: string,
  seconds: number,
): Promise<number> {
  const measuring = runTcp(lab, down, {
    seconds,
    congestion: CONGESTION,
    omitSeconds: OMIT_SECONDS,
  })
  const { mbit, congestion } = await watch(screen, lab, title, measuring)
  if (congestion !== CONGESTION) throw new Error(`TCP used ${congestion}, not ${CONGESTION}`)
  screen.line(`  ${title.padEnd(12)} ${bar(mbit)} ${mbit.toFixed(1)} Mbit/s`)
  return mbit
}

/** Shows what goes over each line while something is measured. */
async function watch<T>(screen: Screen, lab: Lab, title: string, work: Promise<T>): Promise<T> {
  let isOver = false
  const over = work.finally(() => {
    isOver = true
  })
  over.catch(() => {}) // told below, after the last look at the lines
  let before = await delivered(lab)
  while (!isOver) {
    await Promise.race([pause(LIVE_MS), over.catch(() => {})])
    const now = await delivered(lab)
    const rates = LINES.map((line) => {
      const bytes = (now.bytes.get(line.name) ?? 0) - (before.bytes.get(line.name) ?? 0)
      return `${line.title} ${((bytes * 8) / (now.atMs - before.atMs) / 1000).toFixed(1).padStart(5)}`
    })
    if (!isOver) screen.live(`  ${title.padEnd(12)} on the wire now: ${rates.join('   ')} Mbit/s`)
    before = now
  }
  return over
}

async function delivered(lab: Lab): Promise<{ atMs: number; bytes: Map<string, number> }> {
  const links = await lab.stats()
  const bytes = new Map(links.map(({ name, down }) => [name, down.deliveredBytes]))
  return { atMs: performance.now(), bytes }
}

const bar = (mbit: number) => '#'.repeat(Math.max(0, Math.round(mbit))).padEnd(32, '.')

const percent = (ratio: number) => `${(ratio * 100).toFixed(0)} %`
