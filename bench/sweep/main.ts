#!/usr/bin/env node
/**
 * Runs scenarios of the bonding benchmark in virtual time, one line a run:
 *   node dist/bench/sweep/main.js --scenario unequal --cc cubic --mode adaptive --seconds 30 --seed 1
 *   node dist/bench/sweep/main.js --link rate=20,delay=10 --link rate=20,delay=40,queue=300ms --cc bbr,quic
 * --watch 100 tells what the first stream and each path have come to, every 100 ms.
 * --known 300 lets the load begin so many ms after the tunnel instead of two seconds.
 * --both lets as many streams run the other way at the same time, --joined on the same connections (TCP).
 * --bytes 100000 tells instead when a download of so much has come over all links and over the best one alone, each
 * the median of eight starts: of --streams at once the last one, with --warmed two seconds after another of 3 MB.
 * Words of --scenario, --cc, --mode, --seed and --bytes may be several, with commas between them.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { Mode } from '#mptun/core/policy.js'
import { messageOf } from '#mptun/errors.js'
import { MODE } from '#mptun/wire.js'
import { allScenarios } from '../bond/scenarios/all.js'
import type { Scenario } from '../bond/scenarios/scenario.js'
import type { Congestion, Transport } from '../sim/stream.js'
import { completionOf, courseOf, linesOf } from './line.js'
import { simulate } from './simulate.js'
import { complete } from './transfer.js'
import { watch } from './watch.js'

interface Kind {
  readonly transport: Transport
  readonly congestion: Congestion
}

/** What --cc accepts. */
const KINDS: Readonly<Record<string, Kind>> = {
  cubic: { transport: 'tcp', congestion: 'cubic' },
  bbr: { transport: 'tcp', congestion: 'bbr' },
  newreno: { transport: 'tcp', congestion: 'newreno' },
  quic: { transport: 'quic', congestion: 'cubic' },
  'quic-bbr': { transport: 'quic', congestion: 'bbr' },
  'quic-newreno': { transport: 'quic', congestion: 'newreno' },
}

const OPTIONS = {
  scenario: { type: 'string', default: '' },
  link: { type: 'string', multiple: true, default: [] },
  trace: { type: 'string', multiple: true, default: [] },
  cc: { type: 'string', default: 'cubic' },
  mode: { type: 'string', default: 'adaptive' },
  seconds: { type: 'string', default: '30' },
  from: { type: 'string' },
  known: { type: 'string' },
  seed: { type: 'string', default: '1' },
  streams: { type: 'string', default: '1' },
  bytes: { type: 'string' },
  warmed: { type: 'boolean', default: false },
  ping: { type: 'string', default: '0' },
  down: { type: 'boolean', default: false },
  both: { type: 'boolean', default: false },
  joined: { type: 'boolean', default: false },
  plain: { type: 'boolean', default: false },
  course: { type: 'boolean', default: false },
  watch: { type: 'string' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsConfig['options']

function readOptions() {
  try {
    return parseArgs({ options: OPTIONS }).values
  } catch (error) {
    const accepted = Object.keys(OPTIONS).map((word) => `--${word}`)
    console.error(`sweep: ${messageOf(error)}; accepted: ${accepted.join(', ')}`)
    process.exit(2)
  }
}

const values = readOptions()

function refuse(option: string, found: string, accepted: string): never {
  console.error(`--${option}: found "${found}", accepted: ${accepted}`)
  process.exit(2)
}

function number(option: string, found: string, least: number): number {
  const value = Number(found)
  return value >= least ? value : refuse(option, found, `a number of at least ${least}`)
}

function scenarios(): Scenario[] {
  if (values.link.length > 0) {
    const links = values.link.map((description, index) => ({
      name: `l${index}`,
      mbit: 0,
      delayMs: 0,
      description,
    }))
    return [{ id: 'links', title: values.link.join(' + '), group: 'table', links }]
  }
  const all = allScenarios(values.trace)
  const ids = all.map(({ id }) => id)
  if (values.scenario === 'all') return all
  return values.scenario.split(',').map((wanted) => {
    const found = all.find(({ id }) => id === wanted)
    return found ?? refuse('scenario', wanted, `all, ${ids.join(', ')}; or --link`)
  })
}

const kinds = values.cc.split(',').map((name) => {
  const kind = KINDS[name] ?? refuse('cc', name, Object.keys(KINDS).join(', '))
  return { name, ...kind }
})
const modes = values.mode.split(',').map((name) => {
  if (!Object.hasOwn(MODE, name)) refuse('mode', name, Object.keys(MODE).join(', '))
  return name as Mode
})
const both = values.joined ? 'joined' : values.both ? 'apart' : undefined
const towards = values.down ? 'client' : 'server'
const seeds = values.seed.split(',').map((text) => number('seed', text, 0))

const sizes = values.bytes?.split(',').map((text) => number('bytes', text, 1))
const { warmed } = values

for (const scenario of sizes ? scenarios() : []) {
  for (const { name, transport, congestion } of kinds) {
    for (const bytes of sizes!) {
      const streams = number('streams', values.streams, 1)
      const run = { transport, congestion, bytes, streams, warmed }
      const completion = await complete(scenario, run)
      const title = `${scenario.id} ${name} ${streams > 1 ? `${streams} of ` : ''}${bytes}`
      console.log(
        values.json ? JSON.stringify({ title, ...completion }) : completionOf(title, completion),
      )
    }
  }
}

for (const scenario of sizes ? [] : scenarios()) {
  for (const mode of modes) {
    for (const { name, transport, congestion } of kinds) {
      for (const seed of seeds) {
        const beganMs = performance.now()
        const result = await simulate(scenario, {
          transport,
          congestion,
          mode,
          seed,
          seconds: number('seconds', values.seconds, 1),
          streams: number('streams', values.streams, 1),
          pingPerSecond: number('ping', values.ping, 0),
          towards,
          ...(both === undefined ? {} : { both }),
          gso: !values.plain,
          ...(values.watch === undefined
            ? {}
            : {
                watch: (pair, stream) => console.log(watch(pair, stream, towards)),
                watchMs: 10 * Math.round(number('watch', values.watch, 10) / 10),
              }),
          ...(values.known === undefined
            ? {}
            : { knownUs: 1000 * number('known', values.known, 0) }),
          ...(values.from === undefined ? {} : { fromSeconds: number('from', values.from, 0) }),
        })
        const title = `${scenario.id} ${mode} ${name} seed ${seed}`
        if (values.json) console.log(JSON.stringify({ title, ...result }))
        else {
          for (const line of linesOf(title, result)) console.log(line)
          if (values.course) {
            for (const way of [result, result.back]) if (way) console.log(`  ${courseOf(way)}`)
          }
        }
        const tookS = (performance.now() - beganMs) / 1000
        if (tookS > 20) console.error(`  (${tookS.toFixed(0)} s of the processor)`)
      }
    }
  }
}
