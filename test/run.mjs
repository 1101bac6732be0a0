#!/usr/bin/env node
// Runs every floor of tests, from the quickest to the slowest, and ends with their sum:
//
//   npm test                  all floors
//   npm test -- unit sim      these floors
//
// A floor that ran no test has failed: nothing is ever skipped because something is missing.

import { execFile, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const scratch = mkdtempSync(join(tmpdir(), 'mptun-test-'))

const NOTHING = { passed: 0, failed: 0, skipped: 0 }
const FAILED = { ...NOTHING, failed: 1 }
const add = (a, b) => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
})
const sentence = (sum) => `${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`

/** Runs a program that reports for itself; resolves to its exit code. */
function show(command, args) {
  return new Promise((resolve) => {
    const env = process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' }
    const child = spawn(command, args, { env, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`)
      resolve(1)
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

/** Runs a program that is quiet while all is well; resolves to what it said and whether it succeeded. */
function capture(command, args) {
  const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' }
  return new Promise((resolve) => {
    execFile(command, args, { env, timeout: 300_000, maxBuffer: 1 << 26 }, (error, out, err) => {
      resolve({ ok: error === null, text: `${out}${err}` })
    })
  })
}

const programs = (folder, suffix) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(`_${suffix}.c`))
    .map((name) => basename(name, '.c'))
    .sort()

/** Runs C programs one after the other; each ends with the same closing line as this one. */
async function runPrograms(names, argsFor) {
  let sum = NOTHING
  for (const [name, path] of names) {
    const { ok, text } = await capture(path, argsFor(name))
    const closing = /^(\d+) passed, (\d+) failed, (\d+) skipped\n/m.exec(text)
    const [passed, failed, skipped] = closing ? closing.slice(1).map(Number) : [0, 0, 0]
    const count = { passed, failed: !ok && failed === 0 ? 1 : failed, skipped }
    console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${name}: ${sentence(count)}`)
    if (!ok) console.log(text.replace(closing?.[0] ?? '', '').replace(/^/gm, '    '))
    sum = add(sum, count)
  }
  return sum
}

async function check() {
  const steps = [
    ['biome', 'node_modules/.bin/biome', ['ci', '.']],
    ['tsc', 'node_modules/.bin/tsc', ['-p', 'test']],
    ['contract', process.execPath, ['dist/contract.js', '--check']],
  ]
  let sum = NOTHING
  for (const [name, command, args] of steps) {
    const { ok, text } = await capture(command, args)
    console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${name}`)
    if (!ok) console.log(text.replace(/^/gm, '    '))
    sum = add(sum, ok ? { ...NOTHING, passed: 1 } : FAILED)
  }
  return sum
}

async function buildTests() {
  const { ok, text } = await capture(process.execPath, ['native/build.mjs', '--tests'])
  if (!ok) console.log(text.replace(/^/gm, '    '))
  return ok
}

async function native() {
  const built = await buildTests()
  const names = programs('test/native', 'test').map((name) => [name, `build/test/${name}`])
  const leaves = await runPrograms(names, () => [])
  // ThreadSanitizer of gcc before 14 finds no room for its shadow where the kernel spreads addresses widely.
  const races = programs('test/native', 'race').map((name) => [name, 'setarch'])
  const sum = add(
    leaves,
    await runPrograms(races, (name) => ['--addr-no-randomize', `build/test/${name}`]),
  )
  return built ? sum : add(sum, FAILED)
}

/** Instructions of the packet path against their baseline. */
async function micro() {
  const build = await capture(process.execPath, ['native/build.mjs', '--bench', '--only', 'leaves'])
  if (!build.ok) console.log(build.text.replace(/^/gm, '    '))
  const { text } = await capture(process.execPath, ['dist/bench/micro/check.js'])
  const closing = /^(\d+) passed, (\d+) failed, (\d+) skipped\n/m.exec(text)
  console.log(text.replace(closing?.[0] ?? '', '').trimEnd())
  if (!build.ok || closing === null) return FAILED
  const [passed, failed, skipped] = closing.slice(1).map(Number)
  return { passed, failed, skipped }
}

/** A whole session takes milliseconds, where the other targets take some microseconds for an input. */
const MUTATIONS = { session_fuzz: ['1000'] }

async function fuzz() {
  const built = await buildTests()
  const names = programs('test/fuzz', 'fuzz').map((name) => [name, `build/fuzz/${name}`])
  const sum = await runPrograms(names, (name) => [
    `test/fuzz/corpus/${name.replace(/_fuzz$/, '')}`,
    ...(MUTATIONS[name] ?? []),
  ])
  return built ? sum : add(sum, FAILED)
}

/** Says why tests failed that passed when they were tried again: what happens often has a cause. */
function tellTriedAgain(testResults) {
  for (const { status, fullName, failureMessages } of testResults.flatMap(
    ({ assertionResults }) => assertionResults,
  )) {
    if (status !== 'passed') continue
    for (const message of failureMessages) {
      console.log(`  tried again: ${fullName}: ${message.split('\n    at ')[0]}`)
    }
  }
}

/** Runs projects of vitest.config.ts and counts from their JSON report. */
async function vitest(...projects) {
  const report = join(scratch, `${projects[0]}.json`)
  const code = await show('node_modules/.bin/vitest', [
    ...['run', ...projects.flatMap((project) => ['--project', project]), '--silent=passed-only'],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ])
  if (!existsSync(report)) return FAILED
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  )
  tellTriedAgain(testResults)
  // A file that cannot be loaded has no test that could fail.
  const unloaded = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  const failed = numFailedTests + unloaded.length
  return {
    passed: numPassedTests,
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: numPendingTests + numTodoTests,
  }
}

/** Why tests in network namespaces cannot run here, or nothing. */
async function namespacesMissing() {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'))
  } catch (error) {
    return `/dev/net/tun cannot be opened (${error.code}): run modprobe tun, or give the container --device /dev/net/tun`
  }
  const { ok, text } = await capture('unshare', ['--net', 'true'])
  if (ok) return undefined
  return `network namespaces cannot be made (${text.trim()}): run as root with CAP_NET_ADMIN and CAP_SYS_ADMIN`
}

async function netns() {
  const missing = await namespacesMissing()
  if (missing === undefined) return vitest('netns', 'netns-timeless')
  console.error(`  FAILED ${missing}`)
  return FAILED
}

const FLOORS = {
  check,
  native,
  micro,
  fuzz,
  unit: () => vitest('unit'),
  sim: () => vitest('sim'),
  netns,
  deploy: () => vitest('deploy'),
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(FLOORS, name))
if (unknown.length > 0) {
  console.error(`no floor "${unknown.join(' ')}"; there are: ${Object.keys(FLOORS).join(', ')}`)
  process.exit(1)
}

const lines = []
let total = NOTHING
for (const name of Object.keys(FLOORS)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  console.log(`\n== ${name}`)
  const startedMs = performance.now()
  let sum = await FLOORS[name]()
  if (sum.passed + sum.failed === 0) {
    console.error(`  FAILED the floor "${name}" ran no test`)
    sum = add(sum, FAILED)
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  lines.push(`  ${name.padEnd(8)}${sentence(sum)}  (${seconds} s)`)
  total = add(total, sum)
}
rmSync(scratch, { recursive: true })

console.log(`\n${lines.join('\n')}\n\n${sentence(total)}`)
process.exitCode = total.failed === 0 ? 0 : 1
