/**
 * The link emulator with real packets, between namespaces. Rates within 2 %, delays within 1 ms (of
 * medians: a shared machine is late now and then), losses within four standard deviations.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { DirectionStats } from '../../bench/lab/emulator.js'
import { createLab, type Lab, type LabLink } from '../../bench/lab/lab.js'
import { removeStaleLabs } from '../../bench/lab/namespaces.js'
import { repositoryPath } from '../../bench/lab/repository.js'

const DATAGRAMS = repositoryPath('bench', 'lab', 'datagrams.mjs')
const PORT = 7000
const IP_UDP_HEADER_BYTES = 28
const QUIET_MS = 300

interface Arrival {
  sequence: number
  delayUs: number
  atUs: number
  from: string
  port: number
}

interface Flow {
  count: number
  payloadBytes: number
  intervalUs: number
}

const labs: Lab[] = []

afterEach(async () => {
  await Promise.all(labs.splice(0).map((lab) => lab.close()))
})

async function labOf(description: string, more: Partial<LabLink> = {}): Promise<Lab> {
  const links = [{ name: 'wire', description, nat: false, ...more }]
  const lab = await createLab({ name: 'emulator', links, seed: 7 })
  labs.push(lab)
  return lab
}

/** This process's own: other labs come and go beside it. */
const ownNamespaces = () =>
  readdirSync('/run/netns').filter((name) => name.startsWith(`mplab.${process.pid}.`))

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Starts a receiver on the server; the result's `end` collects what arrived. */
async function receiver(lab: Lab): Promise<{ end(): Promise<Arrival[]> }> {
  const child = lab.spawn('server', ['node', DATAGRAMS, 'receive', String(PORT)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  const listening = new Promise<void>((resolve) => {
    child.stdout?.on('data', (data: Buffer) => {
      output += data
      if (output.includes('listening\n')) resolve()
    })
  })
  await listening
  return {
    async end() {
      const closed = new Promise((resolve) => child.once('close', resolve))
      child.stdin?.end()
      await closed
      return JSON.parse(output.replace('listening\n', '')) as Arrival[]
    },
  }
}

async function send(lab: Lab, flow: Flow, to = lab.server.address): Promise<void> {
  const numbers = [PORT, flow.count, flow.payloadBytes, flow.intervalUs].map(String)
  await lab.exec('client', ['node', DATAGRAMS, 'send', to, ...numbers])
}

/** Sends a flow from the client to the server; what arrived, and the link's counters of it. */
async function measure(lab: Lab, flow: Flow): Promise<{ arrivals: Arrival[]; up: DirectionStats }> {
  const receiving = await receiver(lab)
  await send(lab, flow)
  await drained(lab)
  return { arrivals: await receiving.end(), up: await upOf(lab) }
}

async function upOf(lab: Lab): Promise<DirectionStats> {
  const [link] = await lab.stats()
  return link!.up
}

async function drained(lab: Lab): Promise<void> {
  while ((await upOf(lab)).inFlightPackets > 0) await pause(20)
  await pause(QUIET_MS)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const medianDelayMs = (arrivals: readonly Arrival[]) =>
  median(arrivals.map(({ delayUs }) => delayUs)) / 1000

function expectNear(found: number, expected: number, tolerance: number): void {
  expect(found).toBeGreaterThan(expected - tolerance)
  expect(found).toBeLessThan(expected + tolerance)
}

describe('the law, with real packets', () => {
  it('delays within 1 ms', async () => {
    const lab = await labOf('delay=5')
    const flow = { count: 200, payloadBytes: 100, intervalUs: 5000 }
    const { arrivals: sooner } = await measure(lab, flow)
    await lab.setLink('wire', 'delay=25')
    const { arrivals: later } = await measure(lab, flow)
    expect([sooner.length, later.length]).toEqual([200, 200])
    // What a sleeping machine takes to wake up is in both.
    expectNear(medianDelayMs(later) - medianDelayMs(sooner), 20, 1)
    expect(medianDelayMs(sooner)).toBeGreaterThanOrEqual(5)
  })

  it('keeps its rate within 2 %', async () => {
    const lab = await labOf('rate=20,queue=none')
    const { arrivals } = await measure(lab, { count: 4000, payloadBytes: 1400, intervalUs: 400 })
    expect(arrivals).toHaveLength(4000)
    const seconds = (arrivals.at(-1)!.atUs - arrivals[0]!.atUs) / 1e6
    const mbit = ((4000 - 1) * (1400 + IP_UDP_HEADER_BYTES) * 8) / seconds / 1e6
    expectNear(mbit, 20, 20 * 0.02)
  })

  it('waits no longer than its queue and drops the rest', async () => {
    const lab = await labOf('rate=10,delay=10,queue=50ms')
    const { arrivals, up } = await measure(lab, {
      count: 3000,
      payloadBytes: 1000,
      intervalUs: 400,
    })
    expect(up.fullPackets).toBeGreaterThan(1000)
    expect(arrivals.length).toBe(3000 - up.fullPackets)
    expectNear(medianDelayMs(arrivals.slice(-500)), 60, 2)
  })

  it('loses by chance what it should', async () => {
    const lab = await labOf('loss=5')
    const { arrivals, up } = await measure(lab, { count: 4000, payloadBytes: 100, intervalUs: 250 })
    const deviation = Math.sqrt(4000 * 0.05 * 0.95)
    expectNear(4000 - arrivals.length, 4000 * 0.05, 4 * deviation)
    expect(up.lostPackets).toBeGreaterThanOrEqual(4000 - arrivals.length)
  })

  it('replays a mahimahi trace, over and over', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mptun-trace-'))
    try {
      const offsetsMs = [4, 4, 11, 30]
      writeFileSync(join(directory, 'short.trace'), `${offsetsMs.join('\n')}\n`)
      const lab = await labOf(`trace=${directory}/short.trace,queue=none`)
      const count = 200
      const flow = { count, payloadBytes: 1500 - IP_UDP_HEADER_BYTES, intervalUs: 10 }
      const { arrivals } = await measure(lab, flow)
      expect(arrivals).toHaveLength(count)

      // Where in the trace the first one fell is told by the fit: exactly one of the four fits all.
      const atMs = (i: number) => Math.floor(i / 4) * 30 + offsetsMs[i % 4]!
      const errors = offsetsMs.map((_, phase) => {
        const shifts = arrivals.map(({ atUs }, i) => atUs / 1000 - atMs(i + phase))
        const shift = median(shifts)
        return median(shifts.map((each) => Math.abs(each - shift)))
      })
      expect(errors.filter((error) => error < 1)).toHaveLength(1)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('carries each direction by its own description', async () => {
    const lab = await labOf('up.delay=40,down.delay=5')
    const ping = ['ping', '-q', '-c', '20', '-i', '0.02', lab.server.address]
    const { stdout } = await lab.exec('client', ping)
    const averageMs = Number(/= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1])
    expectNear(averageMs, 45, 2)
  })
})

describe('while it runs', () => {
  it('changes what is sent after, and keeps what it was not told to change', async () => {
    const lab = await labOf('delay=10,loss=3')
    const flow = { count: 100, payloadBytes: 100, intervalUs: 2000 }
    const before = await measure(lab, flow)
    await lab.setLink('wire', 'delay=60,up.loss=0')
    const after = await measure(lab, flow)
    expectNear(medianDelayMs(after.arrivals) - medianDelayMs(before.arrivals), 50, 1)
    expect(medianDelayMs(before.arrivals)).toBeGreaterThanOrEqual(10)
    expect(after.arrivals).toHaveLength(100)
  })

  it('loses what is under way when it is cut, and carries again when restored', async () => {
    const lab = await labOf('delay=500')
    const receiving = await receiver(lab)
    await send(lab, { count: 50, payloadBytes: 100, intervalUs: 100 })
    await lab.cutLink('wire')
    await send(lab, { count: 20, payloadBytes: 100, intervalUs: 100 })
    const cut = await upOf(lab)
    await lab.restoreLink('wire')
    await send(lab, { count: 10, payloadBytes: 100, intervalUs: 100 })
    await drained(lab)
    expect(await receiving.end()).toHaveLength(10)
    expect(cut.cutPackets).toBeGreaterThanOrEqual(50)
    expect(cut.refusedPackets).toBeGreaterThanOrEqual(20)
  })

  it('takes the uplink device away and brings it back', async () => {
    const lab = await labOf('delay=5')
    const ping = (count: number) =>
      lab.exec('client', ['ping', '-q', '-c', `${count}`, '-i', '0.02', lab.server.address], {
        check: false,
      })
    const devices = async () => (await lab.exec('client', ['ip', '-br', 'link'])).stdout
    expect((await ping(3)).code).toBe(0)
    await lab.deleteDevice('wire')
    await vi.waitFor(async () => expect(await devices()).not.toContain('wire'))
    expect((await ping(1)).stderr).toContain('unreachable')
    await lab.recreateDevice('wire')
    expect(await devices()).toContain('wire')
    expect((await ping(3)).code).toBe(0)
  })
})

describe('the lab around it', () => {
  it('shows the server one public address a link, and a new port after rebinding', async () => {
    const lab = await labOf('delay=5', { nat: true })
    const receiving = await receiver(lab)
    const flow = { count: 1000, payloadBytes: 100, intervalUs: 1000 }
    const sending = send(lab, flow)
    while ((await upOf(lab)).deliveredPackets < 100) await pause(5)
    await lab.rebindNat('wire')
    await sending
    await drained(lab)
    const arrivals = await receiving.end()
    const { publicAddress } = lab.links.get('wire')!
    expect(new Set(arrivals.map(({ from }) => from))).toEqual(new Set([publicAddress]))
    expect(new Set(arrivals.map(({ port }) => port)).size).toBe(2)
    expect(arrivals.length).toBeGreaterThan(900)
  })

  it('routes IPv6 to the same server', async () => {
    const lab = await labOf('delay=5')
    const receiving = await receiver(lab)
    await send(lab, { count: 10, payloadBytes: 100, intervalUs: 1000 }, lab.server.address6)
    await drained(lab)
    const arrivals = await receiving.end()
    expect(arrivals).toHaveLength(10)
    expect(arrivals[0]!.from).toBe(lab.links.get('wire')!.address6)
  })

  it('says what is wrong with a description and leaves nothing behind', async () => {
    await expect(labOf('rate=20,dealy=3')).rejects.toThrow(
      'unknown key "dealy", did you mean "delay"?',
    )
    await expect(labOf('loss=120')).rejects.toThrow(
      'loss: found "120", accepted: percent from 0 to 100',
    )
    expect(ownNamespaces()).toEqual([])
    const lab = await labOf('rate=20')
    await expect(lab.setLink('wire', 'name=other')).rejects.toThrow('no change while the link runs')
    await expect(lab.cutLink('fibre')).rejects.toThrow('found "fibre", accepted: wire')
  })

  it('takes everything along when it closes', async () => {
    const lab = await labOf('rate=20')
    const sleeping = lab.spawn('client', ['sleep', '1000'])
    await lab.close()
    expect(sleeping.signalCode).toBe('SIGTERM')
    expect(ownNamespaces()).toEqual([])
  })

  it('removes the labs of the dead and leaves those of the living', async () => {
    const lab = await labOf('rate=20')
    const { pid } = spawnSync('true')
    const orphan = `mplab.${pid}.0.orphan.client`
    spawnSync('ip', ['netns', 'add', orphan])
    expect(removeStaleLabs()).toContain(orphan)
    expect(readdirSync('/run/netns')).not.toContain(orphan)
    expect(ownNamespaces()).toContain(lab.namespace('client'))
  })
})
