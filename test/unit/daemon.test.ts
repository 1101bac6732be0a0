import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import sodium from 'libsodium-wrappers'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromCommandLine } from '../../src/config/file.js'
import { resolveConfig, type TunnelConfig } from '../../src/config/tunnel.js'
import { askControl, controlPath } from '../../src/control.js'
import { inviteId } from '../../src/core/invite.js'
import { keyPairOf } from '../../src/core/keys.js'
import { Daemon } from '../../src/daemon/daemon.js'
import type { StatusReport } from '../../src/status.js'
import { Store } from '../../src/store.js'
import { pathSample } from './core_fixture.js'
import { listed, type TestMachine, testDirs, testMachine } from './daemon_fixture.js'

beforeAll(() => sodium.ready)

const MOST_TRIES = 2000

/** However busy the machine is, and for however long it stands still: tries are counted, not time. */
async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await check()
    } catch (error) {
      if (tries === MOST_TRIES) throw error
    }
    await pause(5)
  }
}

let dirs: ReturnType<typeof testDirs>
let machine: TestMachine
let lines: string[]
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

const socket = () => controlPath(dirs.runDir, 'mptun0')
const status = async () => (await askControl(socket(), { verb: 'status' })) as StatusReport
const set = (text: string) => askControl(socket(), { verb: 'set', words: text.split(' ') })

async function configOf(role: 'server' | 'client', words: Record<string, unknown> = {}) {
  const given = fromCommandLine({ 'state-dir': dirs.stateDir, 'run-dir': dirs.runDir, ...words })
  return role === 'server' ? resolveConfig(role, given) : resolveConfig(role, given)
}

/** Starts a daemon and waits until it says so, or until it has ended. */
async function start(config: TunnelConfig, next: () => Promise<TunnelConfig> = async () => config) {
  const daemon = new Daemon({ machine, config, readConfig: next, version: '0.0.0' })
  const ended = daemon.run().then(
    () => undefined,
    (error: unknown) => error,
  )
  running.push({ daemon, ended })
  await eventually(() => expect(lines.join('')).toContain('daemon.started'))
  return { daemon, ended }
}

