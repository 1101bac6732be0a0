import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ClientConfig } from '../../src/config/tunnel.js'
import { askControl } from '../../src/control.js'
import { inviteId } from '../../src/core/invite.js'
import { ClientRole } from '../../src/daemon/client.js'
import { Daemon } from '../../src/daemon/daemon.js'
import { systemError } from '../../src/errors.js'
import type { Log } from '../../src/log.js'
import { Store } from '../../src/store.js'
import { coreOptions, pathSample, SECOND } from './core_fixture.js'
import { listed } from './daemon_fixture.js'
import {
  configOf,
  dirs,
  eventually,
  forgetLines,
  joined,
  lines,
  machine,
  replaceMachine,
  set,
  socket,
  start,
  status,
} from './running_daemon_fixture.js'

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

  it('masquerades the machines behind it when it is told to, and takes that back', async () => {
    joined()
    const { daemon, ended } = await start(await configOf('client', { uplink: ['eth0'], nat: true }))
    const isTable = (call: string) => call.includes('oifname "mptun0" masquerade')
    expect(machine.calls.filter(isTable)).toHaveLength(1)
    expect(lines.join('')).toContain('nat.installed device=mptun0')
    machine.calls.splice(0)
    daemon.end()
    expect(await ended).toBeUndefined()
    expect(machine.calls).toContain('nft delete table inet mptun_mptun0')
  })

  it('puts its rules for masquerading back when others have flushed them', async () => {
    joined()
    machine.tables = 'table inet filter\ntable inet mptun_mptun0\n'
    await start(await configOf('client', { uplink: ['eth0'], nat: true }))
    const installed = () => machine.calls.filter((call) => call.includes('masquerade')).length
    const looked = () => machine.calls.filter((call) => call === 'nft list tables').length
    await eventually(() => {
      machine.clock.advance(SECOND)
      expect(looked()).toBeGreaterThan(1)
    })
    expect(installed()).toBe(1)
    machine.tables = 'table inet filter\ntable inet mptun_mptun01\n'
    await eventually(() => {
      machine.clock.advance(SECOND)
      expect(lines.join('')).toContain('nat.restored device=mptun0')
    })
    expect(installed()).toBeGreaterThan(1)
  })

  it('keeps what metered uplinks have used, and knows it at the next start', async () => {
    const store = joined()
    machine.devices = [listed('wwan0', 3, '192.0.2.6')]
    const first = await start(await client('wwan0,budget-day=100MB'))
    machine.engines[0]?.tell(pathSample({ txBytes: 40e6 }))
    first.daemon.end()
    await first.ended
    expect(store.readUsage()).toHaveProperty('wwan0.dayBytes', 40e6)
    forgetLines()
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

  it('says in its status that the server does not answer, and what to look at', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    await start(await client('eth0'))
    expect((await status()).peers[0]?.warning).toBe('')
    await eventually(() => {
      machine.clock.advance(SECOND)
      expect(lines.join('')).toContain('handshake.unanswered')
    })
    expect((await status()).peers[0]?.warning).toMatch(
      /^it does not answer; see that the server runs and its UDP port is open in every firewall;/,
    )
  })

  /** Starts a client that calls its server, and gives what is kept of its timestamps then. */
  async function called(): Promise<number | undefined> {
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    forgetLines()
    const { daemon, ended } = await start(await client('eth0'))
    await eventually(() => {
      machine.clock.advance(1)
      expect(machine.engines.at(-1)?.kinds()).toContain('datagramSend')
    })
    daemon.end()
    await ended
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

  it('writes that once for all handshakes of ten minutes', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    await start(await client('eth0'))
    const calls = (most: number) =>
      eventually(() => {
        machine.clock.advance(50_000)
        const kinds = machine.engines.at(-1)?.kinds() ?? []
        expect(kinds.filter((kind) => kind === 'datagramSend').length).toBeGreaterThanOrEqual(most)
      })
    await calls(1)
    const kept = new Store(dirs.stateDir).readTimestamp()
    await calls(3)
    expect(new Store(dirs.stateDir).readTimestamp()).toBe(kept)
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

  it('says what of this machine is in the way of an uplink that gets no answer', async () => {
    joined()
    const strict = new Set<string>()
    machine.devices = [listed('eth0', 2, '192.0.2.5'), listed('wwan0', 7, '192.0.2.6')]
    machine.routes = [{ dst: 'default', nexthops: [{ gateway: '192.0.2.1', dev: 'eth0' }] }]
    replaceMachine({ ...machine, isStrictlyFiltered: (name) => strict.has(name) })
    await start(await client('eth0', 'wwan0'))
    await eventually(async () =>
      expect(await why('wwan0')).toMatch(
        /^no answer .*; no route leads over wwan0 to 198\.51\.100\.1: .* dev wwan0 /,
      ),
    )
    expect(machine.calls).toContain('ip -json -4 route show table all match 198.51.100.1')
    expect(await why('eth0')).toBe('no answer from the other side yet')
    strict.add('eth0')
    expect(await why('eth0')).toContain('strict reverse path filtering may drop')
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

  it('sees at once what changes while it waits to try a socket again', async () => {
    joined()
    const eth0 = listed('eth0', 2, '192.0.2.5')
    machine.devices = [eth0]
    machine.refusing.add('eth0')
    await start(await client('eth0', 'wwan0'))
    await change(eth0, listed('wwan0', 3, '192.0.2.6'))
    await eventually(() => expect(machine.sockets).toEqual(['4 wwan0']))
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
    const path = async () => (await status()).peers[0]?.paths.find(({ label }) => label === 'wwan0')
    expect(await path()).toMatchObject({ weight: 2, intent: 'standby' })
    await expect(set('add-uplink wwan0')).rejects.toThrow(
      /wwan0 is an uplink already; mptun set uplink wwan0 TRAIT/,
    )
    expect(await path()).toMatchObject({ weight: 2, intent: 'standby' })
    await set('remove-uplink wwan0')
    expect((await status()).peers[0]?.paths.map(({ label }) => label)).toEqual(['eth0'])
    await expect(set('remove-uplink eth0')).rejects.toThrow(/is the last uplink/)
    await expect(set('primary wwan0')).rejects.toThrow(/found uplink "wwan0", accepted is eth0/)
  })

  it('takes another mode while it runs', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    await start(await client('eth0'))
    expect((await status()).peers[0]?.mode).toBe('adaptive')
    await set('mode broadcast')
    expect((await status()).peers[0]?.mode).toBe('broadcast')
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

  const enrolledClient = async (store: Store, told: unknown[] = []) =>
    new ClientRole(
      {
        machine,
        store,
        log: { write: (...line: unknown[]) => told.push(line) } as unknown as Log,
        tun: 'mptun0',
        core: coreOptions('client'),
        natMemoPath: '',
      },
      (await client('eth0')) as ClientConfig,
    )

  it('forgets its invitation when the server knows it, and none that was taken since', async () => {
    const store = joined()
    const role = await enrolledClient(store)
    const other = { ...store.readServer()!, name: 'van', secret: new Uint8Array(32).fill(4) }
    store.writeServer(other)
    role.handleFact(0, { kind: 'peer-enrolled', peer: 'server' })
    expect(store.readServer()).toEqual(other)
    joined()
    role.handleFact(0, { kind: 'peer-enrolled', peer: 'server' })
    expect(store.readServer()).toMatchObject({ name: 'barge', secret: undefined })
  })

  it('goes on when it cannot keep that the server knows it', async () => {
    const fault = systemError('STATE', 'cannot write server.json: ENOSPC')
    const store = Object.assign(joined(), {
      writeServer: () => {
        throw fault
      },
    })
    const told: unknown[] = []
    const role = await enrolledClient(store, told)
    role.handleFact(0, { kind: 'peer-enrolled', peer: 'server' })
    expect(told).toEqual([['state.unwritten', { why: fault.message }]])
  })
})
