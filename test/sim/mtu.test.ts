/** The inner MTU, found by two real engines over links that pass packets of some sizes only. */
import { afterEach, expect, it } from 'vitest'
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
