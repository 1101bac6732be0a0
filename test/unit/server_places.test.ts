import { beforeEach, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/boundary.js'
import { CROSSING } from '../../src/boundary.js'
import { Initiator } from '../../src/core/initiator.js'
import { keyPairOf } from '../../src/core/keys.js'
import { Server } from '../../src/core/server.js'
import { Timestamps } from '../../src/core/timestamp.js'
import { TIMER } from '../../src/wire.js'
import { coreOptions, MS, only, SECOND, takeCommands, takeFacts } from './core_fixture.js'
import { INSTANCE, keyPair, OFFER, seeded } from './handshake_fixture.js'
import { MemoryRegistry } from './world_fixture.js'

let registry: MemoryRegistry

beforeEach(() => {
  registry = new MemoryRegistry()
})

describe('places for peers', () => {
  let core: Server
  const from = (port: number): Endpoint => ({
    port: 0,
    family: 4,
    remotePort: port,
    remote: new Uint8Array(16).fill(10),
    scope: 0,
    local: new Uint8Array(16),
  })

  /** One initiation of this key, as C would pass it on, perhaps later than it was made. */
  function knock(
    nowUs: number,
    key: string,
    invitation?: { id: Uint8Array; secret: Uint8Array },
    heardUs = nowUs,
  ) {
    const initiator = new Initiator({
      staticKey: keyPairOf(seeded(key)(32)),
      serverPublicKey: keyPair('server').publicKey,
      offer: OFFER,
      random: seeded(`${key} at ${nowUs}`),
      timestamps: new Timestamps(),
    })
    initiator.attempt(nowUs, {
      wallUs: nowUs + 1,
      localIndex: 1,
      instance: INSTANCE,
      ...(invitation === undefined ? {} : { invitation }),
    })
    const message = initiator.messageFor(nowUs, 0)!
    const bytes = new Uint8Array(256)
    bytes.set(message)
    core.handleEvent(heardUs, { kind: 'handshake', length: message.length, bytes, ...from(1) })
    core.handleTimeout(heardUs)
    return takeCommands(core)
  }

  beforeEach(() => {
    core = new Server({ ...coreOptions('server'), registry })
  })

  it('are not filled by the holder of one invitation', () => {
    const invitation = registry.newInvite('camper')
    for (let i = 0; i < 50; i++) knock(i * SECOND, `key ${i}`, invitation)
    expect(core.snapshot().peers).toHaveLength(1)
    // Nothing is left of the others: each of them is heard again.
    expect(only(knock(60 * SECOND, 'key 3', invitation), 'datagramSend')).toHaveLength(1)
  })

  it('leave nothing behind of a key that was revoked while its client is away', () => {
    const { publicKey } = keyPairOf(seeded('van')(32))
    registry.addPeer('van', publicKey)
    const goneUs = TIMER.rejectAfterUs.value
    expect(only(knock(0, 'van'), 'datagramSend')).toHaveLength(1)
    core.handleTimeout(goneUs)
    takeCommands(core)
    expect(core.snapshot().peers).toEqual([])
    const again = (heardUs: number) => only(knock(0, 'van', undefined, heardUs), 'datagramSend')
    expect(again(goneUs + SECOND)).toEqual([])
    expect(core.snapshot().refusals).toEqual({ replay: 1 })
    expect([...core.names]).toEqual(['van'])
    expect(core.revoke('van')).toBe(false)
    expect([...core.names]).toEqual([])
    expect(again(goneUs + 2 * SECOND)).toHaveLength(1)
  })

  it('leave nothing behind of a key whose name was given to another while its client is away', () => {
    const { publicKey } = keyPairOf(seeded('old')(32))
    registry.addPeer('van', publicKey)
    knock(0, 'old')
    core.handleTimeout(TIMER.rejectAfterUs.value)
    takeCommands(core)
    const [keys] = only(knock(200 * SECOND, 'new', registry.newInvite('van')), 'keysInstall')
    const { peer, localIndex } = keys!.fields
    core.handleEvent(201 * SECOND, {
      kind: 'epochConfirmed',
      peer: peer!,
      localIndex: localIndex!,
    })
    registry.addPeer('van', publicKey)
    expect(only(knock(0, 'old', undefined, 202 * SECOND), 'datagramSend')).toHaveLength(1)
  })

  it('are not used again while events of their former peer may be under way', () => {
    const slots = ['a', 'b'].map((name, i) => {
      registry.addPeer(name, keyPairOf(seeded(name)(32)).publicKey)
      const [added] = only(knock(i * SECOND, name), 'peerAdd')
      core.revoke(name)
      takeCommands(core)
      return added!.fields.peer
    })
    expect(slots).toEqual([0, 1])
  })

  it('are asked for what they measure in as many parts as C tells', () => {
    const asked = () => only(takeCommands(core), 'statsRequest').map(({ fields }) => fields)
    const told = () => only(takeFacts(core), 'stats').map(({ token }) => token)
    core.requestStats(5)
    expect(asked()).toEqual([{ token: 5, first: 0 }])
    core.handleEvent(SECOND, { kind: 'statsEnd', next: 100, token: 5 })
    expect([asked(), told()]).toEqual([[{ token: 5, first: 100 }], []])
    core.handleEvent(SECOND, { kind: 'statsEnd', next: 0, token: 5 })
    expect([asked(), told()]).toEqual([[], [5]])
  })

  it('are refused when there are none left, and free again after a while', () => {
    for (let i = 0; i <= CROSSING.peers.value; i++) {
      registry.addPeer(`p${i}`, keyPairOf(seeded(`p${i}`)(32)).publicKey)
    }
    let nowUs = 0
    for (let i = 0; i < CROSSING.peers.value; i++) {
      nowUs += 50 * MS
      knock(nowUs, `p${i}`)
    }
    expect(core.snapshot().peers).toHaveLength(CROSSING.peers.value)
    const last = `p${CROSSING.peers.value}`
    nowUs += SECOND
    expect(only(knock(nowUs, last), 'datagramSend')).toEqual([])
    expect(core.snapshot().refusals).toEqual({ full: 1 })
    expect(only(takeFacts(core), 'handshake-refused')).toMatchObject([{ why: 'full', peer: last }])
    nowUs += TIMER.rejectAfterUs.value
    core.handleTimeout(nowUs)
    takeCommands(core)
    expect(only(knock(nowUs + SECOND, last), 'datagramSend')).toHaveLength(1)
    expect(only(takeFacts(core), 'session-down')).toEqual([])
  })
})
