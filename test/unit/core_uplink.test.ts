import { beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/boundary.js'
import { DEFAULT_PATH_POLICY } from '../../src/core/policy.js'
import { Uplink } from '../../src/core/uplink.js'
import { pathSample, SECOND } from './core_fixture.js'
import { bytesOf, endpoint, SERVER_V4, SERVER_V6 } from './world_fixture.js'

const [V4, V6] = [endpoint(SERVER_V4), endpoint(SERVER_V6)]
const OTHER_V4 = endpoint('198.51.100.2')
const NEVER = Number.POSITIVE_INFINITY

let uplink: Uplink
beforeEach(() => {
  uplink = new Uplink('dsl', 3, { weight: 5 })
})

/** Address that it sends to now, as octets without padding. */
const targetOf = ({ family, remote }: { family: number; remote: Uint8Array }) =>
  remote.slice(0, family === 4 ? 4 : 16)

describe('an uplink', () => {
  it('has the policy that was wished for, and defaults', () => {
    expect(uplink.terms.policies('adaptive').own).toEqual({
      ...DEFAULT_PATH_POLICY,
      path: 3,
      weight: 5,
    })
    uplink.terms.change({ intent: 'standby' })
    expect(uplink.terms.policies('adaptive').own).toEqual({
      ...DEFAULT_PATH_POLICY,
      path: 3,
      intent: 'standby',
      weight: 5,
    })
  })

  it('waits for its device, and says why it has no socket any more', () => {
    expect(uplink.unavailable).toBe('waiting for the device')
    uplink.setPort(4, 7)
    uplink.setPort(6, 8)
    expect(uplink).toMatchObject({ unavailable: '', ports: [7, 8] })
    expect(uplink.removePort(4, 'no address')).toBe(7)
    expect(uplink.unavailable).toBe('')
    expect(uplink.removePort(6, 'no device')).toBe(8)
    expect(uplink).toMatchObject({ unavailable: 'no device', ports: [] })
    expect(uplink.removePort(6, 'gone')).toBeUndefined()
  })

  it('tells which socket it gives up for a new one', () => {
    expect(uplink.setPort(4, 7)).toBeUndefined()
    expect(uplink.setPort(4, 9)).toBe(7)
  })
})

describe('what an uplink has carried', () => {
  const carried = (bytes: number, datagrams: number) =>
    uplink.takeCount(
      pathSample({
        txBytes: bytes / 4,
        rxBytes: (3 * bytes) / 4,
        txDatagrams: datagrams / 2,
        rxDatagrams: datagrams / 2,
      }),
    )
  beforeEach(() => {
    uplink.setServers([V6, V4])
    uplink.setPort(6, 8)
    uplink.attach(0)
  })

  it('is counted once, with the headers of IP and UDP', () => {
    expect(carried(1_000_000, 1000)).toBe(1_048_000)
    expect(carried(1_000_000, 1000)).toBe(0)
    expect(carried(1_200_000, 1100)).toBe(204_800)
  })

  it('is counted once, though the family of its datagrams becomes another', () => {
    carried(1_000_000, 1000)
    uplink.removePort(6, '')
    uplink.setPort(4, 7)
    uplink.attach(1)
    expect(carried(1_010_000, 1010)).toBe(10_280)
  })

  it('is counted from zero when C begins anew', () => {
    carried(1_000_000, 1000)
    expect(carried(10_000, 10)).toBe(10_480)
    uplink.restartCount()
    expect(carried(20_000, 20)).toBe(20_960)
  })
})

describe('the address of the server', () => {
  it('needs a socket of its family', () => {
    uplink.setServers([V6, V4])
    expect(uplink.target()).toBeUndefined()
    uplink.setPort(4, 7)
    const remote = new Uint8Array(16)
    remote.set(bytesOf(SERVER_V4))
    expect(uplink.target()).toEqual({
      port: 7,
      family: 4,
      remotePort: 5000,
      remote,
      scope: 0,
      local: new Uint8Array(16),
    })
  })

  it('is the best one at first, and stays when a better one becomes possible', () => {
    uplink.setServers([V6, V4])
    uplink.setPort(6, 8)
    uplink.setPort(4, 7)
    expect(targetOf(uplink.target()!)).toEqual(bytesOf(SERVER_V6))
    uplink.removePort(6, '')
    expect(targetOf(uplink.target()!)).toEqual(bytesOf(SERVER_V4))
    uplink.setPort(6, 8)
    expect(targetOf(uplink.target()!)).toEqual(bytesOf(SERVER_V4))
    uplink.setServers([OTHER_V4, V6, V4])
    expect(targetOf(uplink.target()!)).toEqual(bytesOf(SERVER_V4))
    uplink.setServers([OTHER_V4])
    expect(targetOf(uplink.target()!)).toEqual(OTHER_V4.address)
    uplink.setServers([])
    expect(uplink.target()).toBeUndefined()
  })

  it('is left for the next after three initiations, round and round', () => {
    uplink.setPort(4, 7)
    uplink.setServers([V4, V6, OTHER_V4])
    const tried = Array.from({ length: 9 }, () => {
      uplink.countTry()
      return uplink.target()!.remote[3]
    })
    expect(tried).toEqual([1, 1, 1, 2, 2, 2, 1, 1, 1])
  })

  it('is left in a session when its path does not come alive within 3 s', () => {
    uplink.setPort(4, 7)
    uplink.setServers([V4, OTHER_V4])
    expect(targetOf(uplink.attach(0)!)).toEqual(V4.address)
    expect(uplink.nextTimeout()).toBe(3 * SECOND)
    expect(uplink.handleTimeout(3 * SECOND - 1)).toBe(false)
    expect(uplink.handleTimeout(3 * SECOND)).toBe(true)
    expect(uplink.nextTimeout()).toBe(NEVER)
    expect(targetOf(uplink.attach(3 * SECOND)!)).toEqual(OTHER_V4.address)
    uplink.handleAlive()
    expect(uplink.nextTimeout()).toBe(NEVER)
    uplink.handleDead(60 * SECOND)
    expect(uplink.nextTimeout()).toBe(63 * SECOND)
  })

  describe('that has moved by itself', () => {
    const remote = new Uint8Array(16)
    remote.set(bytesOf('198.51.100.9'))
    const moved: Endpoint = {
      port: 7,
      family: 4,
      remotePort: 5000,
      remote,
      scope: 0,
      local: new Uint8Array(16),
    }
    beforeEach(() => {
      uplink.setServers([V4])
      uplink.setPort(4, 7)
      uplink.attach(0)
      uplink.handleAlive()
      uplink.handleMoved(moved)
    })

    it('is where it is, whatever becomes of other sockets', () => {
      expect(uplink.target()).toEqual(moved)
      uplink.setPort(6, 8)
      uplink.removePort(6, '')
      expect(uplink.target()).toEqual(moved)
      expect(uplink.attach(1)).toBeUndefined()
    })

    it.each([
      ['its path fails', () => uplink.handleDead(1)],
      ['there is no session any more', () => uplink.countTry()],
      ['its name says otherwise', () => uplink.setServers([V4])],
      ['its socket is another', () => uplink.setPort(4, 9)],
    ])('is where it was when %s', (_, change) => {
      change()
      expect(targetOf(uplink.target()!)).toEqual(V4.address)
      expect(targetOf(uplink.attach(1)!)).toEqual(V4.address)
    })

    it('is what it was for whom it was heard by another socket', () => {
      uplink.handleMoved({ ...moved, port: 3, remotePort: 9 })
      expect(uplink.target()).toEqual(moved)
    })
  })

  it('is kept where there is no other', () => {
    uplink.setPort(4, 7)
    uplink.setServers([V4, V6])
    uplink.attach(0)
    expect(uplink.nextTimeout()).toBe(NEVER)
    expect(uplink.handleTimeout(60 * SECOND)).toBe(false)
    for (let i = 0; i < 10; i++) uplink.countTry()
    expect(targetOf(uplink.target()!)).toEqual(V4.address)
  })
})

describe('what C has to be told', () => {
  beforeEach(() => uplink.setServers([V4]))

  it('is nothing without a socket, and nothing twice', () => {
    expect(uplink.attach(0)).toBeUndefined()
    expect(uplink.isAttached).toBe(false)
    uplink.setPort(4, 7)
    expect(uplink.attach(0)).toMatchObject({ port: 7 })
    expect(uplink.isAttached).toBe(true)
    expect(uplink.attach(1)).toBeUndefined()
  })

  it.each([
    ['another socket', () => uplink.setPort(4, 8)],
    ['a new socket of the same number', () => [uplink.removePort(4, ''), uplink.setPort(4, 7)]],
    ['another address', () => uplink.setServers([OTHER_V4])],
    ['another UDP port', () => uplink.setServers([{ ...V4, port: 5001 }])],
  ])('is %s', (_, change) => {
    uplink.setPort(4, 7)
    uplink.attach(0)
    change()
    expect(uplink.attach(1)).toBeDefined()
    expect(uplink.attach(2)).toBeUndefined()
  })
})
