/** The command line as people and scripts meet it: dist/cli.js in a process of its own. */

import { execFile, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { controlPath, serveControl } from '../../src/control.js'
import { configError } from '../../src/errors.js'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'mptun-cli-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function mptun(args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...args], (error, stdout, stderr) =>
      resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr }),
    )
    child.stdin?.end(input)
  })
}

const server = (...args: string[]) => mptun([...args, '--state-dir', join(dir, 'server')])
const client = (...args: string[]) => mptun([...args, '--state-dir', join(dir, 'client')])

const COMMANDS = [
  'server',
  'client',
  'invite',
  'join',
  'keygen',
  'peers',
  'revoke',
  'status',
  'set',
  'reload',
  'down',
  'version',
]

it('ends as it would when nobody takes what it tells', () => {
  const full = openSync('/dev/full', 'w')
  const status = ['status', '--run-dir', join(dir, 'run')]
  const { status: code } = spawnSync(process.execPath, [CLI, ...status], {
    stdio: ['ignore', full, full],
  })
  closeSync(full)
  expect(code).toBe(2)
})

describe('help', () => {
  it('of the program names every command', async () => {
    const { code, stdout } = await mptun(['--help'])
    expect(code).toBe(0)
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
  })

  it.each(COMMANDS)('of %s has examples', async (command) => {
    const { code, stdout } = await mptun([command, '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain(`Examples:\n  mptun ${command}`)
  })

  it.each([
    [
      ['server', 'client', 'invite', 'revoke'],
      ['--state-dir <DIR>', '--run-dir <DIR>', '--tun <NAME>'],
    ],
    [['join', 'keygen', 'peers'], ['--state-dir <DIR>']],
    [
      ['status', 'set', 'reload', 'down'],
      ['--run-dir <DIR>', '--tun <NAME>'],
    ],
    [['version'], []],
  ])('of %j offers %j, and no other place', async (commands, places) => {
    for (const command of commands) {
      const { stdout } = await mptun([command, '--help'])
      expect(stdout.match(/--(state-dir|run-dir|tun) <\w+>/g)?.sort() ?? []).toEqual(
        [...places].sort(),
      )
    }
  })
})

describe('reload', () => {
  it.each([
    ['nothing when all of it holds', () => ({ restart: [] }), { code: 0, stdout: '' }],
    [
      'what waits for a restart',
      () => ({ restart: ['listen', 'nat'] }),
      { code: 0, stdout: 'read; these wait for a restart: listen, nat\n' },
    ],
    [
      'what is wrong with the file',
      () => {
        throw configError('VALUE', 'client.toml:3: mtu: found "9000"', 'mtu')
      },
      { code: 1, stderr: 'mptun: client.toml:3: mtu: found "9000"\n' },
    ],
  ])('tells %s', async (_, answer, told) => {
    const runDir = join(dir, 'reloaded')
    const asked: string[] = []
    const daemon = await serveControl(controlPath(runDir, 'mptun0'), ({ verb }) => {
      asked.push(verb)
      return answer()
    })
    const ended = await mptun(['reload', '--run-dir', runDir])
    daemon.close()
    expect(asked).toEqual(['reload'])
    expect(ended).toMatchObject(told)
  })
})

describe('the exit code', () => {
  it.each([
    [['version'], 0, ''],
    [['--version'], 0, ''],
    [['frobnicate'], 1, "unknown command 'frobnicate'\n(mptun --help lists the commands)"],
    [['stauts'], 1, 'Did you mean status?'],
    [['rename', 'van', 'bus'], 1, "unknown command 'rename'\n(mptun --help lists the commands)"],
    [['client', '--uplinkk', 'x'], 1, 'Did you mean --uplink?'],
    [['client'], 1, 'no uplink is given'],
    [['client', '--uplink', 'a,wieght=2'], 1, '--uplink: found "wieght=2"'],
    [['client', '--config', '/nonexistent.toml'], 1, '/nonexistent.toml cannot be read (ENOENT)'],
    [['server', '--mode', '802.3ad'], 1, 'no switch takes part'],
    [['join', 'nonsense'], 1, 'it does not begin with mptun://'],
    [['invite', 'a b'], 1, 'accepted is 1 to 32 of A-Z'],
    [['set', 'mdoe', 'x'], 1, 'did you mean "mode"'],
    [['status'], 2, 'no daemon answers at'],
    [['down'], 2, 'no daemon answers at'],
    [['set', 'mode', 'broadcast'], 2, 'no daemon answers at'],
    [['status', '--run-dir', `/run/${'x'.repeat(120)}`], 1, 'shorter --run-dir'],
    [['status', '--state-dir', '/tmp'], 1, "unknown option '--state-dir'\n(mptun status --help"],
    [['peers', '--run-dir', '/tmp'], 1, "unknown option '--run-dir'\n(mptun peers --help"],
  ])('of %j is %i', async (args, code, part) => {
    // Where no daemon has its socket.
    const asks = ['status', 'down', 'set'].includes(args[0]!) && !args.includes('--run-dir')
    const ended = await mptun([...args, ...(asks ? ['--run-dir', dir] : [])])
    expect(ended.stderr).toContain(part)
    expect(ended.code).toBe(code)
    expect(ended.stderr).not.toContain('    at ')
  })
})

describe('enrolment', () => {
  it('takes a line from the server to the client, and shows secrets to nobody', async () => {
    const invited = await server('invite', 'barge', '--endpoint', 'vps.example.org:5000')
    expect(invited).toMatchObject({ code: 0, stderr: '' })
    expect(invited.stdout).toMatch(/^mptun:\/\/vps\.example\.org:5000\/barge\?key=\S+\n$/)

    const state = ['--state-dir', join(dir, 'client')]
    const joined = await mptun(['join', '-', ...state], invited.stdout)
    expect(joined).toMatchObject({ code: 0, stderr: '' })
    expect(joined.stdout).toContain('joined the server at vps.example.org:5000 as barge')
    expect(statSync(join(dir, 'client')).mode & 0o777).toBe(0o700)
    expect(statSync(join(dir, 'client', 'server.json')).mode & 0o777).toBe(0o600)

    const peers = JSON.parse((await server('peers', '--json')).stdout)
    expect(peers).toMatchObject({ peers: [], invitations: [{ name: 'barge' }] })
    const secret = /secret=([\w-]+)/.exec(invited.stdout)?.[1] ?? 'none'
    expect(JSON.stringify(peers)).not.toContain(secret)
    expect((await server('peers')).stdout).toMatch(/^barge {2}invited, for another 23 h 59 min\n$/)
  })

  it('says so where whoever invites is a client itself', async () => {
    const state = ['--state-dir', join(dir, 'client')]
    const invited = await mptun(['invite', 'guest', '--endpoint', '192.0.2.1:5000', ...state])
    expect(invited.code).toBe(0)
    expect(invited.stderr).toContain('this machine is a client of vps.example.org:5000')
  })

  it('says which port it takes where no server runs that would know', async () => {
    const places = ['--state-dir', join(dir, 'early'), '--run-dir', join(dir, 'nobody')]
    // Whether this machine has an address to be reached at or not.
    const { stderr } = await mptun(['invite', 'van', ...places])
    expect(stderr).toMatch(/^no server runs for mptun0: the port is taken to be 5000; .*--endpoint/)
  })

  it('voids an earlier line for the same name', async () => {
    const again = await server(
      'invite',
      'barge',
      '--endpoint',
      '192.0.2.1:5000',
      '--expires',
      '30m',
    )
    expect(again.stderr).toContain('the earlier invitation for barge is void')
    expect(readdirSync(join(dir, 'server', 'invites'))).toHaveLength(1)
  })

  it('does not leave one server for another unasked', async () => {
    const other = ['--state-dir', join(dir, 'other')]
    const { stdout } = await mptun(['invite', 'x', '--endpoint', '192.0.2.9:5000', ...other])
    const refused = await client('join', stdout.trim())
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('as barge; --force') })
    expect((await client('join', stdout.trim(), '--force')).code).toBe(0)
  })

  it('says that a machine which comes under another name keeps the one that it has', async () => {
    const own = ['--state-dir', join(dir, 'renamed')]
    const joinAs = async (name: string) => {
      const { stdout } = await server('invite', name, '--endpoint', '192.0.2.1:5000')
      return mptun(['join', stdout.trim(), ...own])
    }
    expect((await joinAs('car')).stderr).toBe('')
    // Not enrolled yet: the second invitation takes the place of the first.
    expect((await joinAs('van')).stderr).toBe('')
    const file = join(dir, 'renamed', 'server.json')
    const { secret, ...enrolled } = JSON.parse(readFileSync(file, 'utf8'))
    expect(secret).toMatch(/^[\w-]{43}$/)
    writeFileSync(file, JSON.stringify(enrolled))
    expect(await joinAs('bus')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('joined the server at 192.0.2.1:5000 as bus'),
      stderr: expect.stringMatching(/^that server knows this machine as van .* mptun revoke van /),
    })
    for (const name of ['car', 'van', 'bus']) await server('revoke', name)
  })

  it('goes on beside files that are damaged, and says what to do about each', async () => {
    const state = join(dir, 'damaged')
    const at = (...words: string[]) => mptun([...words, '--state-dir', state])
    await at('invite', 'boat', '--endpoint', '192.0.2.1:5000')
    const publicKey = (await at('keygen')).stdout.trim()
    const peer = { publicKey, ipv4: '10.77.0.2', ipv6: 'fd00::2', created: 1 }
    writeFileSync(join(state, 'peers', 'van.json'), JSON.stringify(peer))
    writeFileSync(join(state, 'peers', 'bus.json'), '{"publicKey"')
    writeFileSync(join(state, 'invites', 'ab.json'), 'x')

    const listed = await at('peers', '--json')
    expect(JSON.parse(listed.stdout)).toMatchObject({
      peers: [{ name: 'van' }],
      invitations: [{ name: 'boat' }],
    })
    expect(listed.code).toBe(2)
    expect(listed.stderr).toContain('bus.json cannot be understood: not JSON; restore it')
    expect(listed.stderr).toContain('ab.json cannot be understood: not JSON; remove it')

    const invited = await at('invite', 'boat', '--endpoint', '192.0.2.1:5000')
    expect(invited).toMatchObject({ code: 0, stdout: expect.stringContaining('/boat?') })
    expect(invited.stderr).toContain('ab.json cannot be understood')
    expect(invited.stderr).toContain('the earlier invitation for boat is void')
    for (const name of ['boat', 'van', 'bus']) {
      expect(await at('revoke', name)).toMatchObject({ code: 0 })
    }
    expect(readdirSync(join(state, 'peers'))).toEqual([])
    expect(readdirSync(join(state, 'invites'))).toEqual(['ab.json'])
  })

  it('begins anew for a client whose file is damaged, whatever else is', async () => {
    const state = join(dir, 'torn')
    const invite = (name: string) =>
      mptun(['invite', name, '--endpoint', '192.0.2.1:5000', '--state-dir', state])
    await invite('van')
    writeFileSync(join(state, 'server.json'), '{')
    const first = await invite('van')
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('/van?') })
    expect(first.stderr).toContain('server.json cannot be understood')
    writeFileSync(join(state, 'peers', 'van.json'), '{')
    const second = await invite('van')
    expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining('/van?') })
    expect(second.stderr).toContain('van.json cannot be understood: not JSON; restore it')
    expect(readdirSync(join(state, 'invites'))).toHaveLength(1)
  })

  it('ends with revoke', async () => {
    expect((await server('revoke', 'bargee')).stderr).toContain(
      'found no peer and no invitation "bargee" (did you mean "barge"?); there are: barge',
    )
    const revoked = await server('revoke', 'barge')
    expect(revoked.stdout).toContain('barge is revoked; no daemon runs for mptun0')
    expect(await server('revoke', 'barge')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('found no peer and no invitation "barge"'),
    })
    expect((await server('peers')).stdout).toContain('no peers')
  })

  it('shows the same public key each time', async () => {
    const first = await client('keygen')
    expect(first.stdout).toMatch(/^[\w-]{43}\n$/)
    expect(JSON.parse((await client('keygen', '--json')).stdout)).toEqual({
      publicKey: first.stdout.trim(),
    })
  })
})

it('ends quietly when nobody reads any more', async () => {
  const child = spawn(process.execPath, [CLI, 'client', '--help'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
