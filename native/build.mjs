#!/usr/bin/env node
// Compiles the C of mptun with gcc alone: no node-gyp, no make, no configure step.
//
//   node native/build.mjs               addon, simulation addon, link emulator  -> build/
//   node native/build.mjs --sanitize    the same under ASan and UBSan           -> build/asan/
//   node native/build.mjs --bench       unsealed addon, flood, bulk, leaves     -> build/
//   node native/build.mjs --tests       test programs, fuzz replays (sanitized) -> build/test/, build/fuzz/
//   node native/build.mjs --libfuzzer   fuzz targets with clang's libFuzzer     -> build/libfuzzer/
//   ... --only NAME                     only the programs whose name contains NAME
//
// All rooms but binding.c go into an archive, and a program takes from it what it calls: a new room,
// test or fuzz target is a new file and no edit here. A room that does not compile fails the build, yet
// only the programs that call it are missing.

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const run = promisify(execFile)

// Times and counts are 64 bits wide, their products 128, and records are laid out for pointers of 64.
if (['arm', 'ia32'].includes(process.arch)) {
  console.error(
    `native: this is a 32-bit Node (${process.arch}), mptun needs a 64-bit system; a Raspberry Pi from the 3 on runs one`,
  )
  process.exit(1)
}

const { values: options } = parseArgs({
  options: {
    sanitize: { type: 'boolean', default: false },
    bench: { type: 'boolean', default: false },
    tests: { type: 'boolean', default: false },
    libfuzzer: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
})

const LANGUAGE = [
  ...['-std=gnu11', '-g', '-fPIC', '-fvisibility=hidden', '-pthread', '-fstack-protector-strong'],
  ...['-Wall', '-Wextra', '-Wshadow', '-Wstrict-prototypes', '-Wmissing-prototypes'],
  // Sizes and lengths cross between int and size_t in every system call: only lossy conversions are faults.
  ...['-Wconversion', '-Wno-sign-conversion'],
  // Debug information and assertions carry the path inside the repository, never that of the machine.
  ...[`-ffile-prefix-map=${process.cwd()}=.`],
  ...['-Inative', '-isystem', 'node_modules/node-api-headers/include', '-DNAPI_VERSION=9'],
]
const SANITIZERS = ['-O1', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all']
// The checks that sanitizers insert hide from gcc what bounds a value; the release build tells of these.
const MISLED = ['-Wno-format-truncation', '-Wno-restrict', '-Wno-maybe-uninitialized']

/**
 * The ways to compile: where the result goes and with what. Each compiler warns of something else: who
 * installs mptun is shown what theirs says, and has it all the same; the tests insist.
 */
const RELEASE = {
  dir: 'build',
  compiler: 'gcc',
  flags: [...LANGUAGE, '-O2', '-D_FORTIFY_SOURCE=2'],
}
const SANITIZED = {
  dir: 'build/asan',
  compiler: 'gcc',
  flags: [...LANGUAGE, '-Werror', ...MISLED, ...SANITIZERS, '-fsanitize=address,undefined'],
}
/** The one sanitizer that cannot be had together with the others. */
const THREADS = {
  dir: 'build/tsan',
  compiler: 'gcc',
  flags: [...LANGUAGE, '-Werror', ...MISLED, ...SANITIZERS, '-fsanitize=thread'],
}
const LIBFUZZER = {
  dir: 'build/libfuzzer',
  compiler: 'clang',
  // Every room tells where the input has led, not the target alone.
  flags: [...LANGUAGE, ...SANITIZERS, '-fsanitize=address,undefined,fuzzer-no-link'],
}

const REMEDY = {
  gcc: 'apt-get install gcc libc6-dev',
  clang: 'apt-get install clang',
}

/** The C sources of a folder, none when it does not exist. */
function sourcesOf(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => join(folder, name))
}

const rooms = sourcesOf('native').filter((path) => path !== 'native/binding.c')

/**
 * What to link: `main` are the program's own sources, `rooms` archive members to pull in as needed,
 * `define` the macros that its rooms are compiled with.
 */
function productPrograms(way) {
  const addon = { way, define: [], shared: true }
  return [
    { ...addon, output: `${way.dir}/mptun.node`, main: ['native/binding.c'] },
    {
      ...addon,
      output: `${way.dir}/mptun-sim.node`,
      main: sourcesOf('native/sim'),
      define: ['-DMP_SIM'],
    },
    {
      ...addon,
      output: `${way.dir}/mptun-emulator`,
      main: sourcesOf('native/emulator'),
      shared: false,
    },
  ].filter(({ main }) => main.length > 0 && main.every((path) => existsSync(path)))
}

/** What only the benchmark runs: an addon that carries everything in the clear, and sources of load. */
function benchPrograms(way) {
  return [
    {
      way,
      output: `${way.dir}/mptun-unsealed.node`,
      main: ['native/binding.c'],
      define: ['-DMP_BENCH_UNSEALED'],
      shared: true,
    },
    {
      way,
      output: `${way.dir}/mptun-flood`,
      main: ['bench/throughput/flood.c'],
      define: [],
      shared: false,
    },
    {
      way,
      output: `${way.dir}/mptun-relay`,
      main: ['bench/throughput/relay.c'],
      define: [],
      shared: false,
    },
    {
      way,
      output: `${way.dir}/mptun-downloads`,
      main: ['bench/throughput/downloads.c'],
      define: [],
      shared: false,
    },
    {
      way,
      output: `${way.dir}/mptun-bulk`,
      main: ['bench/bond/bulk.c'],
      define: [],
      shared: false,
    },
    {
      way,
      output: `${way.dir}/mptun-content`,
      main: ['bench/soak/content.c'],
      define: [],
      shared: false,
    },
    ...leafPrograms(way),
  ]
}

/** Pieces of the packet path: timed inside node, counted under callgrind. */
function leafPrograms(way) {
  const folder = 'bench/micro/leaves'
  const leaves = sourcesOf(folder).filter((path) => !/(addon|program)\.c$/.test(path))
  return [
    {
      way,
      output: `${way.dir}/mptun-leaves.node`,
      main: [...leaves, `${folder}/addon.c`],
      define: [],
      shared: true,
    },
    {
      way,
      output: `${way.dir}/mptun-leaves`,
      main: [...leaves, `${folder}/program.c`],
      define: [],
      shared: false,
    },
  ]
}

/** One program a `test/<kind>/NAME_<suffix>.c`. Its functions are called by a harness, not by a header. */
function harnessPrograms(way, folder, suffix, outputFolder, { beside = [], link = [] } = {}) {
  return sourcesOf(folder)
    .filter((path) => path.endsWith(`_${suffix}.c`))
    .map((path) => ({
      way,
      output: join(outputFolder, basename(path, '.c')),
      main: [path, ...beside],
      define: [],
      mainFlags: ['-Wno-missing-prototypes', ...link],
      link,
      shared: false,
    }))
}

function wantedPrograms() {
  if (options.libfuzzer) {
    const link = ['-fsanitize=fuzzer']
    return harnessPrograms(LIBFUZZER, 'test/fuzz', 'fuzz', LIBFUZZER.dir, { link })
  }
  if (options.tests) {
    const beside = ['test/fuzz/replay_main.c']
    return [
      ...harnessPrograms(SANITIZED, 'test/native', 'test', 'build/test'),
      ...harnessPrograms(SANITIZED, 'test/fuzz', 'fuzz', 'build/fuzz', { beside }),
      ...harnessPrograms(SANITIZED, 'test/netns', 'writer', 'build/test'),
      ...harnessPrograms(THREADS, 'test/native', 'race', 'build/test'),
    ]
  }
  if (options.bench) return benchPrograms(RELEASE)
  return productPrograms(options.sanitize ? SANITIZED : RELEASE)
}

const failures = []

/** Runs one compiler; what it says goes to the user whole, because it names file and line. */
async function call(command, args, label) {
  try {
    const { stderr } = await run(command, args, { maxBuffer: 1 << 26 })
    if (stderr.trim()) console.error(stderr.trimEnd())
    return true
  } catch (error) {
    if (error.code === 'ENOENT') {
      console.error(
        `native: ${command} was not found; install it: ${REMEDY[command] ?? REMEDY.gcc}`,
      )
      process.exit(1)
    }
    console.error((error.stderr || error.message).trimEnd())
    failures.push(label)
    return false
  }
}

const modifiedMs = (path) => (existsSync(path) ? statSync(path).mtimeMs : Number.POSITIVE_INFINITY)

/** Whether `output` was made by exactly this command from inputs that have not changed since. */
function isFresh(output, digest, inputs) {
  if (!existsSync(output) || !existsSync(`${output}.cmd`)) return false
  if (readFileSync(`${output}.cmd`, 'utf8') !== digest) return false
  const madeMs = statSync(output).mtimeMs
  return inputs.every((path) => modifiedMs(path) <= madeMs)
}

/**
 * Makes `output` unless it is fresh. The result appears by rename, so that builds running at once never
 * see half a file, and carries the time of its start, so that an edit during the build is not missed.
 */
async function make(output, command, argsFor, inputs, label) {
  const digest = createHash('sha256')
    .update(JSON.stringify([command, argsFor('')]))
    .digest('hex')
  if (isFresh(output, digest, inputs)) return true
  mkdirSync(dirname(output), { recursive: true })
  const startedAt = new Date()
  const temporary = `${output}.${process.pid}`
  await rm(temporary, { force: true })
  if (!(await call(command, argsFor(temporary), label))) {
    await rm(output, { force: true })
    return false
  }
  await utimes(temporary, startedAt, startedAt)
  await rename(temporary, output)
  await writeFile(`${output}.cmd`, digest)
  return true
}

/** The files an object was made from, as gcc -MMD wrote them; none when it was never made. */
function dependenciesOf(list) {
  if (!existsSync(list)) return []
  const [, files = ''] = readFileSync(list, 'utf8').split(': ', 2)
  return files.split(/[\s\\]+/).filter(Boolean)
}

const objects = new Map()

/** Objects of unlike macros lie apart. */
function variantOf(flags) {
  if (flags.includes('-DMP_SIM')) return 'sim'
  return flags.includes('-DMP_BENCH_UNSEALED') ? 'unsealed' : 'core'
}

/** Compiles one source once per way and set of macros; resolves to the object's path or null. */
function compile(source, way, extra) {
  const object = join(way.dir, 'obj', variantOf(extra), source.replace(/\.c$/, '.o'))
  if (!objects.has(object)) {
    objects.set(
      object,
      inTurn(() => compileNow(source, object, way, extra)),
    )
  }
  return objects.get(object)
}

async function compileNow(source, object, way, extra) {
  const list = object.replace(/\.o$/, '.d')
  const args = (to) => [...way.flags, ...extra, '-MMD', '-MF', list, '-c', source, '-o', to]
  const made = await make(object, way.compiler, args, [source, ...dependenciesOf(list)], source)
  return made ? object : null
}

const waiting = []
let running = 0

/** Runs a job when a core is free. */
async function inTurn(job) {
  if (running < availableParallelism()) running++
  else await new Promise((free) => waiting.push(free))
  try {
    return await job()
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

async function archiveOf(way, define) {
  const made = await Promise.all(rooms.map((source) => compile(source, way, define)))
  const members = made.filter((object) => object !== null)
  if (members.length === 0) return []
  const archive = join(way.dir, 'obj', variantOf(define), 'rooms.a')
  await make(archive, 'ar', (to) => ['rcsD', to, ...members], members, archive)
  return [archive]
}

/** An addon is linked with node's symbols missing on purpose; a symbol of ours must not be. */
async function hasOwnSymbols(output) {
  const { stdout } = await run('nm', ['-D', '--undefined-only', output])
  const missing = stdout.match(/\bmp_\w+/g) ?? []
  if (missing.length === 0) return
  console.error(`native: ${output} calls what no file in native/ defines: ${missing.join(', ')}`)
  failures.push(output)
  await rm(output)
}

async function link(program, archive) {
  const { way, output, define, shared } = program
  const extra = [...define, ...(program.mainFlags ?? [])]
  const made = await Promise.all(program.main.map((source) => compile(source, way, extra)))
  if (made.includes(null)) return
  const kind = shared ? ['-shared'] : []
  const from = [...made, ...archive, ...(program.link ?? [])]
  const args = (to) => [
    ...way.flags,
    ...kind,
    '-Wl,-z,relro,-z,now',
    '-o',
    to,
    ...from,
    '-lm',
    '-ldl',
  ]
  const inputs = [...made, ...archive]
  const linked = await inTurn(() => make(output, way.compiler, args, inputs, output))
  if (linked && shared) await hasOwnSymbols(output)
}

const programs = wantedPrograms().filter(({ output }) => output.includes(options.only))
if (programs.length === 0) {
  console.error(`native: nothing to build${options.only ? ` is named *${options.only}*` : ' yet'}`)
  process.exit(1)
}

const archives = new Map()
for (const { way, define } of programs) {
  const key = way.dir + define.join()
  if (!archives.has(key)) archives.set(key, archiveOf(way, define))
}
await Promise.all(
  programs.map(async (program) => {
    const archive = await archives.get(program.way.dir + program.define.join())
    await link(program, archive)
  }),
)

if (failures.length > 0) {
  console.error(`native: failed: ${failures.join(', ')}`)
  process.exit(1)
}
console.log(`native: ${programs.map(({ output }) => output).join(', ')}`)
