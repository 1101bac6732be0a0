/** The inner MTU, found by two real engines over links that pass packets of some sizes only. */
import { afterEach, describe, expect, it } from 'vitest'
import { Pair, SECOND, type UplinkOptions } from './tunnel.js'

const MS = 1000
const MBIT = 125_000
const LINK = { rateBytesPerS: 20 * MBIT, delayUs: 20 * MS, queueUs: 200 * MS }

let pair: Pair | undefined
afterEach(() => {
  pair?.close()
  pair = undefined
})

async function open(...uplinks: Partial<UplinkOptions>[]): Promise<Pair> {
  pair = await Pair.open({ uplinks: uplinks.map((each) => ({ link: LINK, ...each })), warmUpUs: 0 })
  return pair
}

/** As the client has it, and as the server was told each time. */
const mtus = ({ client, server }: Pair) => ({
  client: client.core.mtuBytes,
  told: server.factsOf('peer-mtu').map(({ bytes }) => bytes),
})

it('is that of an Ethernet within two round trips', async () => {
  const { client } = await open({}, {})
  expect(client.core.mtuBytes).toBe(1420)
  pair!.runFor(300 * MS)
  expect(mtus(pair!)).toEqual({ client: 1440, told: [1440] })
})

it('is that of the narrowest path', async () => {
  await open({ mtuBytes: 1492 }, { mtuBytes: 1428 }, {})
  pair!.runFor(5 * SECOND)
  expect(mtus(pair!)).toMatchObject({ client: 1368 })
  expect(mtus(pair!).told.at(-1)).toBe(1368)
  const notes = pair!.client.core.snapshot().peers[0]!.paths.map((path) => path.notes)
  expect(notes).toEqual([
    ['passes inner packets of up to 1432 octets whole'],
    ['passes inner packets of up to 1368 octets whole'],
    [],
  ])
})

it('is found without a word of loss, though sizes are tried that do not pass', async () => {
  const { client, server } = await open({ mtuBytes: 1492 }, { mtuBytes: 1380 })
  const of = ({ core }: Pair['client' | 'server']) =>
    core.snapshot().peers[0]!.paths.map(({ measurements }) => measurements!)
  let [lost, missed] = [0, 0]
  for (let round = 0; round < 20; round++) {
    pair!.runFor(SECOND)
    lost = Math.max(lost, ...of(client).flatMap(({ txLoss, rxLoss }) => [txLoss.lost, rxLoss.lost]))
    missed = Math.max(missed, ...of(server).map(({ rxLossTotal }) => rxLossTotal.lost))
  }
  // 1500 to 1388 in steps of eight, each three times. The server cannot know what it missed.
  expect(missed).toBe(15 * 3)
  expect(lost).toBe(0)
})

it('is not made less by a path that fragments full packets in any case, which is told', async () => {
  await open({ mtuBytes: 1492 }, { mtuBytes: 1300 })
  pair!.runFor(10 * SECOND)
  expect(mtus(pair!)).toMatchObject({ client: 1432 })
  const notes = pair!.client.core.snapshot().peers[0]!.paths.map((path) => path.notes)
  expect(notes).toEqual([
    ['passes inner packets of up to 1432 octets whole'],
    [expect.stringContaining('has passed no inner packet of 1280 octets whole')],
  ])
})

it.each([1, 2, 3])('is found through losses, seed %d', async (seed) => {
  const link = { ...LINK, loss: 0.05 }
  pair = await Pair.open({ seed, uplinks: [{ link, mtuBytes: 1460 }], warmUpUs: 10 * SECOND })
  expect(mtus(pair)).toMatchObject({ client: 1400 })
})

it('grows when the narrowest path is taken away', async () => {
  await open({}, { mtuBytes: 1400 })
  pair!.runFor(5 * SECOND)
  expect(mtus(pair!)).toMatchObject({ client: 1336 })
  pair!.tell((client, nowUs) => client.removeUplink(nowUs, 'uplink1'))
  pair!.runFor(3 * SECOND)
  expect(mtus(pair!)).toMatchObject({ client: 1440 })
  expect(mtus(pair!).told.at(-1)).toBe(1440)
})

it('is what the user says, and found again when nothing is said', async () => {
  await open({})
  pair!.tell((client, nowUs) => client.setMtu(nowUs, 1300))
  pair!.runFor(SECOND)
  expect(mtus(pair!)).toEqual({ client: 1300, told: [1300] })
  pair!.tell((client, nowUs) => client.setMtu(nowUs, undefined))
  pair!.runFor(SECOND)
  expect(mtus(pair!)).toEqual({ client: 1440, told: [1300, 1440] })
})

