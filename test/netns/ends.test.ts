/**
 * Daemons that are ended while they start: whatever they had made by then is taken away again. And several of one name
 * that start at once: one runs, and the others touch nothing of it.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Daemon } from '../../bench/lab/daemon.js'
import { footprint } from '../../bench/lab/footprint.js'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { expectSame, openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'

const LINKS = [{ name: 'dsl', description: 'rate=20,delay=10' }]
/** From before the process listens to signals until after it is ready. */
const MOMENTS = 12
const SPAN = 1.25
const RIVALS = 3
/** Whatever else the machine does. */
const START_MS = 20_000
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'] as const

let lab: Lab | undefined
let tunnel: Tunnel | undefined
/** Of a test that opens no tunnel. */
const rivals: Daemon[] = []

afterEach(async () => {
  for (const daemon of [tunnel?.client, tunnel?.server, ...rivals.splice(0)])
    if (daemon?.pid !== undefined) await daemon.end()
  tunnel = undefined
  await lab?.close()
  lab = undefined
})

/** Starts it, and resolves to how long it took until it answered. */
async function startMs(daemon: Daemon): Promise<number> {
  const sinceMs = performance.now()
  daemon.start()
  await daemon.until('it to run', () => true)
  return performance.now() - sinceMs
}

/** SIGHUP asks for another configuration only: before that can be, it ends the process as it does any other. */
async function signalAt(daemon: Daemon, atMs: number, signal: NodeJS.Signals): Promise<void> {
  daemon.start()
  await pause(atMs)
  if (signal === 'SIGHUP') {
    process.kill(daemon.pid!, signal)
    await pause(20)
    if (daemon.pid === undefined) return
  }
  const asked = signal === 'SIGHUP' ? 'SIGTERM' : signal
  const { code, signal: by } = await daemon.end(asked)
  if (by === null) expect(code, daemon.logs()).toBe(0)
  else expect([asked, signal]).toContain(by)
}

describe.each(['server', 'client'] as const)('a %s that is ended while it starts', (role) => {
  it('leaves nothing, or when it was killed, nothing after the next one', async () => {
    lab = await createLab({ name: `ends-${role}`, links: LINKS, seed: 5 })
    const before = await footprint(lab, role)
    tunnel = await openTunnel(lab, { serverWords: ['--nat'], clientWords: ['--nat'] })
    const daemon = tunnel[role]
    await daemon.end()
    const wholeMs = await startMs(daemon)
    await daemon.end()
    for (let i = 0; i < MOMENTS; i++) {
      const signal = SIGNALS[i % SIGNALS.length]!
      await signalAt(daemon, (i / MOMENTS) * SPAN * wholeMs, signal)
      if (signal === 'SIGKILL') {
        await startMs(daemon)
        await daemon.end()
      }
      expectSame(role, before, await footprint(lab, role))
    }
  })
})

describe('servers of one name that start at once', () => {
  it('are one in the end, and the others say so', async () => {
    lab = await createLab({ name: 'ends-rivals', links: LINKS, seed: 5 })
    const before = await footprint(lab, 'server')
    for (let i = 0; i < RIVALS; i++) {
      rivals.push(new Daemon(lab, { role: 'server', tun: 'mps0', words: ['--nat'] }))
    }
    for (const daemon of rivals) daemon.start()
    const run = rivals.map((daemon) => daemon.until('its end', () => false).catch(String))
    for (const told of await firstOf(run, RIVALS - 1)) expect(told).toContain('another daemon has')
    const [only] = rivals.filter(({ pid }) => pid !== undefined)
    await vi.waitFor(() => expect(only!.logs()).toContain('daemon.started'), START_MS)
    const { stdout } = await lab.exec('server', ['nft', 'list', 'tables'])
    expect(stdout).toContain('mptun_mps0')
    await only!.end()
    expectSame('server', before, await footprint(lab, 'server'))
  })
})

/** As many as are asked for, in the order in which they come. */
function firstOf<T>(promises: readonly Promise<T>[], count: number): Promise<T[]> {
  return new Promise((resolve) => {
    const found: T[] = []
    for (const promise of promises) {
      void promise.then((value) => {
        found.push(value)
        if (found.length === count) resolve(found)
      })
    }
  })
}
