import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A checkout with nothing in it but what prepare reads, and tools that only write down their calls. */
let checkout: string

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'mptun-prepare-'))
  chmodSync(checkout, 0o755)
  for (const path of ['deploy/prepare.mjs', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, path), join(checkout, path))
  }
  mkdirSync(join(checkout, 'tools'))
  mkdirSync(join(checkout, 'node_modules'))
  writeFileSync(join(checkout, 'calls'), '')
  for (const tool of ['apt-get', 'npm']) fake(tool, 'exit 0')
})

afterEach(() => rmSync(checkout, { recursive: true }))

function fake(tool: string, ending: string): void {
  const path = join(checkout, 'tools', tool)
  writeFileSync(path, `#!/bin/sh\necho "${tool} $*" >> ${checkout}/calls\n${ending}\n`)
  chmodSync(path, 0o755)
}

const calls = () => readFileSync(join(checkout, 'calls'), 'utf8').split('\n').filter(Boolean)

function prepare(profile: string, wrapper: string[] = []) {
  const [command = '', ...args] = [...wrapper, process.execPath, 'deploy/prepare.mjs', profile]
  const { npm_execpath: _, npm_lifecycle_event: __, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: checkout,
    encoding: 'utf8',
    // The wrappers are found by their full path: the machine's own tools must not be.
    env: { ...env, PATH: join(checkout, 'tools') },
  })
  return { status, stdout, stderr }
}

describe('the build refuses with one line that names the remedy', () => {
  it('a 32-bit system', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        ...['--import', 'data:text/javascript,Object.defineProperty(process,"arch",{value:"arm"})'],
        join(ROOT, 'native/build.mjs'),
      ],
      { encoding: 'utf8' },
    )
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /^native: this is a 32-bit Node \(arm\), mptun needs a 64-bit system;.*\n$/,
    )
  })
})

describe('prepare refuses with one line that names the remedy', () => {
  it('an unknown profile', () => {
    const { status, stderr } = prepare('tset')
    expect(status).toBe(1)
    expect(stderr).toBe('prepare: found "tset"; give one profile: demo, test, bench\n')
  })

  it('a user who is not root', () => {
    const { status, stderr } = prepare('demo', [
      '/usr/bin/setpriv',
      '--reuid=65534',
      '--clear-groups',
    ])
    expect(status).toBe(1)
    expect(stderr).toBe(
      'prepare: network devices need root; run sudo node deploy/prepare.mjs demo\n',
    )
  })

  it('a container without a TUN device', () => {
    const hidden = ['/usr/bin/unshare', '--mount', '/bin/sh', '-c']
    const { status, stderr } = prepare('demo', [
      ...hidden,
      '/bin/mount -t tmpfs none /dev && exec "$0" "$@"',
    ])
    expect(status).toBe(1)
    expect(stderr).toMatch(/^prepare: \/dev\/net\/tun cannot be opened \(ENOENT\); .*--device.*\n$/)
  })

  it('a machine whose packages cannot be installed', () => {
    fake('apt-get', 'echo "E: no network" >&2; exit 100')
    const { status, stderr } = prepare('demo')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^E: no network\nprepare: apt-get update .* failed \(exit 100\); .*\n$/)
    expect(calls()).toHaveLength(1)
  })
})

describe('prepare', () => {
  it('installs what is missing, then the locked packages, then builds', () => {
    const { status, stdout } = prepare('test')
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^prepare: apt-get install .*\nprepare: npm ci\nprepare: npm run build\n$/,
    )
    const [update, install, ...npm] = calls()
    expect(update).toMatch(/^apt-get update /)
    expect(install).toMatch(/^apt-get install -y .* gcc .*iperf3/)
    expect(npm).toEqual(['npm ci', 'npm run --silent build'])
  })

  it('installs the locked packages again only when the lock file changed', () => {
    prepare('test')
    writeFileSync(join(checkout, 'calls'), '')
    prepare('test')
    expect(calls()).not.toContain('npm ci')
    expect(calls()).toContain('npm run --silent build')

    writeFileSync(join(checkout, 'package-lock.json'), '{}')
    writeFileSync(join(checkout, 'calls'), '')
    prepare('test')
    expect(calls()).toContain('npm ci')
  })
})
