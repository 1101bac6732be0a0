/** Two engines with keys by hand, each in a namespace of its own, and real packets between them. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  addNamespace,
  inNamespace,
  ipBatch,
  removeNamespaceSync,
  run,
} from '../../bench/lab/namespaces.js'
import { answered } from '../../bench/lab/ping.js'
import { COUNTER } from '../../src/boundary.js'
import { LineProgram } from './line_program.js'

const END = 'test/netns/engine_end.mjs'
const SIDES = [`mplab.${process.pid}.engine-a`, `mplab.${process.pid}.engine-b`] as const
const SERVER_PORT = 5000
const PINGS = 50

/** What a counter of this end says now. */
async function counter(end: LineProgram, counter: number): Promise<number> {
  const from = end.lines.length
  await end.ask('stats', ({ kind }) => kind === 'statsEnd')
  const found = end.lines
    .slice(from)
    .find((line) => line['kind'] === 'counter' && line['counter'] === counter)
  return Number(found?.['count'] ?? 0)
}

afterEach(() => {
  for (const side of SIDES) removeNamespaceSync(side)
})

/** Two namespaces, joined by a veth; the second has two addresses of each family. */
async function join(): Promise<void> {
  for (const side of SIDES) await addNamespace(side, { 'net.ipv6.conf.default.accept_dad': 0 })
  const [a, b] = SIDES
  await run([
    'ip',
    '-n',
    a,
    'link',
    'add',
    'up0',
    'type',
    'veth',
    'peer',
    'name',
    'up0',
    'netns',
    b,
  ])
  await ipBatch(a, ['link set up0 up', 'addr add 192.0.2.1/24 dev up0'])
  await ipBatch(b, [
    'link set up0 up',
    'addr add 192.0.2.2/24 dev up0',
    'addr add 192.0.2.3/24 dev up0',
  ])
  await run(['ip', '-n', a, 'addr', 'add', '2001:db8::1/64', 'dev', 'up0', 'nodad'])
  await run(['ip', '-n', b, 'addr', 'add', '2001:db8::2/64', 'dev', 'up0', 'nodad'])
  await run(['ip', '-n', b, 'addr', 'add', '2001:db8::3/64', 'dev', 'up0', 'nodad'])
}

async function tunnel(family: 4 | 6, remote: string): Promise<[LineProgram, LineProgram]> {
  await join()
  const server = new LineProgram(SIDES[1], END, {
    own: 1,
    inner: '10.77.0.2',
    far: '10.77.0.1',
    ports: [{ family, port: SERVER_PORT }],
    paths: [],
  })
  await server.until((line) => 'ready' in line)
  const client = new LineProgram(SIDES[0], END, {
    own: 0,
    inner: '10.77.0.1',
    far: '10.77.0.2',
    ports: [{ family, device: 'up0' }],
    paths: [{ port: 0, remote, remotePort: SERVER_PORT }],
  })
  await client.until(({ kind }) => kind === 'pathAlive')
  await server.until(({ kind }) => kind === 'pathAlive')
  return [client, server]
}

/** Rejects when not all are answered. */
async function ping(bytes: number): Promise<void> {
  const words = ['-i', '0.01', '-c', String(PINGS), '-w', '20', '-s', String(bytes), '10.77.0.2']
  const { stdout } = await run(inNamespace(SIDES[0], ['ping', ...words]))
  expect(answered(stdout)).toEqual(Array.from({ length: PINGS }, (_, index) => index + 1))
}

describe('two engines over a veth', () => {
  it.each([
    [4, '192.0.2.3'],
    [6, '2001:0db8:0000:0000:0000:0000:0000:0003'],
  ] as const)(
    'carry pings of all sizes over IPv%d, answered from the address that was asked',
    async (family, remote) => {
      const [client, server] = await tunnel(family, remote)
      for (const bytes of [0, 56, 1372]) await ping(bytes)
      expect(await counter(client, COUNTER.tunReadPackets.value)).toBeGreaterThanOrEqual(3 * PINGS)
      expect(await counter(server, COUNTER.tunWrittenPackets.value)).toBeGreaterThanOrEqual(
        3 * PINGS,
      )
      expect(await counter(client, COUNTER.dropSendError.value)).toBe(0)
      expect(await counter(server, COUNTER.dropAuth.value)).toBe(0)
      // The server has two addresses; had it answered from the other one, the path would have moved.
      expect(client.lines.filter(({ kind }) => kind === 'pathMoved')).toEqual([])
      expect(await client.end()).toBe(0)
      expect(await server.end()).toBe(0)
    },
  )

  it('tells of links that change, and of a path whose device is gone', async () => {
    const [client, server] = await tunnel(4, '192.0.2.2')
    const from = client.lines.length
    await ipBatch(SIDES[0], ['link set up0 down'])
    await client.until(({ kind }) => kind === 'linksChanged', from)
    await client.until(({ kind }) => kind === 'pathLost', from)
    await ipBatch(SIDES[0], ['link set up0 up'])
    await client.until(({ kind }) => kind === 'pathAlive', from)
    await ping(56)
    expect(await client.end()).toBe(0)
    expect(await server.end()).toBe(0)
  })

  it('says so when the TUN device is deleted, and goes on', async () => {
    const [client, server] = await tunnel(4, '192.0.2.2')
    const name = String(client.lines.find((line) => 'ready' in line)?.['ready'])
    await ipBatch(SIDES[0], [`link del ${name}`])
    const failed = await client.until(({ kind }) => kind === 'failed')
    expect(failed['errorNumber']).toBe(77) // EBADFD
    expect(await counter(client, COUNTER.udpReadDatagrams.value)).toBeGreaterThan(0)
    expect(await client.end()).toBe(0)
    expect(await server.end()).toBe(0)
  })
})
