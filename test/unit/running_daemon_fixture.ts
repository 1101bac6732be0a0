/** Daemons that run in the test's own process, each test in directories and on a machine of its own. */

import { setTimeout as pause } from 'node:timers/promises'
import sodium from 'libsodium-wrappers'
import { afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import { fromCommandLine } from '../../src/config/file.js'
import { resolveConfig, type TunnelConfig } from '../../src/config/tunnel.js'
import { askControl, controlPath } from '../../src/control.js'
import { keyPairOf } from '../../src/core/keys.js'
import { Daemon } from '../../src/daemon/daemon.js'
import type { StatusReport } from '../../src/status.js'
import { Store } from '../../src/store.js'
import { type TestMachine, testDirs, testMachine } from './daemon_fixture.js'

beforeAll(() => sodium.ready)

const MOST_TRIES = 2000

/** However busy the machine is, and for however long it stands still: tries are counted, not time. */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await check()
    } catch (error) {
      if (tries === MOST_TRIES) throw error
    }
    await pause(5)
  }
}

export let dirs: ReturnType<typeof testDirs>
export let machine: TestMachine
/** Of the log. */
export let lines: string[]
const running: { daemon: Daemon; ended: Promise<unknown> }[] = []

beforeEach(() => {
  dirs = testDirs()
  machine = testMachine()
  lines = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
})

afterEach(async () => {
  for (const { daemon, ended } of running.splice(0)) {
    daemon.end()
    await ended
  }
  vi.restoreAllMocks()
  dirs.remove()
})

export function forgetLines(): void {
  lines = []
}

export function replaceMachine(other: TestMachine): void {
  machine = other
}

export const socket = () => controlPath(dirs.runDir, 'mptun0')
export const status = async () => (await askControl(socket(), { verb: 'status' })) as StatusReport
export const set = (text: string) => askControl(socket(), { verb: 'set', words: text.split(' ') })

export async function configOf(role: 'server' | 'client', words: Record<string, unknown> = {}) {
  const given = fromCommandLine({ 'state-dir': dirs.stateDir, 'run-dir': dirs.runDir, ...words })
  return role === 'server' ? resolveConfig(role, given) : resolveConfig(role, given)
}

/** A client's state that an invitation was taken into. */
export function joined(): Store {
  const store = new Store(dirs.stateDir)
  store.prepare()
  store.writeServer({
    publicKey: keyPairOf(new Uint8Array(32).fill(9)).publicKey,
    endpoints: [{ host: 'vps.example.org', port: 5000 }],
    name: 'barge',
    secret: new Uint8Array(32).fill(3),
  })
  return store
}

/** Starts a daemon and waits until it says so, or until it has ended. */
export async function start(
  config: TunnelConfig,
  next: () => Promise<TunnelConfig> = async () => config,
) {
  const daemon = new Daemon({ machine, config, readConfig: next, version: '0.0.0' })
  const ended = daemon.run().then(
    () => undefined,
    (error: unknown) => error,
  )
  running.push({ daemon, ended })
  await eventually(() => expect(lines.join('')).toContain('daemon.started'))
  return { daemon, ended }
}
