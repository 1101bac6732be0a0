/**
 * The control socket of a daemon: RUN_DIR/TUN.sock, one JSON line asked, one JSON line answered.
 * Who may open the socket (its owner and root) may say everything.
 */

import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { makeDirectory } from './durable.js'
import { bugError, type ErrorCode, MptunError, systemError } from './errors.js'

export type ControlRequest =
  | {
      /** refresh: a command has changed the state directory. reload: that, and the configuration. */
      readonly verb: 'status' | 'refresh' | 'reload' | 'down'
    }
  /** As readSetting takes them. */
  | { readonly verb: 'set'; readonly words: readonly string[] }

type Response =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string }

/** sockaddr_un has room for 107 octets and a zero (unix(7)). */
const MOST_PATH_BYTES = 107
const MOST_REQUEST_BYTES = 16_384
/** A status of 1024 peers with 16 paths each. */
const MOST_RESPONSE_BYTES = 64 << 20
const MOST_WORDS = 16

export function controlPath(runDir: string, tun: string): string {
  const path = join(runDir, `${tun}.sock`)
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) {
    throw new MptunError(
      'MPTUN_E_CONFIG_RUN_DIR',
      `the control socket would be ${path}, which has more than the ${MOST_PATH_BYTES} octets that the kernel takes; choose a shorter --run-dir`,
      { key: 'run-dir' },
    )
  }
  return path
}

/** Reads one request; a sentence when it is none. */
export function parseRequest(line: string): ControlRequest | string {
  const request = parseJson(line)
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    return 'expected one JSON object in one line'
  }
  const { verb, words, ...rest } = request as Record<string, unknown>
  const [surplus] = [
    ...Object.keys(rest),
    ...(verb !== 'set' && words !== undefined ? ['words'] : []),
  ]
  if (surplus !== undefined) return `unknown key "${surplus}"`
  switch (verb) {
    case 'status':
    case 'refresh':
    case 'reload':
    case 'down':
      return { verb }
    case 'set':
      if (areWords(words)) return { verb, words }
      return `"words" is not a list of at most ${MOST_WORDS} texts`
    default:
      return 'unknown verb, expected status, set, refresh, reload or down'
  }
}

function areWords(words: unknown): words is string[] {
  return (
    Array.isArray(words) &&
    words.length <= MOST_WORDS &&
    words.every((word) => typeof word === 'string')
  )
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

export interface ControlServer {
  /** Takes the socket away. A connection that asked `down` stays until the process ends: its other side waits for that. */
  close(): void
}

/**
 * Listens. Whoever calls has the name for itself: a socket that is there is replaced.
 * MPTUN_E_SYSTEM_CONTROL when the directory cannot be used.
 * @param handle errors that it throws go to the asker.
 */
export async function serveControl(
  path: string,
  handle: (request: ControlRequest) => unknown,
): Promise<ControlServer> {
  attemptControl(`make ${dirname(path)}`, () => makeDirectory(dirname(path)))
  attemptControl(`remove ${path}`, () => rmSync(path, { force: true }))
  const connections = new Set<Socket>()
  // Half-open sockets let an asker close its side first.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
    socket.on('error', () => socket.destroy())
    serveConnection(socket, handle, () => connections.delete(socket))
  })
  await listen(server, path)
  attemptControl(`guard ${path}`, () => chmodSync(path, 0o600))
  return {
    close() {
      server.close()
      for (const socket of connections) socket.destroy()
      rmSync(path, { force: true })
    },
  }
}

/** MPTUN_E_SYSTEM_CONTROL with the remedy when it cannot be done. */
export function attemptControl<T>(what: string, deed: () => T): T {
  try {
    return deed()
  } catch (error) {
    throw error instanceof MptunError ? error : unusable(what, error)
  }
}

function unusable(what: string, error: unknown): MptunError {
  return systemError(
    'CONTROL',
    `cannot ${what}: ${codeOf(error)}; run as root, or choose another --run-dir`,
    error,
  )
}

