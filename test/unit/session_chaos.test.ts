/** Whatever happens to client, server and uplinks: once it is over, every uplink carries again. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Policy } from '../../src/core/policy.js'
import type { PeerSnapshot } from '../../src/core/snapshot.js'
import { MODE } from '../../src/wire.js'
import { MS, policyOf, SECOND } from './core_fixture.js'
import { keyPair } from './handshake_fixture.js'
import { endpoint, MemoryRegistry, SERVER_V4, World } from './world_fixture.js'

const UPLINKS = 3
const uplink = fc.nat({ max: UPLINKS - 1 })
const step = fc.record({
  waitUs: fc.oneof(
    fc.nat({ max: 500 * MS }),
    fc.nat({ max: 20 * SECOND }),
    fc.nat({ max: 200 * SECOND }),
  ),
  what: fc.oneof(
    fc.record({ kind: fc.constantFrom('cut' as const, 'heal' as const), uplink }),
    fc.record({ kind: fc.constantFrom('unplug' as const, 'plug' as const), uplink }),
    fc.record({ kind: fc.constantFrom('remove' as const, 'add' as const), uplink }),
    fc.record({ kind: fc.constant('cut server' as const), isCut: fc.boolean() }),
    fc.record({ kind: fc.constant('restart client' as const), isPolite: fc.boolean() }),
    fc.record({ kind: fc.constant('restart server' as const), isPolite: fc.boolean() }),
    fc.record({
      kind: fc.constant('policy' as const),
      mode: fc.constantFrom(...(Object.keys(MODE) as Policy['mode'][])),
    }),
    fc.record({ kind: fc.constant('data' as const) }),
    fc.record({ kind: fc.constant('lose' as const), share: fc.constantFrom(0, 3, 10) }),
  ),
})
type Deed = typeof step extends fc.Arbitrary<infer T extends { what: unknown }> ? T['what'] : never

class Chaos {
  readonly world = new World()
  readonly #registry = new MemoryRegistry()
  server
  client
  #mode: Policy['mode'] = 'balance-rr'
  readonly #added = new Set<number>()
  readonly #plugged = new Set<number>()
  #datagrams = 0

  constructor() {
    this.#registry.addPeer('van', keyPair('van').publicKey)
    this.server = this.world.server(this.#registry)
    this.client = this.#newClient()
  }

  do(deed: Deed): void {
    const { world } = this
    switch (deed.kind) {
      case 'cut':
        world.cut.add(addressOf(deed.uplink))
        return
      case 'heal':
        world.cut.delete(addressOf(deed.uplink))
        return
      case 'cut server':
        world.cut[deed.isCut ? 'add' : 'delete'](SERVER_V4)
        return
      case 'unplug':
        this.#plugged.delete(deed.uplink)
        this.client.core.handleSocketGone(world.nowUs, `wan${deed.uplink}`, 4, 'unplugged')
        return
      case 'plug':
        this.#plug(deed.uplink)
        return
      case 'remove':
        this.#added.delete(deed.uplink)
        this.#plugged.delete(deed.uplink)
        this.client.core.removeUplink(world.nowUs, `wan${deed.uplink}`)
        return
      case 'add':
        this.#add(deed.uplink)
        return
      case 'restart client':
        if (deed.isPolite) this.client.core.close()
        world.kill(this.client)
        this.client = this.#newClient()
        return
      case 'restart server':
        if (deed.isPolite) this.server.core.close()
        world.kill(this.server)
        this.server = world.server(this.#registry)
        return
      case 'policy':
        this.#mode = deed.mode
        this.client.core.setPolicy(world.nowUs, policyOf({ mode: deed.mode }))
        return
      case 'data':
        this.client.carrier.sendData(world.nowUs, 0)
        return
      case 'lose':
        world.pass = () => deed.share === 0 || ++this.#datagrams % deed.share !== 0
    }
  }

  /** Everything is as it should be again. */
  heal(): void {
    this.world.cut.clear()
    this.world.pass = () => true
    for (let i = 0; i < UPLINKS; i++) {
      this.#add(i)
      this.#plug(i)
    }
  }

  expectAgreement(): void {
    const ofClient = this.client.core.snapshot().peers[0]!
    const ofServer = this.server.core.snapshot().peers[0]!
    const up = ({ paths }: PeerSnapshot) =>
      paths
        .filter(({ state }) => state === 'up')
        .map(({ path }) => path)
        .sort()
    expect(up(ofClient)).toHaveLength(UPLINKS)
    expect(up(ofServer)).toEqual(up(ofClient))
    expect(ofServer.policy).toEqual(ofClient.policy)
    expect(ofServer.policy.mode).toBe(this.#mode)
    expect(ofServer.paths).toHaveLength(UPLINKS)
    expect(this.server.carrier.peers.size).toBe(1)
    expect(this.client.carrier.ports.size).toBe(UPLINKS)
    const [theirs] = this.server.carrier.peers.values()
    const ours = this.client.carrier.peers.get(0)!
    expect(theirs!.sending!.localIndex).toBe(ours.sending!.remoteIndex)
    expect(theirs!.sending!.sendKey).toBe(ours.sending!.receiveKey)
  }

  #newClient() {
    const station = this.world.client('van')
    this.client = station
    this.#added.clear()
    this.#plugged.clear()
    station.core.setPolicy(this.world.nowUs, policyOf({ mode: this.#mode }))
    station.core.setEndpoints(this.world.nowUs, [endpoint(SERVER_V4)])
    for (let i = 0; i < UPLINKS; i++) {
      this.#add(i)
      this.#plug(i)
    }
    return station
  }

  #add(i: number): void {
    this.#added.add(i)
    this.client.core.setUplink(this.world.nowUs, `wan${i}`, {})
  }

  #plug(i: number): void {
    if (!this.#added.has(i) || this.#plugged.has(i)) return
    this.#plugged.add(i)
    this.world.plug(this.client, `wan${i}`, addressOf(i))
  }
}

const addressOf = (i: number) => `10.0.0.${i + 1}`

it('heals', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25, size: 'max' }), (steps) => {
      const chaos = new Chaos()
      for (const { what, waitUs } of steps) {
        chaos.do(what)
        chaos.world.runFor(waitUs)
      }
      chaos.heal()
      // The longest hold-down is 20 s, the longest keepalive too.
      chaos.world.runFor(50 * SECOND)
      chaos.expectAgreement()
    }),
    { seed: 11, numRuns: 30 },
  )
})
