import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { CROSSING, type EngineEvent } from '../../src/boundary.js'
import { contractDigest } from '../../src/digest.js'
import { aeads, closeDescriptor, Engine, loadAddon, openTun, openUdp } from '../../src/engine.js'
import { MptunError } from '../../src/errors.js'
import { AEAD } from '../../src/wire.js'

const ADDON = fileURLToPath(new URL('../../build/mptun.node', import.meta.url))
const addon = loadAddon()

const LOOPBACK = { family: 4, address: '127.0.0.1', port: 0, device: null } as const

const LOOPBACK_REQUEST = { family: 4, address: '127.0.0.1' } as const

/** A UDP socket stands in for the TUN: it never has a packet, and needs no privilege. */
const quietTun = () => ({ fd: openUdp(LOOPBACK_REQUEST).fd, name: 'quiet' })

const engines: Engine[] = []
afterEach(() => {
  for (const engine of engines.splice(0)) engine.close()
})

/** An engine and a promise of the next events, fed by the bell. */
function openEngine() {
  const bells: (() => void)[] = []
  let rung = 0
  const engine = new Engine({
    tun: quietTun(),
    seed: 1,
    onBell: () => {
      rung++
      for (const wake of bells.splice(0)) wake()
    },
  })
  engines.push(engine)
  const until = async (wanted: EngineEvent['kind']): Promise<EngineEvent[]> => {
    const events: EngineEvent[] = []
    for (;;) {
      const bell = new Promise<void>((resolve) => bells.push(resolve))
      events.push(...engine.readEvents())
      if (events.some(({ kind }) => kind === wanted)) return events
      await bell
    }
  }
  return { engine, until, rung: () => rung }
}

const errorOf = (call: () => unknown): MptunError => {
  try {
    call()
  } catch (error) {
    return error as MptunError
  }
  throw new Error('nothing was thrown')
}

describe('the addon', () => {
  it('was built from the contract of these sources', () => {
    expect(addon.digest()).toBe(contractDigest())
  })

  it('says where it should be and how to make it when it is missing', () => {
    const error = errorOf(() => loadAddon('/nowhere/mptun.node'))
    expect(error).toBeInstanceOf(MptunError)
    expect(error.code).toBe('MPTUN_E_SYSTEM_ADDON')
    expect(error.message).toContain('/nowhere/mptun.node')
    expect(error.message).toContain('npm run build')
  })

  it('says why a file does not load', () => {
    const error = errorOf(() => loadAddon(fileURLToPath(import.meta.url)))
    expect(error.code).toBe('MPTUN_E_SYSTEM_ADDON')
  })

  it('offers at least the AEAD that every peer has', () => {
    const { available, preferred, providers, why } = aeads()
    expect(available & AEAD['chacha20-poly1305'].value).not.toBe(0)
    expect(preferred & ~available).toBe(0)
    for (const { value } of Object.values(AEAD)) {
      expect(providers[value]).toMatch(/^(OpenSSL|libipsec-mb) \d/)
    }
    expect(why).toBe('')
  })
})

