/** What a client gives its device while uplinks come into the tunnel's networks and leave them, and routes change. */

import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import sodium from 'libsodium-wrappers'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fromCommandLine } from '../../src/config/file.js'
import { readSetting } from '../../src/config/setting.js'
import { resolveConfig } from '../../src/config/tunnel.js'
import { keyPairOf } from '../../src/core/keys.js'
import { ClientRole } from '../../src/daemon/client.js'
import { Loop } from '../../src/daemon/loop.js'
import { Log } from '../../src/log.js'
import { parseAddress } from '../../src/net/address.js'
import { Store } from '../../src/store.js'
import { coreOptions } from './core_fixture.js'
import { listed, type TestMachine, testDirs, testMachine } from './daemon_fixture.js'

beforeAll(() => sodium.ready)

const IPV4 = 'ip address replace 10.77.0.2/24 dev mptun0'
const IPV6 = 'ip address replace fd77::2/64 dev mptun0 nodad'

let dirs: ReturnType<typeof testDirs>
let machine: TestMachine
let lines: string[]
let role: ClientRole
let loop: Loop

beforeEach(async () => {
  dirs = testDirs()
  machine = testMachine()
  lines = []
  machine.devices = [listed('eth0', 2, '192.0.2.5'), listed('wwan0', 3, '10.77.0.9')]
  const store = new Store(dirs.stateDir)
  store.prepare()
  store.writeServer({
    publicKey: keyPairOf(new Uint8Array(32).fill(9)).publicKey,
    endpoints: [{ host: '198.51.100.1', port: 5000 }],
    name: 'barge',
    secret: undefined,
  })
  const given = fromCommandLine({ uplink: ['eth0'] })
  const { clock } = machine
  const log = new Log({
    format: 'text',
    isJournal: false,
    write: (line) => lines.push(line),
    nowUs: clock.nowUs,
    wallUs: clock.wallUs,
  })
  role = new ClientRole(
    {
      machine,
      store,
      log,
      tun: 'mptun0',
      core: coreOptions('client'),
      natMemoPath: join(dirs.runDir, 'forward'),
    },
    await resolveConfig('client', given),
  )
  loop = new Loop({
    core: role.core,
    engine: machine.openEngine({ fd: 9, name: 'mptun0' }, () => loop.wake()),
    clock,
    onFact: (nowUs, fact) => role.handleFact(nowUs, fact),
    onFailure: (error) => {
      throw error
    },
  })
  await role.start(loop)
  const address = (text: string) => parseAddress(text)!
  const inner = (octet: number) => ({
    ipv4: address(`10.77.0.${octet}`),
    ipv4Prefix: 24,
    ipv6: address(`fd77::${octet}`),
    ipv6Prefix: 64,
  })
  role.handleFact(clock.nowUs(), { kind: 'addresses', own: inner(2), server: inner(1) })
  await settle()
})

afterEach(async () => {
  loop.stop()
  await role.stop()
  dirs.remove()
})

/** Lets what is planned for the next second be done, and what that makes. */
async function settle(): Promise<void> {
  machine.clock.advance(1_000_000)
  // Each program that runs here, and each step of a job, is a few microtasks.
  for (let i = 0; i < 10; i++) await turn()
}

/** What was given to the device since this was asked last. */
function given(): string[] {
  return machine.calls.splice(0).filter((call) => call.startsWith('ip address replace'))
}

async function set(text: string): Promise<void> {
  role.set(readSetting(text.split(' ')))
  await settle()
}

describe("an uplink in the tunnel's network", () => {
  it('takes the address away when it is added, and gives it back when it is removed', async () => {
    expect(given()).toEqual([IPV4, IPV6])
    await set('add-uplink wwan0')
    expect(given()).toEqual([IPV6])
    expect(lines.join('')).toContain('would cut off 10.77.0.9, which the uplink wwan0 needs')
    expect((await role.report(0)).addresses).toEqual(['fd77::2/64'])
    await set('remove-uplink wwan0')
    expect(given()).toEqual([IPV4, IPV6])
    expect((await role.report(0)).addresses).toEqual(['10.77.0.2/24', 'fd77::2/64'])
  })

  it('is seen when it comes there later, and when it goes', async () => {
    await set('add-uplink usb0')
    expect(given()).toEqual([IPV4, IPV6])
    const before = machine.devices
    machine.devices = [...before, listed('usb0', 4, '10.77.0.30')]
    role.handleFact(machine.clock.nowUs(), { kind: 'links-changed' })
    await settle()
    expect(given()).toEqual([IPV6])
    // What that did to the device comes back as a change of links, and ends there.
    role.handleFact(machine.clock.nowUs(), { kind: 'links-changed' })
    await settle()
    expect(given()).toEqual([])
    machine.devices = [...before, listed('usb0', 4, '192.0.2.7')]
    role.handleFact(machine.clock.nowUs(), { kind: 'links-changed' })
    await settle()
    expect(given()).toEqual([IPV4, IPV6])
  })
})

describe('a route', () => {
  it('that is wanted no more is taken away, whatever is under way', async () => {
    const { run } = machine
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    Object.assign(machine, {
      run: async (program: string, args: readonly string[]) => {
        if (args.includes('exact')) await held
        return run(program, args)
      },
    })
    const reloaded = async (...route: string[]) =>
      role.reload(await resolveConfig('client', fromCommandLine({ uplink: ['eth0'], route })))
    const reloads = [reloaded('192.0.2.0/24')]
    await settle()
    reloads.push(reloaded())
    await settle()
    release()
    await Promise.all(reloads)
    await settle()
    expect(machine.calls.filter((call) => / route (replace|delete) /.test(call))).toEqual([
      'ip -4 route replace 192.0.2.0/24 dev mptun0',
      'ip -4 route delete 192.0.2.0/24 dev mptun0',
    ])
  })
})
