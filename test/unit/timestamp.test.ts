import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TimestampMemory, Timestamps } from '../../src/core/timestamp.js'
import { MS, SECOND } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { bytesOf, MemoryRegistry, SERVER_V4, type Station, World } from './world_fixture.js'

/** 2026-05-01. */
const TODAY_US = 1_777_593_600_000_000
const MINUTE = 60 * SECOND
const YEAR_US = 365.25 * 86_400 * SECOND

/** What a disk keeps from one start to the next. */
class Disk {
  keptUs = 0
  writes = 0
  isWritable = true

  memory(): TimestampMemory {
    return {
      keptUs: this.keptUs,
      keep: (untilUs) => {
        this.writes++
        if (this.isWritable) this.keptUs = untilUs
        return this.isWritable
      },
    }
  }
}

describe('timestamps', () => {
  it('are the time of day, of a clock that is right', () => {
    const timestamps = new Timestamps()
    for (const us of [TODAY_US, TODAY_US + 1, TODAY_US + 120 * SECOND]) {
      expect(timestamps.next(us)).toBe(us)
    }
  })

  it('grow whatever the clock says and whenever it restarts', () => {
    const clock = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.integer({ min: 0, max: 2 * TODAY_US }))
    const step = fc.record({ wallUs: clock, restarts: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const disk = new Disk()
        let timestamps = new Timestamps(disk.memory())
        let last = 0
        for (const { wallUs, restarts } of steps) {
          if (restarts) timestamps = new Timestamps(disk.memory())
          const next = timestamps.next(wallUs)
          expect(next).toBeGreaterThan(last)
          // What is on disk is there before the timestamp is used.
          expect(disk.keptUs).toBeGreaterThanOrEqual(next)
          expect(disk.keptUs).toBeLessThan(2 ** 53)
          last = next
        }
      }),
    )
  })

  it('are written once in ten minutes, whatever happens', () => {
    const disk = new Disk()
    const timestamps = new Timestamps(disk.memory())
    for (let us = 0; us < 24 * 60 * MINUTE; us += 2 * SECOND) timestamps.next(TODAY_US + us)
    expect(disk.writes).toBeLessThanOrEqual(24 * 6)
  })

  it('are written once where the clock stands still for weeks', () => {
    const disk = new Disk()
    const timestamps = new Timestamps(disk.memory())
    for (let tries = 0; tries < 500_000; tries++) timestamps.next(5)
    expect(disk.writes).toBe(1)
  })

  it('of a clock that is right are less than eleven minutes ahead of it after thirty restarts at once', () => {
    const disk = new Disk()
    let last = 0
    for (let starts = 0; starts < 30; starts++) {
      last = new Timestamps(disk.memory()).next(TODAY_US + starts)
    }
    expect(last - TODAY_US).toBeLessThan(11 * MINUTE)
    expect(new Timestamps(disk.memory()).next(TODAY_US + 11 * MINUTE)).toBe(TODAY_US + 11 * MINUTE)
  })

  it('go on from a day in the future that a clock once said, for as long as anybody lives', () => {
    const disk = new Disk()
    const wrongUs = 2_145_916_800 * SECOND // 1 January 2038
    new Timestamps(disk.memory()).next(wrongUs)
    const timestamps = new Timestamps(disk.memory())
    const next = timestamps.next(TODAY_US)
    expect(next).toBeGreaterThan(wrongUs)
    expect(next).toBeLessThan(wrongUs + 11 * MINUTE)
    expect(timestamps.next(TODAY_US + SECOND)).toBe(next + 1)
  })

  it('do not follow a clock that nothing could come after', () => {
    const disk = new Disk()
    const timestamps = new Timestamps(disk.memory())
    expect(timestamps.next(TODAY_US)).toBe(TODAY_US)
    expect(timestamps.next(8.64e18)).toBe(TODAY_US + 1)
    expect(timestamps.next(TODAY_US + 300 * YEAR_US)).toBe(TODAY_US + 2)
    expect(timestamps.next(TODAY_US + SECOND)).toBe(TODAY_US + SECOND)
  })

  it('go on where nothing can be written, and are kept as soon as it can', () => {
    const disk = new Disk()
    disk.isWritable = false
    const timestamps = new Timestamps(disk.memory())
    expect(timestamps.next(TODAY_US)).toBe(TODAY_US)
    expect(timestamps.next(TODAY_US + SECOND)).toBe(TODAY_US + SECOND)
    expect(disk.keptUs).toBe(0)
    disk.isWritable = true
    timestamps.next(TODAY_US + 2 * SECOND)
    expect(disk.keptUs).toBeGreaterThan(TODAY_US + 2 * SECOND)
  })
})