describe('arguments', () => {
  const faults: [string, () => unknown, RegExp][] = [
    ['no options', () => addon.udpOpen(undefined as never), /must be an object/],
    ['family 5', () => addon.udpOpen({ ...LOOPBACK, family: 5 }), /family must be 4 or 6/],
    ['a port too high', () => addon.udpOpen({ ...LOOPBACK, port: 65536 }), /port .* 0\.\.65535/],
    ['half a port', () => addon.udpOpen({ ...LOOPBACK, port: 1.5 }), /port must be an integer/],
    [
      'no number',
      () => addon.udpOpen({ ...LOOPBACK, port: Number.NaN }),
      /port must be an integer/,
    ],
    [
      'an address of the other family',
      () => addon.udpOpen({ ...LOOPBACK, address: '::1' }),
      /address must be IPv4, got ::1/,
    ],
    [
      'a device name too long',
      () => addon.udpOpen({ ...LOOPBACK, device: 'a'.repeat(16) }),
      /device must be shorter than 16/,
    ],
    ['a zero in a name', () => addon.tunOpen('a\0b', 1), /must not contain a zero/],
    ['a number for a name', () => addon.tunOpen(7 as never, 1), /name must be a string/],
    ['standard output', () => addon.fdClose(1), /fd must be an integer in 3\.\./],
    [
      'no bell',
      () => addon.open({ tunFd: 3, offload: 1 }, undefined as never),
      /onBell must be a function/,
    ],
    [
      'a negative descriptor',
      () => addon.open({ tunFd: -1, offload: 1 }, () => {}),
      /tunFd must be an integer in 3/,
    ],
    ['a handle of nobody', () => addon.close({}), /handle must be one that open\(\) returned/],
    ['no handle', () => addon.command(null as never, new Uint8Array(8)), /handle must be one/],
    ['too many arguments', () => (addon.fdClose as (...all: number[]) => void)(3, 4), /at most 1/],
  ]
  it.each(faults)('refuses %s', (_name, call, message) => {
    const error = errorOf(call)
    expect(error.code).toBe('MPTUN_E_BUG')
    expect(error.message).toMatch(message)
  })

  it('refuses records and rooms of the wrong size', () => {
    const handle = addon.open({ tunFd: quietTun().fd, offload: 1 }, () => {})
    const tooLong = new Uint8Array(CROSSING.commandSlotBytes.value + 1)
    const tooShort = new Uint8Array(CROSSING.eventSlotBytes.value - 1)
    expect(errorOf(() => addon.command(handle, tooLong)).code).toBe('MPTUN_E_BUG')
    expect(errorOf(() => addon.command(handle, new Uint8Array(1))).code).toBe('MPTUN_E_BUG')
    expect(errorOf(() => addon.command(handle, new Uint16Array(8) as never)).code).toBe(
      'MPTUN_E_BUG',
    )
    expect(errorOf(() => addon.readEvents(handle, tooShort)).code).toBe('MPTUN_E_BUG')
    addon.close(handle)
  })
})

describe('refusals of the system', () => {
  it('names errno, call and remedy', () => {
    const first = openUdp(LOOPBACK_REQUEST)
    const error = errorOf(() => openUdp({ family: 4, address: '127.0.0.1', port: first.port }))
    closeDescriptor(first.fd)
    expect(error.code).toBe('MPTUN_E_SYSTEM_UDP')
    expect(error.family).toBe('system')
    expect(error.errno).toBe('EADDRINUSE')
    expect(error.syscall).toBe('bind')
    expect(error.message).toContain('(EADDRINUSE); another process has this port')
  })

  it('tells of a device that is not there', () => {
    const error = errorOf(() => openUdp({ family: 4, device: 'mptunnone0' }))
    expect(error.errno).toBe('ENODEV')
    expect(error.syscall).toBe('setsockopt(SO_BINDTODEVICE)')
  })

  it('tells of a TUN name that is too long', () => {
    const error = errorOf(() => openTun('a-name-much-too-long'))
    expect(error.code).toBe('MPTUN_E_BUG_TUN')
  })

  it('leaves the descriptor to the caller when an engine does not start', () => {
    const file = readdirSync('/proc/self/fd').length
    // epoll refuses regular files, and descriptor 999 is not open at all.
    const error = errorOf(() => new Engine({ tun: { fd: 999, name: 'none' }, onBell: () => {} }))
    expect(error.code).toBe('MPTUN_E_SYSTEM_ENGINE')
    expect(error.errno).toBe('EBADF')
    expect(readdirSync('/proc/self/fd').length).toBe(file)
  })
})

