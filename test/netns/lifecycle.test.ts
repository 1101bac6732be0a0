/**
 * The life of a tunnel with real processes, real packets and the real command line: starts, ends,
 * restarts, uplinks that come and go, NAT that forgets, users that are let in and sent away.
 *
 * Bounds on time are requirements of users, not of the code: they leave a busy machine room.
 */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Daemon, MPTUN } from '../../bench/lab/daemon.js'
import { footprint } from '../../bench/lab/footprint.js'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { setHosts } from '../../bench/lab/namespaces.js'
import { answered, startPing } from '../../bench/lab/ping.js'
import { type Stream, startStream } from '../../bench/lab/stream.js'
import {
  enrol,
  expectSame,
  innerOf,
  invite,
  openTunnel,
  SERVER_ENDPOINT,
  type Tunnel,
} from '../../bench/lab/tunnel.js'
import type { StatusReport } from '../../src/status.js'

const LINKS = [
  { name: 'dsl', description: 'rate=20,delay=10' },
  { name: 'lte', description: 'rate=20,delay=20' },
]
/** A module that gives a process the clock of a machine that has none and has just started. */
const CLOCK_OF_1970 = 'data:text/javascript,Date.now=()=>Math.floor(performance.now())'
/** What a user accepts between a server's return and the tunnel's. */
const RECOVERY_MS = 3000

const pathOf = async (daemon: Daemon, label: string) =>
  (await daemon.status()).peers.flatMap(({ paths }) => paths).find((path) => path.label === label)

/** Streams in both directions at once. */
async function streams({ lab, up, down }: Tunnel, packetsPerS: number) {
  const outward = await startStream(lab, up, { packetsPerS, port: 7000 })
  underWay.push(outward)
  const inward = await startStream(lab, down, { packetsPerS, port: 7001 })
  underWay.push(inward)
  await pause(300)
  return async () => {
    const [outwardReport, inwardReport] = await Promise.all([outward.end(), inward.end()])
    return { outward: outwardReport, inward: inwardReport }
  }
}

/** Of a test that failed in the middle, nothing goes on into the next one. */
const underWay: Stream[] = []

afterEach(async () => {
  await Promise.all(underWay.splice(0).map((stream) => stream.abandon()))
})

/**
 * Each is answered, the first one, too, once both ends are up: a client is so before the server has
 * carried out what it decides on an invitation, and until then nothing of a new client passes there.
 */
async function expectPings(lab: Lab, from: Daemon, address: string): Promise<void> {
  const words = ['-c', '3', '-i', '0.1', '-w', '3', '-I', from.tun, address]
  const { stdout } = await lab.exec(from.side, ['ping', ...words])
  expect(answered(stdout)).toEqual([1, 2, 3])
}

/** When it was last ready, since 1970. */
function startedAtMs(daemon: Daemon): number {
  const starts = [...daemon.logs().matchAll(/^(\S+) notice daemon\.started /gm)]
  return Date.parse(starts.at(-1)?.[1] ?? '')
}

