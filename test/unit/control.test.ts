import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  askControl,
  type ControlRequest,
  type ControlServer,
  controlPath,
  parseRequest,
  serveControl,
} from '../../src/control.js'
import { configError } from '../../src/errors.js'

let dir: string
let path: string
const servers: ControlServer[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mptun-control-'))
  path = controlPath(join(dir, 'run'), 'mptun0')
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  rmSync(dir, { recursive: true })
})

async function serve(handle: (request: ControlRequest) => unknown): Promise<ControlServer> {
  const server = await serveControl(path, handle)
  servers.push(server)
  return server
}

/** Sends text as it is; resolves to all that comes back. */
function send(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path, () => socket.end(text))
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

describe('a control socket', () => {
  it('carries a request and its answer', async () => {
    const requests: ControlRequest[] = []
    await serve((request) => {
      requests.push(request)
      return { tun: 'mptun0' }
    })
    expect(await askControl(path, { verb: 'status' })).toEqual({ tun: 'mptun0' })
    await askControl(path, { verb: 'set', words: ['mode', 'broadcast'] })
    expect(requests).toEqual([{ verb: 'status' }, { verb: 'set', words: ['mode', 'broadcast'] }])
  })

  it('belongs to its owner alone', async () => {
    await serve(() => undefined)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'run')).mode & 0o777).toBe(0o700)
  })

  it('gives errors of the daemon back as they were', async () => {
    await serve(() => {
      throw configError('VALUE', 'found x, accepted is y')
    })
    await expect(askControl(path, { verb: 'status' })).rejects.toMatchObject({
      code: 'MPTUN_E_CONFIG_VALUE',
      family: 'config',
      message: 'found x, accepted is y',
    })
  })

  it('tells a bug from a refusal', async () => {
    await serve(() => {
      throw new TypeError('x is not a function')
    })
    await expect(askControl(path, { verb: 'status' })).rejects.toMatchObject({ family: 'bug' })
  })

  it.each([
    ['a directory that cannot be made', () => '/proc/mptun/mptun0.sock', 'make'],
    ['a file for a directory', () => join(dir, 'file', 'mptun0.sock'), 'make'],
    ['a directory for a socket', () => join(dir, 'full', 'mptun0.sock'), 'remove'],
  ])('refuses %s at once', async (_, socket, verb) => {
    writeFileSync(join(dir, 'file'), '')
    mkdirSync(join(dir, 'full', 'mptun0.sock'), { recursive: true })
    await expect(serveControl(socket(), () => undefined)).rejects.toThrow(
      new RegExp(`cannot ${verb} .*--run-dir`),
    )
  })

  it('replaces the socket of a daemon that was killed', async () => {
    const dead = createServer()
    ;(await serve(() => 'old')).close()
    await new Promise<void>((resolve) => dead.listen(`${path}.dead`, resolve))
    // A socket file that nobody listens at any more.
    writeFileSync(path, '')
    dead.close()
    await serve(() => 'new')
    expect(await askControl(path, { verb: 'status' })).toBe('new')
  })

  it('is gone when closed', async () => {
    const server = await serve(() => undefined)
    server.close()
    expect(existsSync(path)).toBe(false)
    await expect(askControl(path, { verb: 'status' })).rejects.toMatchObject({
      code: 'MPTUN_E_SYSTEM_NO_DAEMON',
      message: expect.stringContaining('start one with mptun server or mptun client'),
    })
  })

  it('that cannot be reached for another reason is said to be so', async () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    await expect(askControl(join(file, 'mptun0.sock'), { verb: 'status' })).rejects.toThrow(
      /cannot reach the daemon at .*: ENOTDIR; see its log/,
    )
  })

  it('keeps the connection that asked for the end until the process ends', async () => {
    const server = await serve(() => undefined)
    let isGone = false
    const asked = askControl(path, { verb: 'down' }, { untilGone: true }).then(() => {
      isGone = true
    })
    expect(await askControl(path, { verb: 'status' })).toBeNull()
    expect(isGone).toBe(false)
    server.close()
    expect(existsSync(path)).toBe(false)
    expect(await askControl(path, { verb: 'status' }).catch(() => 'gone')).toBe('gone')
    // Within one process the connection outlives its server; the test ends it from this side.
    asked.catch(() => undefined)
    expect(isGone).toBe(false)
  })

  it.each([
    ['', ''],
    ['\n', 'expected one JSON object'],
    ['{"verb":"destroy"}\n', 'unknown verb'],
    [`${'x'.repeat(20_000)}\n`, 'too long'],
  ])('survives %j', async (text, part) => {
    await serve(() => 'fine')
    expect(await send(text)).toContain(part)
    expect(await askControl(path, { verb: 'status' })).toBe('fine')
  })

  it('refuses a path that the kernel would cut', () => {
    expect(() => controlPath(`/run/${'x'.repeat(100)}`, 'mptun0')).toThrow(/shorter --run-dir/)
  })
})

describe('a request', () => {
  it.each([
    ['{"verb":"status"}', { verb: 'status' }],
    ['{"verb":"set","words":["mode","broadcast"]}', { verb: 'set', words: ['mode', 'broadcast'] }],
    ['{"verb":"status","words":[]}', 'unknown key "words"'],
    ['{"verb":"status","extra":1}', 'unknown key "extra"'],
    ['{"verb":"set"}', '"words" is not a list of at most 16 texts'],
    ['{"verb":"set","words":[1]}', '"words" is not a list of at most 16 texts'],
    ['[]', 'expected one JSON object in one line'],
    ['null', 'expected one JSON object in one line'],
    ['{"verb":["status"]}', 'unknown verb, expected status, set, refresh, reload or down'],
  ])('%s is %j', (line, result) => {
    expect(parseRequest(line)).toEqual(result)
  })
})
