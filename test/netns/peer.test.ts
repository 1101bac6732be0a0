/**
 * A client that was written from PROTOCOL.md alone, against the product's server: its core, its C and a real TUN,
 * each side in a namespace of its own with two addresses, which are two paths.
 */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { addNamespace, ipBatch, removeNamespaceSync, run } from '../../bench/lab/namespaces.js'
import { FEATURE, FLOW_FLAG, LIMIT, MESSAGE, MODE } from '../../src/wire.js'
import type { Algorithm } from '../peer/crypto.js'
import { publicOf } from '../peer/crypto.js'
import type { PathReport } from '../peer/feedback.js'
import { type Line, LineProgram } from './line_program.js'
import { fault, octetsOf, writeHeaderSum } from './packets.js'

const SIDES = [`mplab.${process.pid}.peer-a`, `mplab.${process.pid}.peer-b`] as const
const PORT = 5000

/** The ones' complement sum of RFC 1071. */
function checksum(octets: Buffer): number {
  let sum = 0
  for (let at = 0; at < octets.length; at += 2) sum += octets.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** An ICMP echo request to the server's inner address. */
function echoRequest(sequence: number, source = [10, 71, 0, 2]): string {
  const icmp = Buffer.from([8, 0, 0, 0, 0x12, 0x34, sequence >> 8, sequence & 0xff])
  icmp.writeUInt16BE(checksum(icmp), 2)
  const ip = Buffer.from([0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 1, 0, 0, ...source, 10, 71, 0, 1])
  ip.writeUInt16BE(checksum(ip), 10)
  return Buffer.concat([ip, icmp]).toString('hex')
}

/** Whether a line is the answer to that request. */
const answers = (sequence: number) => (line: Line) => {
  const packet = Buffer.from(String(line['packet'] ?? ''), 'hex')
  return packet.length === 28 && packet[20] === 0 && packet.readUInt16BE(26) === sequence
}

beforeAll(async () => {
  // Types are only stripped: test/tsconfig.json has checked them.
  const compiled = ['--outDir', 'build/peer', '--rootDir', 'test', '--ignoreConfig', '--noCheck']
  const language = ['--target', 'es2023', '--module', 'nodenext', '--types', 'node']
  await run(['node_modules/.bin/tsc', ...compiled, ...language, 'test/netns/peer_end.ts'])
})

afterEach(() => {
  for (const side of SIDES) removeNamespaceSync(side)
})

async function join(): Promise<void> {
  // Nothing but our own packets is to come through the TUN.
  const settings = { 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv4.icmp_ratelimit': 0 }
  for (const side of SIDES) await addNamespace(side, settings)
  const [a, b] = SIDES
  const veth = ['link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', b]
  await run(['ip', '-n', a, ...veth])
  await ipBatch(a, [
    'link set up0 up',
    'addr add 192.0.2.1/24 dev up0',
    'addr add 192.0.2.2/24 dev up0',
  ])
  await ipBatch(b, ['link set up0 up', 'addr add 192.0.2.9/24 dev up0'])
}

/** The product's server, and the stranger as its client on two paths. */
async function meet(options: object) {
  await join()
  const [serverSecret, clientSecret, invitation] = [1, 2, 3].map(() => randomBytes(32))
  const server = new LineProgram(SIDES[1], 'test/netns/peer_server.mjs', {
    secret: serverSecret!.toString('hex'),
    invitation: invitation!.toString('hex'),
    device: 'mptun0',
    port: PORT,
  })
  await server.until(({ ready }) => ready === true)
  const client = new LineProgram(SIDES[0], 'build/peer/netns/peer_end.js', {
    secret: clientSecret!.toString('hex'),
    serverPublic: publicOf(serverSecret!).toString('hex'),
    invitation: invitation!.toString('hex'),
    server: { address: '192.0.2.9', port: PORT },
    uplinks: ['192.0.2.1', '192.0.2.2'],
    ...options,
  })
  return { server, client }
}

const BOTH: Algorithm[] = ['chacha20-poly1305', 'aes-256-gcm']

describe.each([
  ['aes-256-gcm or what the server prefers', BOTH],
  ['chacha20-poly1305', BOTH.slice(0, 1)],
])('a stranger that follows PROTOCOL.md, with %s', (_, algorithms) => {
  it('is invited, probes, agrees, carries packets on two paths, rekeys and leaves', async () => {
    const { server, client } = await meet({ algorithms })

    const connected = await client.until(({ done }) => done === 'connect')
    expect(connected).toMatchObject({ ipv4: '0a470002', ipv4Prefix: 24, serverIpv4: '0a470001' })
    expect(algorithms).toContain(connected['algorithm'])
    await server.until(({ kind }) => kind === 'peer-enrolled')
    const up = await server.until(({ kind }) => kind === 'session-up')
    expect(up).toMatchObject({ peer: 'stranger', aead: connected['algorithm'] })
    for (const path of [0, 1]) {
      await server.until((line) => line['path'] === path && line['to'] === 'up')
    }

    for (const path of [0, 1]) {
      const echo = await client.ask(['probe', path], ({ done }) => done === 'probe')
      expect(echo).toMatchObject({ heard: true })
      expect(echo['rttUs']).toBeGreaterThan(0)
      expect(echo['received']).toBe(echo['expected'])
    }

    // Every answer comes on both paths, as copies of one packet.
    const isPolicy = ({ done }: Line) => done === 'policy'
    await client.ask(['policy', MODE.broadcast.value], isPolicy)
    await server.until(({ kind, mode }) => kind === 'policy' && mode === 'broadcast')
    const from = client.lines.length
    const first = await client.ask(['send', 0, echoRequest(1), 5], answers(1))
    const second = await client.until(
      (line) => answers(1)(line) && line['path'] !== first['path'],
      from,
    )
    expect(second['flowSeq']).toBe(first['flowSeq'])
    const flags = [first, second].map(({ flow }) => Number(flow) & FLOW_FLAG.duplicate.value)
    expect(flags.toSorted()).toEqual([0, FLOW_FLAG.duplicate.value])

    // Every answer comes on the path that the client has named, whatever path the question took.
    await client.ask(['policy', MODE['active-backup'].value, 1], isPolicy)
    await server.until(({ kind, mode }) => kind === 'policy' && mode === 'active-backup')
    const third = await client.ask(['send', 0, echoRequest(2), 5], answers(2))
    expect(third['path']).toBe(1)

    // The paths have the names that it tells, as far as these can be shown.
    await client.ask(['names', ['dsl\x1b', 'wwan0']], ({ done }) => done === 'names')
    const labels = ['"label":"dsl?"', '"label":"wwan0"']
    await server.ask('', ({ kind, peers }) => {
      return kind === 'stats' && labels.every((label) => JSON.stringify(peers).includes(label))
    })

    // A replay and a packet in somebody else's name come to nothing.
    await client.ask(['again'], ({ done }) => done === 'again')
    await client.ask(['send', 1, echoRequest(3, [10, 71, 0, 77]), 5], ({ done }) => done === 'send')
    const fourth = await client.ask(['send', 1, echoRequest(4), 5], answers(4))
    expect(fourth['flow']).toBe(third['flow'])
    expect(Number(fourth['flowSeq'])).toBe(Number(third['flowSeq']) + 1)
    const { counters } = await server.ask('', ({ kind }) => kind === 'stats')
    expect(counters).toMatchObject({ dropReplay: 1, dropInnerSource: 1 })
    expect(Object.keys(counters as object)).not.toContain('dropAuth')

    // New keys, the same session: the order of packets goes on.
    await client.ask(['rekey'], ({ done }) => done === 'rekey')
    await server.until(({ kind }) => kind === 'session-rekeyed')
    const fifth = await client.ask(['send', 0, echoRequest(5), 5], answers(5))
    expect(Number(fifth['flowSeq'])).toBe(Number(fourth['flowSeq']) + 1)

    expect(await client.end()).toBe(0)
    const down = await server.until(({ kind }) => kind === 'session-down')
    expect(down['why']).toBe('the client was shut down')
    expect(await server.end()).toBe(0)
  })
})

describe('a stranger with features', () => {
  /** A bit that no version has, which is to be ignored. */
  const UNKNOWN = 2 ** 31
  let server: LineProgram
  let client: LineProgram

  beforeEach(async () => {
    const features = FEATURE.repair.value + FEATURE.sizes.value + UNKNOWN
    const met = await meet({ features })
    server = met.server
    client = met.client
    await client.until(({ done }) => done === 'connect')
    for (const path of [0, 1]) {
      await server.until((line) => line['path'] === path && line['to'] === 'up')
    }
  })

  afterEach(async () => {
    expect(await client.end()).toBe(0)
    expect(await server.end()).toBe(0)
  })

  it('gets size echoes as long as its probes, and none in fragments', async () => {
    const asked = (octets: number) => ['body', 1, MESSAGE.sizeProbe.value, octets]
    // It sends in fragments itself what an Ethernet does not pass whole.
    await client.ask(asked(1441), ({ done }) => done === 'body')
    for (const octets of [0, 1, 1440]) {
      await client.ask(asked(octets), ({ sizeEcho }) => sizeEcho === octets)
    }
    expect(client.lines.filter(({ sizeEcho }) => sizeEcho === 1441)).toEqual([])
  })

  it('gets nothing for bodies that are no longer or shorter than they may be by one octet', async () => {
    const bodies: [keyof typeof MESSAGE, number][] = [
      ['probe', 31],
      ['probe', 33],
      ['echo', 31],
      ['control', 4],
      ['control', LIMIT.controlBytes.value + 1],
      ['feedback', 0],
      ['feedback', 2],
      ['sizeProbe', LIMIT.packetBytes.value + 1],
    ]
    for (const [name, octets] of bodies) {
      await client.ask(['body', 0, MESSAGE[name].value, octets], ({ done }) => done === 'body')
    }
    await client.ask(['probe', 0], ({ done }) => done === 'probe')
    const { counters } = await server.ask('', ({ kind }) => kind === 'stats')
    expect(counters).toMatchObject({ dropBody: bodies.length })
    expect(client.lines.filter((line) => 'sizeEcho' in line)).toEqual([])
  })

  it('is told what is missing of packets that it would repair', async () => {
    const { repaired } = FLOW_FLAG
    const send = (sequence: number) => ['send', 0, echoRequest(sequence), 5, repaired.value]
    await client.ask(send(1), answers(1))
    const lost = await client.ask(['lose', 0], ({ done }) => done === 'lose')
    const isTold = ({ reports }: Line) =>
      ((reports ?? []) as PathReport[]).some(
        ({ path, receiver, newest, gaps }) =>
          path === 0 &&
          receiver === lost['receiver'] &&
          gaps.some((gap) => gap.missing === 1 && newest - gap.received === lost['pathSeq']),
      )
    await client.ask(send(2), isTold)
  })

  it('gets a packet again that it reports missing, and no other', async () => {
    const from = client.lines.length
    await client.ask(['deaf'], ({ done }) => done === 'deaf')
    const missing = await client.ask(['send', 0, echoRequest(1), 5], answers(1))
    await client.ask(['send', 0, echoRequest(2), 5], answers(2))
    const isAgain = (line: Line) => (Number(line['flow']) & FLOW_FLAG.resent.value) !== 0
    const again = await client.until((line) => answers(1)(line) && isAgain(line), from)
    expect(again['flowSeq']).toBe(missing['flowSeq'])
    const bucket = (line: Line) => Number(line['flow']) % LIMIT.buckets.value
    expect(bucket(again)).toBe(bucket(missing))
    // What is not reported at all goes again within a few round trips.
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(client.lines.slice(from).filter(isAgain).filter(answers(2))).toEqual([])
  })
})

describe('a stranger that compresses', () => {
  const CLOSED_PORT = 9
  const [ICMP, TCP, UDP] = [1, 6, 17]
  /** Of IPv4 and ICMP, in front of the packet that an error quotes. */
  const QUOTE_AT = 28
  const { context, compressed } = MESSAGE
  /** What is the same in all resets of a flow: not the numbers, the identification and the checksums. */
  const STATIC_OF_RESETS = [
    [0, 4],
    [6, 10],
    [12, 28],
    [32, 36],
  ] as const

  /** To a port of the server that nobody listens on: TCP is a SYN. */
  function packetTo(protocol: number, number: number): Buffer {
    const packet = Buffer.alloc(protocol === TCP ? 40 : 48, number)
    packet.set([0x45, 0, 0, packet.length, 0, number, 0x40, 0, 61, protocol])
    octetsOf('10.71.0.2').copy(packet, 12)
    octetsOf('10.71.0.1').copy(packet, 16)
    writeHeaderSum(packet)
    const transport = packet.subarray(20)
    transport.writeUInt16BE(4000, 0)
    transport.writeUInt16BE(CLOSED_PORT, 2)
    if (protocol === TCP) transport.set([0x50, 0x02, 0x20, 0, 0, 0, 0, 0], 12)
    else transport.writeUInt16BE(transport.length, 4)
    const checksumAt = protocol === TCP ? 16 : 6
    transport.writeUInt16BE(0, checksumAt)
    const pseudo = Buffer.from([...packet.subarray(12, 20), 0, protocol, 0, transport.length])
    transport.writeUInt16BE(checksum(Buffer.concat([pseudo, transport])), checksumAt)
    return packet
  }

  const packetOf = (line: Line) => Buffer.from(String(line['packet'] ?? ''), 'hex')

  /** Sends packets, each when the one before was answered, until three have gone compressed, and so has a reset. */
  async function converse(
    client: LineProgram,
    protocol: number,
    isAnswer: (answer: Buffer, packet: Buffer) => boolean,
  ) {
    const types: unknown[] = []
    const answers: Line[] = []
    const isAnswered = () => protocol === UDP || answers.at(-1)?.['type'] === compressed.value
    for (let number = 1; types.at(-3) !== compressed.value || !isAnswered(); number++) {
      expect(number).toBeLessThan(200)
      const packet = packetTo(protocol, number)
      const from = client.lines.length
      const send = ['send', 0, packet.toString('hex'), protocol]
      types.push((await client.ask(send, ({ done }) => done === 'send'))['type'])
      answers.push(await client.until((line) => isAnswer(packetOf(line), packet), from))
    }
    expect(types[0]).toBe(context.value)
    return answers
  }

  it('has its packets come out as they were, and gets those of the server so', async () => {
    const features = FEATURE.compression.value + FEATURE.repair.value
    const { server, client } = await meet({ features, latencyMs: 10 })
    await client.until(({ done }) => done === 'connect')
    await server.until((line) => line['path'] === 0 && line['to'] === 'up')

    // The server's kernel shows what it got (RFC 1812, section 4.3.2.3).
    await converse(
      client,
      UDP,
      (answer, packet) => answer[9] === ICMP && answer.subarray(QUOTE_AT).equals(packet),
    )

    // Its resets acknowledge the SYN (RFC 9293, section 3.10.7.1), and are a flow of their own.
    const resets = await converse(
      client,
      TCP,
      (answer, packet) =>
        answer[9] === TCP && answer.readUInt32BE(28) === packet.readUInt32BE(24) + 1,
    )
    // Of a flow as thin as this the copies count, too: the one that proposes may be behind the one that answers.
    const isReset = (line: Line) => packetOf(line)[9] === TCP
    const types = client.lines.filter(isReset).map(({ type }) => type)
    expect(types.find((type) => type !== MESSAGE.data.value)).toBe(context.value)
    expect(resets.at(-1)!['type']).toBe(compressed.value)
    const first = packetOf(resets[0]!)
    for (const reset of resets.map(packetOf)) {
      expect(fault(reset)).toBeUndefined()
      for (const [from, to] of STATIC_OF_RESETS) {
        expect(reset.subarray(from, to)).toEqual(first.subarray(from, to))
      }
    }

    const { counters } = await server.ask('', ({ kind }) => kind === 'stats')
    expect(Object.keys(counters as object).filter((name) => /^drop/.test(name))).toEqual([])
    expect(await client.end()).toBe(0)
    expect(await server.end()).toBe(0)
  })
})
