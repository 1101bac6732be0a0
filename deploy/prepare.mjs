#!/usr/bin/env node
// Brings a fresh checkout on a fresh machine to the point where mptun runs, with nothing but Node:
//
//   node deploy/prepare.mjs demo|test|bench
//
// checks the machine, installs the missing Debian packages, installs the locked npm packages, builds.
// What is there already is left alone, so a second run costs about a second. Never asks anything.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const LIBRARIES =
  process.arch === 'arm64' ? '/usr/lib/aarch64-linux-gnu' : '/usr/lib/x86_64-linux-gnu'

/** Debian package -> the file or program that proves that it, or its like elsewhere, is installed. */
const PROOF = {
  ethtool: 'ethtool',
  fastd: 'fastd',
  ffmpeg: 'ffmpeg',
  gcc: 'gcc',
  iperf3: 'iperf3',
  iproute2: 'ip',
  'iputils-ping': 'ping',
  'libc6-dev': '/usr/include/stdio.h',
  'libipsec-mb1': `${LIBRARIES}/libIPSec_MB.so.1`,
  // The C tests of sealing run outside of node, which brings its own.
  libssl3: `${LIBRARIES}/libcrypto.so.3`,
  nftables: 'nft',
  openssl: 'openssl',
  openvpn: 'openvpn',
  procps: 'sysctl',
  systemd: 'systemd-analyze',
  tcpdump: 'tcpdump',
  valgrind: 'valgrind',
  'wireguard-go': 'wireguard-go',
  'wireguard-tools': 'wg',
}

const RUN = ['gcc', 'libc6-dev', 'iproute2', 'nftables', 'procps']
/** Optional for those who run mptun; tests and benches need whatever mptun may find. */
const SEALING = process.arch === 'x64' ? ['libipsec-mb1'] : []
/** What the benchmark measures mptun beside. */
const PEERS = ['fastd', 'openssl', 'openvpn', 'wireguard-go', 'wireguard-tools']
const PROFILES = {
  demo: [...RUN, 'iperf3', 'iputils-ping'],
  test: [
    ...[
      ...RUN,
      ...SEALING,
      'ethtool',
      'ffmpeg',
      'iperf3',
      'iputils-ping',
      'libssl3',
      'systemd',
      'tcpdump',
    ],
    'valgrind',
  ],
  bench: [...RUN, ...SEALING, ...PEERS, 'ffmpeg', 'iperf3', 'iputils-ping', 'libssl3', 'valgrind'],
}

function refuse(what, remedy) {
  console.error(`prepare: ${what}; ${remedy}`)
  process.exit(1)
}

/** Runs a program to its end and shows what it said only if it failed. */
function run(command, args, remedy) {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 1 << 26,
  })
  if (status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  refuse(`${[command, ...args].join(' ')} failed (${error?.message ?? `exit ${status}`})`, remedy)
}

function checkNode() {
  const wanted = JSON.parse(readFileSync('package.json', 'utf8')).engines.node
  const [major, minor] = wanted.replace('>=', '').split('.').map(Number)
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  refuse(
    `this is Node ${process.versions.node}, mptun needs ${wanted}`,
    'install Node 22 or 24 from nodejs.org or nodesource.com',
  )
}

function checkTun() {
  try {
    closeSync(openSync('/dev/net/tun', 'r+'))
  } catch (error) {
    refuse(
      `/dev/net/tun cannot be opened (${error.code})`,
      'run modprobe tun; in a container add --device /dev/net/tun --cap-add NET_ADMIN',
    )
  }
}

function checkMachine() {
  if (process.platform !== 'linux')
    refuse(`this is ${process.platform}`, 'mptun runs on Linux only')
  checkNode()
  if (process.getuid() !== 0) {
    const script = process.env.npm_lifecycle_event
    const again = script ? `npm run ${script}` : `node deploy/prepare.mjs ${profile}`
    refuse('network devices need root', `run sudo ${again}`)
  }
  checkTun()
}

/** The administrator's programs are not on every PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']

function isInstalled(name) {
  const proof = PROOF[name]
  return isAbsolute(proof) ? existsSync(proof) : FOLDERS.some((dir) => existsSync(join(dir, proof)))
}

function installPackages(names) {
  const missing = names.filter((name) => !isInstalled(name))
  if (missing.length === 0) return
  const list = missing.join(' ')
  if (!FOLDERS.some((dir) => existsSync(join(dir, 'apt-get')))) {
    refuse(`missing: ${list}`, 'install these, by the names that your distribution gives them')
  }
  console.log(`prepare: apt-get install ${list}`)
  const remedy = 'install them by hand and run this again'
  const wait = ['-o', 'DPkg::Lock::Timeout=120']
  run('apt-get', ['update', '-q', ...wait], remedy)
  run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...wait, ...missing], remedy)
}

function npm(args, remedy) {
  const own = process.env.npm_execpath
  if (own) run(process.execPath, [own, ...args], remedy)
  else run('npm', args, remedy)
}

/** `npm ci` empties node_modules first: only when the lock file is not the one installed last. */
function installModules() {
  const stamp = 'node_modules/.mptun-lock'
  const digest = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  console.log('prepare: npm ci')
  npm(['ci'], 'check that the npm registry is reachable')
  writeFileSync(stamp, digest)
}

const [profile, ...surplus] = process.argv.slice(2)
if (!Object.hasOwn(PROFILES, profile ?? '') || surplus.length > 0) {
  refuse(
    `found "${process.argv.slice(2).join(' ')}"`,
    `give one profile: ${Object.keys(PROFILES).join(', ')}`,
  )
}
checkMachine()
installPackages(PROFILES[profile])
installModules()
console.log('prepare: npm run build')
npm(['run', '--silent', 'build'], 'the lines above say what does not compile')