describe('a running engine', () => {
  it('answers a question with its token', async () => {
    const { engine, until } = openEngine()
    engine.command({ kind: 'statsRequest', fields: { token: 77 } })
    const events = await until('statsEnd')
    expect(events.at(-1)).toEqual({ kind: 'statsEnd', next: 0, token: 77 })
  })

  it('rings once for all events of one go', async () => {
    const { engine, until, rung } = openEngine()
    const before = rung()
    for (let token = 1; token <= 50; token++) {
      engine.command({ kind: 'statsRequest', fields: { token } })
    }
    const events: EngineEvent[] = []
    while (!events.some((event) => event.kind === 'statsEnd' && event.token === 50)) {
      events.push(...(await until('statsEnd')))
    }
    const tokens = events.flatMap((event) => (event.kind === 'statsEnd' ? [event.token] : []))
    expect(tokens).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    expect(rung() - before).toBeLessThanOrEqual(50)
  })

  it('tells of a command that makes no sense', async () => {
    const { engine, until } = openEngine()
    engine.command({ kind: 'peerRemove', fields: { peer: 5 } })
    const failed = (await until('failed')).find(({ kind }) => kind === 'failed')
    expect(failed?.kind === 'failed' && new TextDecoder().decode(failed.syscall)).toMatch(
      /^command/,
    )
  })

  it('carries a handshake message from one engine to another', async () => {
    const a = openEngine()
    const b = openEngine()
    const [from, to] = [openUdp(LOOPBACK_REQUEST), openUdp(LOOPBACK_REQUEST)]
    a.engine.command({ kind: 'portOpen', fields: { port: 0, family: 4, fd: from.fd } })
    b.engine.command({ kind: 'portOpen', fields: { port: 3, family: 4, fd: to.fd } })
    // The length of an initiation; its content is TypeScript's business.
    const message = Uint8Array.from({ length: 171 }, (_, index) => (index === 0 ? 1 : index))
    const remote = Uint8Array.of(127, 0, 0, 1)
    a.engine.command({
      kind: 'datagramSend',
      fields: { port: 0, family: 4, remotePort: to.port, remote },
      payload: message,
    })
    const handshake = (await b.until('handshake')).find(({ kind }) => kind === 'handshake')
    if (handshake?.kind !== 'handshake') throw new Error('no handshake came')
    expect(handshake.bytes.subarray(0, handshake.length)).toEqual(message)
    expect(handshake.remotePort).toBe(from.port)
    expect(handshake.port).toBe(3)
    expect(handshake.remote.subarray(0, 4)).toEqual(remote)
    expect(handshake.local.subarray(0, 4)).toEqual(remote)
  })
})

describe('the end of an engine', () => {
  it('may come twice, and after it nothing works but says so', () => {
    const { engine } = openEngine()
    engine.close()
    engine.close()
    const code = 'MPTUN_E_CLOSED'
    expect(errorOf(() => engine.readEvents()).code).toBe(code)
    expect(errorOf(() => engine.command({ kind: 'statsRequest', fields: {} })).code).toBe(code)
  })

  it('gives back every descriptor and every thread', () => {
    const count = () => [readdirSync('/proc/self/fd').length, readdirSync('/proc/self/task').length]
    const once = () => {
      const engine = new Engine({ tun: quietTun(), onBell: () => {} })
      const { fd } = openUdp(LOOPBACK_REQUEST)
      engine.command({ kind: 'portOpen', fields: { port: 1, family: 4, fd } })
      engine.close()
    }
    once()
    const before = count()
    for (let i = 0; i < 100; i++) once()
    expect(count()).toEqual(before)
  })

  const run = promisify(execFile)
  /** Runs a program in which `open()` starts an engine that is told to work. */
  const program = (end: string) =>
    run(process.execPath, [
      '--expose-gc',
      '-e',
      `const addon = require(${JSON.stringify(ADDON)})
       const { Worker } = require('node:worker_threads')
       const open = () => {
         const { fd } = addon.udpOpen({ family: 4, address: '127.0.0.1', port: 0, device: null })
         const handle = addon.open({ tunFd: fd, offload: 1 }, () => addon.readEvents(handle, new Uint8Array(3840)))
         for (let i = 0; i < 100; i++) addon.command(handle, new Uint8Array([16, 0, 0, 0, i, 0, 0, 0]))
         return handle
       }
       ${end}`,
    ])

  const ends: [string, string, number][] = [
    ['process.exit()', 'open(); open(); setTimeout(() => process.exit(7), 20)', 7],
    ['process.exit() at once', 'open(); process.exit(7)', 7],
    ['an uncaught exception', 'open(); setTimeout(() => { throw new Error("planned") }, 20)', 1],
    ['close() and a loop that runs empty', 'addon.close(open())', 0],
    [
      'collection of a forgotten handle',
      'open(); setTimeout(() => { gc(); setTimeout(() => process.exit(0), 20) }, 20)',
      0,
    ],
    [
      'the end of a worker',
      `const worker = new Worker('const addon = require(${JSON.stringify(ADDON)}); const { fd } = addon.udpOpen({ family: 4, address: "127.0.0.1", port: 0, device: null }); addon.open({ tunFd: fd, offload: 1 }, () => {}); require("node:worker_threads").parentPort.postMessage(1); setInterval(() => {}, 1000)', { eval: true })
       worker.on('message', () => worker.terminate())`,
      0,
    ],
  ]
  it.each(ends)('survives %s', async (_name, end, expected) => {
    const code = await program(end).then(
      () => 0,
      (error: { code: number | null; signal: string | null }) => error.signal ?? error.code,
    )
    expect(code).toBe(expected)
  })
})