/** At a socket for its owner and root alone. MPTUN_E_SYSTEM_CONTROL. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(unusable(`listen at ${path}`, error)))
    // bind(2) happens in this call, under a mask that lets nobody else connect before chmod.
    const mask = process.umask(0o177)
    server.listen(path, resolve)
    process.umask(mask)
  })
}

function serveConnection(
  socket: Socket,
  handle: (request: ControlRequest) => unknown,
  keep: () => void,
): void {
  let isAsked = false
  socket.on('end', () => {
    if (!isAsked) socket.destroy()
  })
  onLine(socket, MOST_REQUEST_BYTES, (line) => {
    if (isAsked) return
    isAsked = true
    const request = line === undefined ? 'the request is too long' : parseRequest(line)
    answer(request, handle)
      .then((response) => {
        const text = `${JSON.stringify(response)}\n`
        const stays = response.ok && typeof request === 'object' && request.verb === 'down'
        if (!stays) {
          socket.end(text)
          return
        }
        keep()
        socket.write(text)
        socket.unref()
      })
      .catch(() => socket.destroy())
  })
}

async function answer(
  request: ControlRequest | string,
  handle: (request: ControlRequest) => unknown,
): Promise<Response> {
  if (typeof request === 'string') {
    return { ok: false, code: 'MPTUN_E_CONFIG_CONTROL', message: request }
  }
  try {
    return { ok: true, result: (await handle(request)) ?? null }
  } catch (error) {
    const { code, message } =
      error instanceof MptunError ? error : bugError('CONTROL', String(error), error)
    return { ok: false, code, message }
  }
}

/** Calls back with each whole line, or once with undefined when there is none within `most` octets. */
function onLine(socket: Socket, most: number, take: (line: string | undefined) => void): void {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    text += chunk
    if (text.length > most) {
      text = ''
      take(undefined)
      return
    }
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      take(text.slice(0, end))
      text = text.slice(end + 1)
    }
  })
}

/**
 * Asks a daemon. `untilGone`: resolves when the daemon's process has ended.
 * MPTUN_E_SYSTEM_NO_DAEMON when none runs; errors of the daemon come back as they were thrown.
 */
export function askControl(
  path: string,
  request: ControlRequest,
  { untilGone = false } = {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let response: Response | undefined
    const socket = connect(path, () => socket.write(`${JSON.stringify(request)}\n`))
    const settle = () => {
      if (response === undefined) {
        reject(
          systemError('CONTROL', `the daemon at ${path} closed without an answer; see its log`),
        )
      } else if (response.ok) {
        resolve(response.result)
      } else {
        reject(new MptunError(response.code as ErrorCode, response.message))
      }
    }
    socket.once('error', (error) => reject(unreachable(path, error)))
    socket.once('close', settle)
    onLine(socket, MOST_RESPONSE_BYTES, (line) => {
      response = parseResponse(line)
      if (untilGone && response?.ok) return
      socket.destroy()
    })
  })
}

function parseResponse(line: string | undefined): Response | undefined {
  const response = parseJson(line ?? '') as Partial<Response & { ok: false }> | undefined
  if (response?.ok === undefined) return undefined
  if (response.ok) return response as Response
  return /^MPTUN_E_\w+$/.test(response.code ?? '') ? (response as Response) : undefined
}

function unreachable(path: string, error: Error): MptunError {
  const code = codeOf(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return systemError(
      'NO_DAEMON',
      `no daemon answers at ${path}; start one with mptun server or mptun client, or name another with --tun or --run-dir`,
    )
  }
  const remedy = code === 'EACCES' ? 'run as root or as the owner of the daemon' : 'see its log'
  return systemError('CONTROL', `cannot reach the daemon at ${path}: ${code}; ${remedy}`, error)
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? String(error)
}
