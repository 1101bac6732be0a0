/**
 * `npm run bench:micro`: what each piece costs alone.
 *
 *   npm run bench:micro                 times and instructions; writes build/bench/micro.json
 *   npm run bench:micro -- --quick      the same in seconds, rougher
 *   npm run bench:micro -- --baseline   counts instructions only and makes them the new baseline
 *
 * Instructions are compared with bench/micro/baseline.json by `npm test -- micro`, too.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import sodium from 'libsodium-wrappers'
import { aeads } from '#mptun/engine.js'
import { repositoryPath } from '../lab/repository.js'
import { compiler, judge, readBaseline, writeBaseline } from './baseline.js'
import { countInstructions, total } from './instructions.js'
import { type Timing, timeTypeScript } from './suites.js'

const NAME_WIDTH = 48

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    baseline: { type: 'boolean', default: false },
  },
})

const build = ['native/build.mjs', '--bench', '--only', 'leaves']
execFileSync(process.execPath, build, { cwd: repositoryPath('.'), stdio: 'inherit' })
if (options.baseline) {
  console.log(`wrote ${await writeBaseline(await countInstructions())}`)
} else {
  await report()
}

async function report(): Promise<void> {
  await sodium.ready
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    node: process.versions.node,
    openssl: process.versions.openssl,
    sealing: Object.values(aeads().providers),
  }
  console.log(`${machine.cpu}, Node ${machine.node}, OpenSSL ${machine.openssl}`)
  const leavesNs = timeLeaves()
  const leaves = await countInstructions()
  printLeaves(leavesNs, leaves)
  const timings = await timeTypeScript(options.quick)
  printTimings(timings)
  const verdicts = judge(readBaseline(), { compiler: await compiler(), leaves })
  for (const { leaf, ok, text } of verdicts) if (!ok) console.log(`worse: ${leaf}: ${text}`)

  const path = repositoryPath('build/bench/micro.json')
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify({ machine, leavesNs, leaves, timings }, null, 2)}\n`)
  console.log(`\nwrote ${path}`)
}

/** Nanoseconds a packet, in this process and so with its OpenSSL. */
function timeLeaves(): Record<string, number> {
  const addon = createRequire(import.meta.url)(repositoryPath('build/mptun-leaves.node')) as {
    measure(rounds: number): Record<string, number>
  }
  return addon.measure(options.quick ? 11 : 101)
}

function printLeaves(
  leavesNs: Record<string, number>,
  leaves: Awaited<ReturnType<typeof countInstructions>>,
): void {
  console.log(
    `\n${'a packet'.padEnd(NAME_WIDTH)}${'ns'.padStart(10)}${'instructions'.padStart(15)}`,
  )
  for (const [name, ns] of Object.entries(leavesNs)) {
    const spent = leaves[name]
    const counted = spent === undefined ? '' : total(spent).toFixed(1)
    console.log(`${name.padEnd(NAME_WIDTH)}${ns.toFixed(1).padStart(10)}${counted.padStart(15)}`)
  }
}

function printTimings(timings: readonly Timing[]): void {
  console.log(`\n${'a call'.padEnd(NAME_WIDTH)}${'us'.padStart(10)}${'+-'.padStart(15)}`)
  for (const { name, us, error } of timings) {
    const margin = `${(error * 100).toFixed(1)} %`
    console.log(`${name.padEnd(NAME_WIDTH)}${us.toPrecision(3).padStart(10)}${margin.padStart(15)}`)
  }
}
