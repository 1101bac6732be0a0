import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fromFile } from '../../src/config/file.js'
import { optionsOf, type Role } from '../../src/config/options.js'
import { resolveConfig } from '../../src/config/tunnel.js'

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url))
const read = (name: string) => readFileSync(join(DEPLOY, name), 'utf8')
const UNITS = readdirSync(DEPLOY).filter((name) => name.endsWith('.service'))

/** The example with everything that is commented out switched on. */
const spelledOut = (text: string) => text.replace(/^# ([a-z0-9-]+ = )/gm, '$1')

describe.each([
  ['server', 'server.toml'],
  ['client', 'client.toml'],
] as const)('the example of a %s', (role: Role, name) => {
  const resolve = async (text: string) =>
    role === 'server'
      ? resolveConfig('server', await fromFile('server', name, text))
      : resolveConfig('client', await fromFile('client', name, text))

  it('is accepted as it stands', async () => {
    const config = await resolve(read(name))
    if (config.role === 'server') expect(config.nat).toBe(true)
    else expect(config.uplinks.map((uplink) => uplink.name)).toEqual(['eth0', 'wwan0'])
  })

  it('is accepted with every comment switched on', async () => {
    await expect(resolve(spelledOut(read(name)))).resolves.toMatchObject({ mtuBytes: 1420 })
  })

  it('shows the defaults', async () => {
    const defaults = await resolve(role === 'server' ? '' : 'uplink = "eth0"')
    const { probeIntervalUs, keepaliveUs, tun, logFormat } = defaults
    expect(await resolve(spelledOut(read(name)))).toMatchObject({
      probeIntervalUs,
      keepaliveUs,
      tun,
      logFormat,
    })
  })

  it('names every word but those for another place', () => {
    const elsewhere = ['state-dir', 'run-dir']
    const words = optionsOf(role).map(({ word }) => word)
    const missing = words.filter((word) => !elsewhere.includes(word) && !read(name).includes(word))
    expect(missing).toEqual([])
  })
})

describe('README.md', () => {
  it.each(['server', 'client'])('installs for a %s what there is', (end) => {
    const page = readFileSync(join(DEPLOY, '..', 'README.md'), 'utf8')
    const files = [...page.matchAll(/ deploy\/(\S*\$END\S*)/g)].map(([, name]) =>
      name!.replace('$END', end),
    )
    expect(files).toEqual([`${end}.toml`, `mptun-${end}.service`])
    expect(files.filter((name) => !existsSync(join(DEPLOY, name)))).toEqual([])
  })
})

describe('the units', () => {
  it('are there', () => {
    expect(UNITS).toEqual(['mptun-client.service', 'mptun-server.service'])
  })

  it.each(UNITS)('%s satisfies systemd-analyze verify', async (name) => {
    const verify = promisify(execFile)('systemd-analyze', [
      'verify',
      '--man=no',
      '--recursive-errors=no',
      join(DEPLOY, name),
    ])
    const said = await verify.then(
      ({ stdout, stderr }) => stdout + stderr,
      (error: { stdout?: string; stderr?: string; message: string }) =>
        `failed: ${error.message} ${error.stdout} ${error.stderr}`,
    )
    expect(said).toBe('')
  })

  it.each(UNITS)('%s reads an example that exists and leaves few powers', (name) => {
    const unit = read(name)
    const [, config = ''] = /--config \/etc\/mptun\/(\S+)/.exec(unit) ?? []
    expect(read(config).length).toBeGreaterThan(0)
    expect(unit).toMatch(/^CapabilityBoundingSet=CAP_NET_ADMIN( CAP_NET_BIND_SERVICE)?$/m)
    expect(unit).toMatch(/^ProtectSystem=strict$/m)
    expect(unit).toMatch(/^StateDirectoryMode=0700$/m)
  })
})