it('is told to a server that has begun anew', async () => {
  await open({ mtuBytes: 1492 })
  pair!.runFor(5 * SECOND)
  pair!.restartServer()
  pair!.runFor(10 * SECOND)
  expect(mtus(pair!)).toEqual({ client: 1432, told: [1432] })
})

it('costs a path that comes and goes no more than a search a minute', async () => {
  await open({}, {})
  pair!.runFor(2 * SECOND)
  const sentBytes = () => pair!.links[1]!.counters('forward').offeredBytes
  const before = sentBytes()
  for (let i = 0; i < 5; i++) {
    pair!.cut(1)
    pair!.runFor(4 * SECOND)
    pair!.restore(1)
    pair!.runFor(4 * SECOND)
  }
  expect(sentBytes() - before).toBeLessThan(40 * 1000)
  expect(mtus(pair!)).toEqual({ client: 1440, told: [1440] })
})

describe('of a path that gets narrower while it carries something', () => {
  const FLOW = { packetsPerSecond: 100, payloadBytes: 1000 }
  const NARROW_BYTES = 1400
  const NARROW_INNER_BYTES = 1336
  const sentBytes = (link: number) => pair!.links[link]!.counters('forward').offeredBytes

  it.each(['split', 'dropped'] as const)(
    'is found again where larger ones are %s',
    async (larger) => {
      await open({}, {})
      pair!.flow(FLOW)
      pair!.runFor(15 * SECOND)
      pair!.links[1]!.narrow(NARROW_BYTES, larger)
      pair!.runFor(20 * SECOND)
      expect(mtus(pair!)).toEqual({ client: NARROW_INNER_BYTES, told: [1440, NARROW_INNER_BYTES] })
    },
  )

  it.each([
    [NARROW_BYTES, NARROW_INNER_BYTES],
    [1300, 1440],
  ])('and is had again when it is wide, after %d', async (mtuBytes, innerBytes) => {
    await open({}, { mtuBytes })
    pair!.flow(FLOW)
    pair!.runFor(10 * SECOND)
    pair!.links[1]!.narrow(0, 'split')
    pair!.runFor(580 * SECOND)
    expect(mtus(pair!)).toMatchObject({ client: innerBytes })
    const notes = () => pair!.client.core.snapshot().peers[0]!.paths[1]!.notes
    expect(notes()).toHaveLength(1)
    pair!.runFor(30 * SECOND)
    expect(mtus(pair!)).toMatchObject({ client: 1440 })
    expect(notes()).toEqual([])
  })

  it.each([1, 2, 3])('is kept to through losses, seed %d', async (seed) => {
    const link = { ...LINK, loss: 0.1 }
    pair = await Pair.open({ seed, uplinks: [{ link }, { link }], warmUpUs: 0 })
    pair.flow(FLOW)
    pair.runFor(600 * SECOND)
    expect(mtus(pair)).toEqual({ client: 1440, told: [1440] })
  })

  it.each([
    ['client', 'server'],
    ['server', 'client'],
  ] as const)('lets bulk of the %s have it again', async (from, towards) => {
    const uplinks = [{ link: LINK }, { link: LINK }]
    pair = await Pair.open({ uplinks, policy: { mode: 'adaptive' } })
    const why = () => pair![from].core.snapshot().peers[0]!.paths[1]!.why
    pair.links[1]!.narrow(NARROW_BYTES, 'dropped')
    pair.flow({ packetsPerSecond: 2000, payloadBytes: 1372, towards })
    pair.runFor(6 * SECOND)
    expect(why()).toMatch(/stopped|lost/)
    while (mtus(pair).client === 1440) pair.runFor(MS)
    pair.links[1]!.narrow(0, 'split') // stands for packets that are smaller from now on
    pair.runFor(SECOND)
    expect(why()).toBe('')
  })

  it('is not asked for on a path that is cut', async () => {
    await open({}, {})
    pair!.flow(FLOW)
    pair!.runFor(15 * SECOND)
    pair!.cut(1)
    const before = sentBytes(1)
    pair!.runFor(30 * SECOND)
    expect(sentBytes(1) - before).toBeLessThan(40 * 1000)
    pair!.restore(1)
    pair!.runFor(20 * SECOND)
    expect(mtus(pair!)).toEqual({ client: 1440, told: [1440] })
  })

  it('costs nothing where nothing is carried', async () => {
    await open({}, {})
    pair!.runFor(60 * SECOND)
    const before = sentBytes(1)
    pair!.runFor(600 * SECOND)
    expect(sentBytes(1) - before).toBeLessThan(60 * 1000)
  })
})