describe('a client that has no clock of its own', () => {
  let world: World
  let registry: MemoryRegistry
  let disk: Disk

  /** Starts it with this time of day, and says whether it is in session ten seconds later. */
  function start(wallUs: number, timestamps = disk.memory()) {
    const startedUs = world.nowUs
    const van = world.roadWarrior('van', 2, {
      wallUs: () => wallUs + world.nowUs - startedUs,
      timestamps,
    })
    world.runFor(10 * SECOND)
    return { van, isUp: van.up().length === 2 }
  }

  /** Sends what was caught to the server again. */
  function repeat({ carrier }: Station, payload: Uint8Array): void {
    const remote = new Uint8Array(16)
    remote.set(bytesOf(SERVER_V4))
    const [port] = carrier.ports.keys()
    const to = { port: port!, family: 4, remote, remotePort: 5000, scope: 0 }
    const local = new Uint8Array(16)
    carrier.command(world.nowUs, { kind: 'datagramSend', fields: { ...to, local }, payload })
  }

  function open(): void {
    world = new World()
    registry = new MemoryRegistry()
    registry.addPeer('van', keyPair('van').publicKey)
    disk = new Disk()
  }

  it('is let in again at once, however far its clock fell behind', () => {
    open()
    const server = world.server(registry)
    for (const wallUs of [TODAY_US, 0, 5 * SECOND, TODAY_US - YEAR_US, 0]) {
      const { van, isUp } = start(wallUs)
      expect(isUp).toBe(true)
      world.kill(van)
    }
    expect(server.factsOf('handshake-refused')).toEqual([])
  })

  it('is let in again after its clock was years ahead', () => {
    open()
    world.server(registry)
    for (const wallUs of [TODAY_US + 12 * YEAR_US, TODAY_US, TODAY_US + MINUTE]) {
      const { van, isUp } = start(wallUs)
      expect(isUp).toBe(true)
      world.kill(van)
    }
  })

  it('keeps its session when its clock learns the time', () => {
    open()
    world.server(registry)
    let wallUs = 0
    const van = world.roadWarrior('van', 2, { wallUs: () => wallUs, timestamps: disk.memory() })
    world.runFor(200 * SECOND)
    wallUs = TODAY_US
    world.runFor(200 * SECOND)
    expect(van.factsOf('session-up')).toHaveLength(1)
    expect(van.factsOf('session-rekeyed').length).toBeGreaterThan(1)
  })

  it('without its memory is refused for as long as it is behind, and the server says whose clock it is', () => {
    open()
    const server = world.server(registry)
    world.kill(start(TODAY_US).van)
    const { van, isUp } = start(TODAY_US - MINUTE, new Disk().memory())
    expect(isUp).toBe(false)
    const refused = server.factsOf('handshake-refused').map(({ why, peer }) => `${peer} ${why}`)
    expect(new Set(refused)).toEqual(new Set(['van replay']))
    world.runFor(MINUTE)
    expect(van.up()).toEqual([0, 1])
  })

  it('is not locked out by its own message that somebody repeats to a restarted server', () => {
    open()
    const server = world.server(registry)
    const messages: Uint8Array[] = []
    world.pass = (datagram) => {
      if (datagram instanceof Uint8Array && datagram[0] === 1) messages.push(datagram.slice())
      return true
    }
    world.kill(start(TODAY_US + 12 * YEAR_US).van)
    const [caught] = messages
    world.kill(server)
    const again = world.server(registry)
    const stranger = world.roadWarrior('stranger', 1)
    world.runFor(100 * MS)
    repeat(stranger, caught!)
    world.runFor(100 * MS)
    expect(again.factsOf('session-up')).toEqual([])
    // The server believes in what was repeated, which nobody could pass who has forgotten it.
    const { van, isUp } = start(TODAY_US, new Disk().memory())
    expect(isUp).toBe(false)
    world.kill(van)
    expect(start(TODAY_US).isUp).toBe(true)
    expect(again.factsOf('session-up')).toHaveLength(1)
  })
})