function joined(): Store {
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

describe('a server', () => {
  it('works without any configuration', async () => {
    await start(await configOf('server'))
    expect(machine.sockets).toEqual(['4 0.0.0.0:5000', '6 :::5000'])
    expect(machine.calls).toContain('ip link set dev mptun0 mtu 1440 up')
    expect(machine.calls).toContain('ip address replace 10.77.0.1/24 dev mptun0')
    const report = await status()
    expect(report).toMatchObject({ role: 'server', tun: 'mptun0', peers: [], mtuBytes: 1440 })
    expect(report.addresses[0]).toBe('10.77.0.1/24')
    expect(report.addresses[1]).toMatch(/^fd.*::1\/64$/)
  })

  it('does not start with a pool that another device has, whatever its own device has from before', async () => {
    const config = await configOf('server', { pool: '10.9.0.0/24' })
    machine.devices = [listed('mptun0', 1, '10.9.0.1'), listed('eth0', 2, '10.9.0.7')]
    const daemon = new Daemon({ machine, config, readConfig: async () => config, version: '' })
    await expect(daemon.run()).rejects.toMatchObject({
      code: 'MPTUN_E_CONFIG_POOL',
      message: expect.stringMatching(/10\.9\.0\.0\/24 overlaps 10\.9\.0\.7\/32 of eth0; .*--pool/),
    })
    expect(machine.calls.join()).not.toContain('address replace')
    machine.devices = machine.devices.slice(0, 1)
    await start(config)
    expect(machine.calls).toContain('ip address replace 10.9.0.1/24 dev mptun0')
  })

  it('leaves the offloads alone only when told so', async () => {
    const { daemon, ended } = await start(await configOf('server'))
    daemon.end()
    await ended
    lines = []
    await start(await configOf('server', { offload: false }))
    expect(machine.engines.map(({ tun }) => tun.offload)).toEqual([true, false])
  })

  it('keeps its key and its IPv6 network', async () => {
    const { daemon, ended } = await start(await configOf('server'))
    const { addresses } = await status()
    const store = new Store(dirs.stateDir)
    const key = store.readKey()
    daemon.end()
    await ended
    lines = []
    await start(await configOf('server'))
    expect((await status()).addresses).toEqual(addresses)
    expect(store.readKey()).toEqual(key)
  })

  it('leaves nothing behind', async () => {
    const { daemon, ended } = await start(await configOf('server', { nat: true }))
    daemon.end()
    expect(await ended).toBeUndefined()
    expect(machine.engines[0]?.isClosed).toBe(true)
    expect(existsSync(socket())).toBe(false)
    expect(machine.calls).toContain('nft delete table inet mptun_mptun0')
    expect(lines.at(-1)).toContain('daemon.stopped')
  })

  it('takes away what one that masqueraded left when it was killed, though it does not itself', async () => {
    const { daemon, ended } = await start(await configOf('server'))
    expect(machine.calls).toContain('nft delete table inet mptun_mptun0')
    machine.calls.splice(0)
    daemon.end()
    await ended
    expect(machine.calls.filter((call) => call.startsWith('nft'))).toEqual([])
  })

  it('ends when it is asked over its socket', async () => {
    const { ended } = await start(await configOf('server'))
    await askControl(socket(), { verb: 'down' })
    expect(await ended).toBeUndefined()
  })

  it('shows peers that are not there', async () => {
    const store = new Store(dirs.stateDir)
    await start(await configOf('server'))
    store.writePeer('barge', {
      publicKey: new Uint8Array(32).fill(5),
      ipv4: Uint8Array.of(10, 77, 0, 2),
      ipv6: new Uint8Array(16).fill(0xfd),
      created: 0,
    })
    expect((await status()).peers).toMatchObject([
      { name: 'barge', addresses: ['10.77.0.2', expect.stringMatching(/^fd/)], paths: [] },
    ])
  })

  it('takes a mode and refuses uplinks', async () => {
    await start(await configOf('server'))
    await set('mode broadcast')
    await expect(set('weight eth0 3')).rejects.toMatchObject({
      code: 'MPTUN_E_CONFIG_SETTING',
      message: expect.stringContaining('uplinks belong to clients'),
    })
    await expect(set('primary eth0')).rejects.toThrow(/run this on the client/)
    await expect(set('mdoe broadcast')).rejects.toThrow(/did you mean "mode"/)
  })

  it('keeps the old configuration when the new one is wrong', async () => {
    const config = await configOf('server')
    let next = () => configOf('server', { mtu: '9000' })
    await start(config, () => next())
    await expect(askControl(socket(), { verb: 'reload' })).rejects.toThrow(/--mtu: found "9000"/)
    next = () => configOf('server', { mtu: '1400', 'probe-interval': '50', listen: ['0.0.0.0:7'] })
    expect(await askControl(socket(), { verb: 'reload' })).toEqual({
      restart: ['probe-interval', 'listen'],
    })
    expect(machine.calls).toContain('ip link set dev mptun0 mtu 1400 up')
  })

  it('ends with the error of an engine that fails', async () => {
    const { ended } = await start(await configOf('server'))
    const name = new Uint8Array(16)
    name.set(Buffer.from('read'))
    machine.engines[0]?.tell({ kind: 'failed', errorNumber: 5, syscall: name })
    expect(await ended).toMatchObject({
      code: 'MPTUN_E_SYSTEM_ENGINE',
      message: expect.stringContaining('read failed with errno 5'),
    })
    expect(machine.engines[0]?.isClosed).toBe(true)
  })

  it('does not start when a cipher is missing, and says so before it makes a device', async () => {
    const broken = {
      ...machine,
      aeads: () => ({ available: 0, preferred: 0, providers: {}, why: 'no EVP' }),
    }
    const config = await configOf('server')
    const daemon = new Daemon({
      machine: broken,
      config,
      readConfig: async () => config,
      version: '',
    })
    await expect(daemon.run()).rejects.toThrow(/no cipher works in this Node: no EVP/)
    expect(machine.engines).toEqual([])
    expect(existsSync(socket())).toBe(false)
  })

  it('does not start with only a cipher that is missing', async () => {
    const config = await configOf('server', { aead: 'aes-256-gcm' })
    const lacking = { available: 1, preferred: 0, providers: {}, why: 'no AES' }
    const daemon = new Daemon({
      machine: { ...machine, aeads: () => lacking },
      config,
      readConfig: async () => config,
      version: '',
    })
    await expect(daemon.run()).rejects.toThrow(/aes-256-gcm does not work in this Node: no AES/)
  })
})

describe('a client', () => {
  const client = (...uplinks: string[]) => configOf('client', { uplink: uplinks })
  const why = async (label: string) =>
    (await status()).peers[0]?.paths.find((path) => path.label === label)?.why
  /** Lets a change of the kernel's be seen. */
  const change = async (...devices: object[]) => {
    machine.devices = devices
    machine.engines[0]?.tell({ kind: 'linksChanged' })
    machine.clock.advance(50_000)
    await eventually(async () => status())
  }

  it('that has joined no server says how to', async () => {
    const config = await client('eth0')
    const daemon = new Daemon({ machine, config, readConfig: async () => config, version: '' })
    await expect(daemon.run()).rejects.toMatchObject({
      code: 'MPTUN_E_CONFIG_NOT_JOINED',
      message: expect.stringContaining('mptun join'),
    })
    expect(machine.engines).toEqual([])
  })

  it('keeps what metered uplinks have used, and knows it at the next start', async () => {
    const store = joined()
    machine.devices = [listed('wwan0', 3, '192.0.2.6')]
    const first = await start(await client('wwan0,budget-day=100MB'))
    machine.engines[0]?.tell(pathSample({ txBytes: 40e6 }))
    first.daemon.end()
    await first.ended
    expect(store.readUsage()).toHaveProperty('wwan0.dayBytes', 40e6)
    lines = []
    await start(await client('wwan0,budget-day=100MB'))
    machine.engines.at(-1)?.tell(pathSample({ txBytes: 50e6 }))
    expect((await status()).peers[0]?.paths[0]).toMatchObject({
      metered: true,
      notes: ['has used 90 MB of 100 MB today'],
    })
    // The budget ends in the middle of a minute, and that is not forgotten by a crash.
    machine.engines.at(-1)?.tell(pathSample({ txBytes: 70e6 }))
    await eventually(() => expect(store.readUsage()).toHaveProperty('wwan0.dayBytes', 110e6))
    expect(lines.join('')).toContain('uplink.spent uplink=wwan0')
  })

  /** Starts a client that calls its server, and gives what is kept of its timestamps then. */
  async function called(): Promise<number | undefined> {
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    lines = []
    const { daemon, ended } = await start(await client('eth0'))
    await eventually(() => {
      machine.clock.advance(1)
      expect(machine.engines.at(-1)?.kinds()).toContain('datagramSend')
    })
    daemon.end()
    await ended
    running.splice(0)
    return new Store(dirs.stateDir).readTimestamp()
  }

  it('keeps how far its handshakes have come before it sends one, and warns of a clock that is behind', async () => {
    joined()
    const first = await called()
    expect(first).toBeGreaterThan(machine.clock.wallUs())
    expect(lines.join('')).not.toContain('warning clock')
    machine.clock.wallAtZeroUs = 0
    const second = await called()
    expect(second).toBeGreaterThan(first!)
    expect(lines.join('')).toMatch(
      /warning clock\.behind why="the clock says 1970-01-01T.*2023-11-14T/,
    )
  })

  it('warns of a clock that is behind where nothing is kept', async () => {
    joined()
    machine.clock.wallAtZeroUs = 0
    await called()
    expect(lines.join('')).toMatch(/warning clock\.behind why="the clock says 1970-01-01T.*refuses/)
  })

  it('goes on without what is kept of its handshakes, and says so', async () => {
    joined()
    const path = join(dirs.stateDir, 'timestamp')
    writeFileSync(path, 'rubbish')
    expect(await called()).toBeGreaterThan(machine.clock.wallUs())
    expect(lines.join('')).toContain('warning timestamp.unreadable')
    rmSync(path)
    // Whatever cannot be replaced, also by root.
    mkdirSync(join(path, 'occupied'), { recursive: true })
    await expect(called()).rejects.toThrow('timestamp')
    expect(lines.join('')).toContain('warning timestamp.unreadable')
    expect(lines.filter((line) => line.includes('warning timestamp.unwritten'))).toHaveLength(1)
  })

  it('opens a socket on each uplink and calls the server on all of them', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5'), listed('wwan0', 3, '192.0.2.6')]
    await start(await client('eth0', 'wwan0'))
    expect(machine.sockets).toEqual(['4 eth0', '4 wwan0'])
    await eventually(() => {
      machine.clock.advance(1)
      expect(machine.engines[0]?.kinds().filter((kind) => kind === 'datagramSend')).toHaveLength(2)
    })
    expect((await status()).endpoints).toEqual(['vps.example.org:5000', '198.51.100.1:5000'])
  })

  it('waits for an uplink, says so, and takes it when it comes', async () => {
    joined()
    await start(await client('wwan0'))
    expect(lines.join('')).toContain('uplink.waiting uplink=wwan0')
    expect(await why('wwan0')).toContain('does not exist yet: waiting for it')
    await change(listed('wwan0', 7, '192.0.2.6'))
    await eventually(() => expect(machine.sockets).toEqual(['4 wwan0']))
    expect(await why('wwan0')).not.toContain('does not exist')
  })

  it('gives up an uplink that goes, and takes another socket when it is back', async () => {
    joined()
    machine.devices = [listed('wwan0', 7, '192.0.2.6')]
    await start(await client('wwan0'))
    await change()
    await eventually(async () => expect(await why('wwan0')).toContain('does not exist yet'))
    await change(listed('wwan0', 8, '192.0.2.6'))
    await eventually(() => expect(machine.sockets).toEqual(['4 wwan0', '4 wwan0']))
  })

  it('tries a socket again that was refused', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    machine.refusing.add('eth0')
    await start(await client('eth0'))
    expect(await why('eth0')).toBe('no socket on eth0')
    machine.refusing.clear()
    machine.clock.advance(5_000_001)
    await eventually(() => expect(machine.sockets).toEqual(['4 eth0']))
  })

  it('asks again for a name that has no address', async () => {
    joined()
    let answers: string[] = []
    const lookup = async () => {
      if (answers.length === 0) throw Object.assign(new Error(), { code: 'EAI_AGAIN' })
      return answers
    }
    machine = { ...machine, lookup }
    await start(await client('eth0'))
    await eventually(() => expect(lines.join('')).toContain('server.unresolved'))
    answers = ['198.51.100.9']
    await eventually(async () => {
      machine.clock.advance(1_000_000)
      expect((await status()).endpoints).toContain('198.51.100.9:5000')
    })
  })

  it('adds, changes and removes uplinks while it runs', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5'), listed('wwan0', 3, '192.0.2.6')]
    await start(await client('eth0'))
    await expect(set('add-uplink mptun0')).rejects.toThrow("mptun0 is the tunnel's own device")
    await set('add-uplink wwan0,weight=2')
    machine.clock.advance(1)
    await eventually(() => expect(machine.sockets).toEqual(['4 eth0', '4 wwan0']))
    await set('uplink wwan0 standby')
    const path = (await status()).peers[0]?.paths.find(({ label }) => label === 'wwan0')
    expect(path).toMatchObject({ weight: 2, intent: 'standby' })
    await set('remove-uplink wwan0')
    expect((await status()).peers[0]?.paths.map(({ label }) => label)).toEqual(['eth0'])
    await expect(set('remove-uplink eth0')).rejects.toThrow(/is the last uplink/)
    await expect(set('primary wwan0')).rejects.toThrow(/found uplink "wwan0", accepted is eth0/)
  })

  it('follows its configuration', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5'), listed('wwan0', 3, '192.0.2.6')]
    await start(await client('eth0'), () =>
      configOf('client', { uplink: ['wwan0'], mode: 'broadcast' }),
    )
    await askControl(socket(), { verb: 'reload' })
    const [peer] = (await status()).peers
    expect(peer?.mode).toBe('broadcast')
    expect(peer?.paths.map(({ label }) => label)).toEqual(['wwan0'])
    expect(machine.sockets).toEqual(['4 eth0', '4 wwan0'])
  })

  it('carries its invitation until the server knows it', async () => {
    const store = joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    await start(await client('eth0'))
    expect(store.readServer()?.secret).toEqual(new Uint8Array(32).fill(3))
    expect(inviteId(new Uint8Array(32).fill(3))).toHaveLength(16)
    expect(existsSync(join(dirs.stateDir, 'key'))).toBe(true)
    expect(lines.join('')).not.toMatch(/AwMDAw/)
  })
})
