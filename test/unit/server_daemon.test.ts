import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { TunnelConfig } from '../../src/config/tunnel.js'
import { askControl } from '../../src/control.js'
import { claimState } from '../../src/daemon/claim.js'
import { Daemon } from '../../src/daemon/daemon.js'
import { type MptunError, systemError } from '../../src/errors.js'
import { Store } from '../../src/store.js'
import { listed } from './daemon_fixture.js'
import {
  configOf,
  dirs,
  eventually,
  forgetLines,
  lines,
  machine,
  set,
  socket,
  start,
  status,
} from './running_daemon_fixture.js'

/** What a daemon that cannot start ends with. */
function refused(config: TunnelConfig, on = machine): Promise<unknown> {
  const daemon = new Daemon({ machine: on, config, readConfig: async () => config, version: '' })
  return daemon.run().catch((error: unknown) => error)
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
    forgetLines()
    await start(await configOf('server', { offload: false }))
    expect(machine.engines.map(({ tun }) => tun.offload)).toEqual([true, false])
  })

  it('hands the sockets at which it listens to the engine', async () => {
    await start(await configOf('server', { listen: ['192.0.2.1:7', '[2001:db8::1]:7'] }))
    expect(machine.sockets).toEqual(['4 192.0.2.1:7', '6 2001:db8::1:7'])
    const opened = machine.engines[0]?.commands.filter(({ kind }) => kind === 'portOpen')
    expect(opened).toMatchObject([
      { fields: { family: 4, fd: 100 } },
      { fields: { family: 6, fd: 101 } },
    ])
  })

  it('keeps its key and its IPv6 network', async () => {
    const { daemon, ended } = await start(await configOf('server'))
    const { addresses } = await status()
    const store = new Store(dirs.stateDir)
    const key = store.readKey()
    daemon.end()
    await ended
    forgetLines()
    await start(await configOf('server'))
    expect((await status()).addresses).toEqual(addresses)
    expect(store.readKey()).toEqual(key)
  })

  it('has its state directory for itself, also after one that was killed', async () => {
    const claim = join(dirs.stateDir, 'server.lock')
    const { daemon, ended } = await start(await configOf('server'))
    expect(statSync(claim).mode & 0o777).toBe(0o600)
    const config = await configOf('server', { tun: 'mptun1', pool: '10.9.0.0/24' })
    expect(await refused(config)).toMatchObject({
      code: 'MPTUN_E_CONFIG_STATE_DIR',
      message: expect.stringMatching(/another server runs with .*--state-dir of its own/),
    })
    expect(machine.engines).toHaveLength(1)
    const release = claimState(dirs.stateDir, 'client')
    release()
    daemon.end()
    await ended
    expect(existsSync(claim)).toBe(false)
    writeFileSync(claim, '')
    forgetLines()
    await start(config)
  })

  it('has its name for itself, whatever another one of that name wants', async () => {
    const { daemon, ended } = await start(await configOf('server', { nat: true }))
    const calls = [...machine.calls]
    const twin = await configOf('server', { nat: true, 'state-dir': join(dirs.stateDir, 'twin') })
    expect(await refused(twin)).toMatchObject({
      code: 'MPTUN_E_SYSTEM_CONTROL',
      message: expect.stringMatching(/another daemon has .*mptun0\.sock; .*--tun/),
    })
    expect(machine.calls).toEqual(calls)
    expect(await status()).toMatchObject({ role: 'server' })
    daemon.end()
    await ended
    expect(readdirSync(dirs.runDir)).toEqual([])
  })

  it('is one of several that start at once, and the only one', async () => {
    const several = [1, 2, 3, 4].map(async (i) => {
      const config = await configOf('server', { 'state-dir': join(dirs.stateDir, String(i)) })
      return new Daemon({ machine, config, readConfig: async () => config, version: '' })
    })
    const daemons = await Promise.all(several)
    const ends = daemons.map((daemon) => daemon.run().catch(({ code }: MptunError) => code))
    await eventually(async () => expect(await status()).toMatchObject({ role: 'server' }))
    expect(machine.engines).toHaveLength(1)
    await askControl(socket(), { verb: 'down' })
    expect((await Promise.all(ends)).sort()).toEqual([
      ...Array(3).fill('MPTUN_E_SYSTEM_CONTROL'),
      undefined,
    ])
  })

  it('leaves the masquerading of another daemon alone when it cannot have the device', async () => {
    const openTun = () => {
      throw systemError('TUN', 'another process has it')
    }
    const config = await configOf('server', { nat: true })
    expect(await refused(config, { ...machine, openTun })).toMatchObject({
      code: 'MPTUN_E_SYSTEM_TUN',
    })
    expect(machine.calls).toEqual([])
  })

  it('starts with a state directory that cannot be written', async () => {
    const path = join(dirs.stateDir, 'server.lock')
    mkdirSync(path, { recursive: true, mode: 0o700 })
    await start(await configOf('server'))
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

  it('says at each reload what differs from how it was started', async () => {
    const config = await configOf('server')
    let listen = ['0.0.0.0:7']
    await start(config, () => configOf('server', listen.length > 0 ? { listen } : {}))
    const reload = () => askControl(socket(), { verb: 'reload' })
    expect(await reload()).toEqual({ restart: ['listen'] })
    expect(await reload()).toEqual({ restart: ['listen'] })
    listen = []
    expect(await reload()).toEqual({ restart: [] })
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