describe('one tunnel over its life', () => {
  let lab: Lab
  let tunnel: Tunnel

  beforeAll(async () => {
    lab = await createLab({ name: 'life', links: LINKS, seed: 3 })
    const clientWords = ['--route', '10.99.0.0/16', '--route', 'fd99::/32']
    tunnel = await openTunnel(lab, { serverWords: ['--nat'], clientWords })
  })

  // Whatever became of the test before.
  beforeEach(async () => {
    await lab.restoreLink('dsl')
    const found = await lab.exec('client', ['ip', 'link', 'show', 'dev', 'lte'], { check: false })
    if (found.code !== 0) await lab.recreateDevice('lte')
    await Promise.all([tunnel.client.untilPaths(2), tunnel.server.untilPaths(2)])
  })

  afterAll(async () => {
    await lab?.close()
  })

  it('joins both ends in both families', async () => {
    const { client, server, inner } = tunnel
    for (const address of Object.values(inner.server)) await expectPings(lab, client, address)
    for (const address of Object.values(inner.client)) await expectPings(lab, server, address)
  })

  it('tells people and programs who is there', async () => {
    const { client, server, inner } = tunnel
    const told = JSON.parse(await client.statusText('--json')) as StatusReport
    expect(told.peers.map(({ paths }) => paths.map(({ label }) => label))).toEqual([['dsl', 'lte']])
    expect(told.addresses).toEqual((await client.status()).addresses)
    const [atClient, atServer] = await Promise.all([client.statusText(), server.statusText()])
    for (const word of ['dsl', 'lte']) expect(atClient).toContain(word)
    for (const word of ['home', inner.client.ipv4]) expect(atServer).toContain(word)
  })

  it('changes modes, weights and delays under a stream without loss', async () => {
    const { client } = tunnel
    const end = await streams(tunnel, 250)
    for (const mode of ['balance-xor', 'active-backup', 'broadcast', 'balance-rr']) {
      await client.set('mode', mode)
    }
    await client.set('weight', 'dsl', '3')
    await client.set('updelay', '100')
    await client.set('weight', 'dsl', '1')
    const { outward, inward } = await end()
    expect(outward).toMatchObject({ lost: 0, duplicates: 0 })
    expect(inward).toMatchObject({ lost: 0, duplicates: 0 })
  })

  it('removes and adds an uplink under a stream without loss', async () => {
    const { client, server } = tunnel
    const end = await streams(tunnel, 250)
    await client.set('remove-uplink', 'lte')
    await server.untilPaths(1)
    await client.set('add-uplink', 'lte,weight=2')
    await Promise.all([client.untilPaths(2), server.untilPaths(2)])
    const { outward, inward } = await end()
    expect(outward).toMatchObject({ lost: 0, duplicates: 0 })
    expect(inward).toMatchObject({ lost: 0, duplicates: 0 })
  })

  it('refuses a setting that cannot be, and says what can', async () => {
    await expect(tunnel.client.set('mode', 'balance-rx')).rejects.toThrow('balance-rr')
    await expect(tunnel.client.set('weight', 'cable', '2')).rejects.toThrow('dsl')
  })

  it('goes on when a NAT forgets, and takes the path up again', async () => {
    const { client, server } = tunnel
    const before = await pathsOfPeer(server)
    const end = await streams(tunnel, 200)
    await lab.rebindNat('dsl')
    await pause(1500)
    const { outward, inward } = await end()
    // A second of one path's share would be 100.
    expect(outward.lost).toBeLessThan(50)
    expect(inward.lost).toBeLessThan(50)
    await Promise.all([client.untilPaths(2), server.untilPaths(2)])
    const after = await pathsOfPeer(server)
    expect(after.filter((endpoint) => !before.includes(endpoint))).toHaveLength(1)
  })

  it('goes on when a line is cut, and takes it up again', async () => {
    const { client, server } = tunnel
    const end = await streams(tunnel, 200)
    await lab.cutLink('dsl')
    await Promise.all([client.untilPaths(1), server.untilPaths(1)])
    expect((await pathOf(client, 'dsl'))?.why).not.toBe('')
    await lab.restoreLink('dsl')
    await Promise.all([client.untilPaths(2), server.untilPaths(2)])
    const { outward, inward } = await end()
    expect(outward.lost).toBeLessThan(100)
    expect(inward.lost).toBeLessThan(100)
  })

  it('goes on when a device vanishes, and takes it up again', async () => {
    const { client, server } = tunnel
    const end = await streams(tunnel, 200)
    await lab.deleteDevice('lte')
    await Promise.all([client.untilPaths(1), server.untilPaths(1)])
    // Sending is refused before the device has left the list.
    await vi.waitFor(async () =>
      expect((await pathOf(client, 'lte'))?.why).toContain('does not exist'),
    )
    await lab.recreateDevice('lte')
    await Promise.all([client.untilPaths(2), server.untilPaths(2)])
    const { outward, inward } = await end()
    // The client's kernel tells at once; the server finds out by silence.
    expect(outward.lost).toBeLessThan(20)
    expect(inward.lost).toBeLessThan(100)
  })

  it('recovers from a server that is ended and started again', async () => {
    await expectRecovery('SIGTERM')
  })

  it('recovers from a server that is killed and started again', async () => {
    await expectRecovery('SIGKILL')
  })

  async function expectRecovery(signal: NodeJS.Signals): Promise<void> {
    const { client, server, up, inner } = tunnel
    const ping = await startPing(lab, up, { intervalMs: 50, device: client.tun })
    await pause(500)
    await server.restart(signal)
    await server.untilPaths(2) // the client may not have missed it yet
    await client.untilPaths(2)
    await pause(500)
    const { answeredAtMs, duplicates } = await ping.end()
    const readyAtMs = startedAtMs(server)
    const answeredAgainMs = answeredAtMs.find((atMs) => atMs > readyAtMs) ?? Number.NaN
    expect(duplicates).toBe(0)
    expect(answeredAgainMs - readyAtMs).toBeLessThan(RECOVERY_MS)
    expect(await innerOf(client)).toEqual(inner.client)
  }

  it('takes a client that was killed back under its old addresses', async () => {
    const { client, server, inner } = tunnel
    await client.restart('SIGKILL')
    await client.untilPaths(2) // the server may not have missed it yet
    await server.untilPaths(2)
    expect(await innerOf(client)).toEqual(inner.client)
    await expectPings(lab, client, inner.server.ipv4)
  })

  it('takes a client back whose clock fell behind with it', async () => {
    const { client, server, inner } = tunnel
    await client.end('SIGKILL')
    const late = new Daemon(lab, {
      role: 'client',
      tun: client.tun,
      words: ['--uplink', 'dsl', '--uplink', 'lte'],
      program: [process.execPath, '--import', CLOCK_OF_1970, ...MPTUN.slice(1)],
    })
    late.start()
    await late.untilPaths(2)
    await server.untilPaths(2)
    expect(late.logs()).toMatch(/^1970.* warning clock\.behind why="the clock says 1970/m)
    await expectPings(lab, late, inner.server.ipv4)
    await late.end()
    client.start()
    await client.untilPaths(2)
  })

  it('leaves nothing when it ends', async () => {
    await tunnel.close()
  })
})

/** Where the server sees the paths of its peer. */
async function pathsOfPeer(server: Daemon): Promise<string[]> {
  const { peers } = await server.status()
  return peers.flatMap(({ paths }) => paths.map(({ endpoint }) => endpoint ?? '')).sort()
}

describe('several of them', () => {
  let lab: Lab
  let server: Daemon
  let before: Record<string, string>[]
  const daemons: Daemon[] = []

  const clientOf = (tun: string, ...words: string[]) => {
    const client = new Daemon(lab, { role: 'client', tun, words })
    daemons.push(client)
    return client
  }
  const serverOf = (tun: string, ...words: string[]) => {
    const daemon = new Daemon(lab, { role: 'server', tun, words })
    daemons.push(daemon)
    return daemon
  }

  beforeAll(async () => {
    lab = await createLab({ name: 'several', links: LINKS, seed: 4 })
    before = await Promise.all([footprint(lab, 'server'), footprint(lab, 'client')])
    server = serverOf('mps0', '--listen', SERVER_ENDPOINT)
    server.start()
    await server.until('the server to run', () => true)
  })

  afterAll(async () => {
    await lab?.close()
  })

  it('waits for a device that comes late', async () => {
    const client = clientOf('mpc0', '--uplink', 'dsl', '--uplink', 'lte')
    await enrol(server, client, 'early')
    await lab.deleteDevice('lte')
    client.start()
    await client.untilPaths(1)
    expect((await pathOf(client, 'lte'))?.why ?? client.logs()).toContain('does not exist yet')
    await lab.recreateDevice('lte')
    await Promise.all([client.untilPaths(2), server.untilPaths(2, 'early')])
    await expectPings(lab, client, (await innerOf(server)).ipv4)
  })

  it('lets a second client in beside the first, under a server name', async () => {
    setHosts(lab.namespace('client'), { 'mptun.example': lab.server.address })
    const client = clientOf('mpc1', '--uplink', 'dsl', '--server', 'mptun.example:5000')
    await enrol(server, client, 'second')
    client.start()
    await Promise.all([client.untilPaths(1), server.untilPaths(1, 'second')])
    await expectPings(lab, client, (await innerOf(server)).ipv4)
    const { peers } = await server.status()
    expect(peers.map(({ name }) => name).sort()).toEqual(['early', 'second'])
    const inner = await Promise.all(daemons.map(innerOf))
    expect(new Set(inner.map(({ ipv4 }) => ipv4)).size).toBe(3)
    expect(new Set(inner.map(({ ipv6 }) => ipv6)).size).toBe(3)
  })

  it('runs two servers and their clients side by side', async () => {
    const port = `${lab.server.address}:5001`
    const other = serverOf('mps1', '--listen', port, '--pool', '10.78.0.0/24')
    other.start()
    await other.until('the second server to run', () => true)
    const client = clientOf('mpc2', '--uplink', 'lte', '--server', port)
    await enrol(other, client, 'elsewhere')
    client.start()
    await Promise.all([client.untilPaths(1), other.untilPaths(1, 'elsewhere')])
    await expectPings(lab, client, (await innerOf(other)).ipv4)
    await expectPings(lab, daemons[1]!, (await innerOf(server)).ipv4)
    expect((await server.status()).peers).toHaveLength(2)
  })

  it('refuses a daemon on a device that another one has', async () => {
    const twin = serverOf('mps0', '--listen', `${lab.server.address}:5002`)
    twin.start()
    await expect(twin.until('nothing', () => false)).rejects.toThrow('another daemon has')
    await server.until('the first one to go on', () => true)
    daemons.splice(daemons.indexOf(twin), 1)
  })

  it('takes an invitation once only', async () => {
    const invitation = await invite(server, 'once')
    const first = clientOf('mpc3', '--uplink', 'dsl')
    const second = clientOf('mpc4', '--uplink', 'lte')
    for (const client of [first, second]) await client.command('join', invitation)
    first.start()
    await first.untilPaths(1)
    second.start()
    await server.until('the second use to be refused', ({ refusals }) =>
      Object.values(refusals).some((count) => count > 0),
    )
    expect((await second.status()).peers.every(({ aead }) => aead === undefined)).toBe(true)
    await server.untilPaths(1, 'once')
    await expectPings(lab, first, (await innerOf(server)).ipv4)
  })

  it('ends the sessions of a revoked client at once', async () => {
    const first = daemons.find(({ tun }) => tun === 'mpc3')!
    const second = daemons.find(({ tun }) => tun === 'mpc1')!
    const { ipv4 } = await innerOf(server)
    await server.command('revoke', 'once', '--run-dir', server.runDir, '--tun', server.tun)
    await first.until('no session', ({ peers }) => peers.every(({ aead }) => aead === undefined))
    expect(first.logs()).toContain('revoked')
    expect((await server.command('peers')).stdout).not.toContain('once')
    await expect(expectPings(lab, first, ipv4)).rejects.toThrow()
    await expectPings(lab, second, ipv4)
  })

  it('starts again where a killed daemon was, and leaves nothing when it ends', async () => {
    for (const daemon of daemons.splice(0)) {
      if (daemon !== server && daemon.pid !== undefined) await daemon.end()
    }
    await server.restart('SIGKILL')
    await server.until('the server to run again', () => true)
    await server.end()
    expectSame('server', before[0]!, await footprint(lab, 'server'))
    expectSame('client', before[1]!, await footprint(lab, 'client'))
  })
})
