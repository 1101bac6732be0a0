import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { CROSSING, type EngineCommand } from '../../src/boundary.js'
import type { Context } from '../../src/core/context.js'
import { aeadName, Epochs } from '../../src/core/epochs.js'
import { TIMER } from '../../src/wire.js'
import { newContext, only, SECOND, takeCommands } from './core_fixture.js'
import { AES, CHACHA } from './handshake_fixture.js'

const PEER = 3
const LIFETIME = TIMER.rejectAfterUs.value

/** The context's indices, watched: each is given back exactly once. */
class Indices {
  readonly taken = new Set<number>()

  constructor(context: Context) {
    const take = context.takeIndex.bind(context)
    const give = context.giveIndex.bind(context)
    context.takeIndex = () => {
      const index = take()
      this.taken.add(index)
      return index
    }
    context.giveIndex = (index) => {
      expect(this.taken.delete(index), `index ${index} was given back twice`).toBe(true)
      give(index)
    }
  }
}

interface Slot {
  readonly index: number
  readonly fresh: boolean
  isConfirmed: boolean
}

/** The keys of one peer as native/command.c and native/tunnel.c keep them. */
class Slots {
  present: Slot[] = []
  sending: Slot | undefined
  /** Indices of events epochConfirmed that TypeScript has not read. */
  readonly confirmed: number[] = []

  run(commands: readonly EngineCommand[]): void {
    for (const { kind, fields } of commands) {
      if (kind === 'keysDrop') {
        if (this.sending?.index === fields.localIndex) this.sending = undefined
        this.present = this.present.filter(({ index }) => index !== fields.localIndex)
      }
      if (kind !== 'keysInstall') continue
      const index = fields.localIndex!
      expect(this.present.map((slot) => slot.index)).not.toContain(index)
      expect(this.present.length).toBeLessThan(CROSSING.epochs.value)
      this.present.push({ index, fresh: fields.fresh === 1, isConfirmed: false })
      if (fields.confirmed === 1) this.hear(index)
    }
  }

  /** A datagram under these keys comes, or keys are installed that are confirmed. */
  hear(index: number): void {
    const slot = this.present.find((each) => each.index === index)
    if (slot === undefined || slot.isConfirmed) return
    slot.isConfirmed = true
    if (slot.fresh) this.present = [slot]
    this.sending = slot
    this.confirmed.push(index)
  }
}

let context: Context
let epochs: Epochs
let indices: Indices
beforeEach(() => {
  context = newContext()
  indices = new Indices(context)
  epochs = new Epochs(context, PEER)
})

function install(nowUs: number, { fresh = false, confirmed = false, aead = AES } = {}): number {
  const localIndex = context.takeIndex()
  const keys = { sendKey: new Uint8Array(32).fill(1), receiveKey: new Uint8Array(32).fill(2) }
  epochs.install(nowUs, { localIndex, remoteIndex: 77, aead, features: 1, keys, fresh, confirmed })
  expect(keys).toEqual({ sendKey: new Uint8Array(32), receiveKey: new Uint8Array(32) })
  return localIndex
}

const dropped = () => only(takeCommands(context), 'keysDrop').map(({ fields }) => fields.localIndex)

describe('keys', () => {
  it('go to C, and are erased here', () => {
    const localIndex = install(0, { fresh: true, confirmed: true, aead: CHACHA })
    expect(takeCommands(context)).toEqual([
      {
        kind: 'keysInstall',
        fields: {
          peer: PEER,
          localIndex,
          remoteIndex: 77,
          aead: CHACHA,
          confirmed: 1,
          fresh: 1,
          features: 1,
          sendKey: new Uint8Array(32).fill(1),
          receiveKey: new Uint8Array(32).fill(2),
        },
      },
    ])
  })

  it('are next until C says that they are in use, then current, then previous, then gone', () => {
    expect(epochs.isEmpty).toBe(true)
    const first = install(0)
    expect(epochs).toMatchObject({ isEmpty: false, aead: undefined, currentSinceUs: undefined })
    expect(epochs.handleConfirmed(first)).toEqual({ fresh: false })
    expect(epochs).toMatchObject({ aead: 'aes-256-gcm', currentSinceUs: 0 })

    const second = install(1, { aead: CHACHA })
    expect(epochs.aead).toBe('aes-256-gcm')
    epochs.handleConfirmed(second)
    expect(epochs).toMatchObject({ aead: 'chacha20-poly1305', currentSinceUs: 1 })
    expect(dropped()).toEqual([])

    const third = install(2)
    expect(dropped()).toEqual([])
    epochs.handleConfirmed(third)
    expect(dropped()).toEqual([first])
    expect(indices.taken).toEqual(new Set([second, third]))
  })

  it('of an offer that was never confirmed make way for the next offer', () => {
    const current = install(0)
    epochs.handleConfirmed(current)
    const [lost, taken] = [install(1), install(2)]
    expect(dropped()).toEqual([lost])
    expect(epochs.handleConfirmed(lost)).toBeUndefined()
    expect(epochs.handleConfirmed(taken)).toEqual({ fresh: false })
    expect(epochs.handleConfirmed(taken)).toBeUndefined()
  })

  it('of a peer that began anew end all others when they come into use, not before', () => {
    const [first, second] = [install(0), install(0)]
    epochs.handleConfirmed(second)
    const third = install(1)
    epochs.handleConfirmed(third)
    const fresh = install(2, { fresh: true })
    expect(dropped()).toEqual([first])
    expect(epochs.handleConfirmed(fresh)).toEqual({ fresh: true })
    expect(dropped().sort()).toEqual([second, third].sort())
    expect(indices.taken).toEqual(new Set([fresh]))
  })

  it('live for 180 s', () => {
    epochs.handleConfirmed(install(0))
    epochs.handleConfirmed(install(120 * SECOND))
    install(170 * SECOND)
    expect(epochs.nextTimeout()).toBe(LIFETIME)
    expect(epochs.handleTimeout(LIFETIME - 1)).toBe(false)
    expect(dropped()).toEqual([])
    expect(epochs.handleTimeout(LIFETIME)).toBe(false)
    expect(dropped()).toHaveLength(1)
    expect(epochs.nextTimeout()).toBe(300 * SECOND)
    // The session ends with its current keys, also while others are offered.
    expect(epochs.handleTimeout(300 * SECOND)).toBe(true)
    expect(epochs).toMatchObject({ aead: undefined, isEmpty: false })
    expect(epochs.handleTimeout(350 * SECOND)).toBe(false)
    expect(epochs).toMatchObject({ isEmpty: true })
    expect(epochs.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    expect(indices.taken.size).toBe(0)
  })

  it('all go at once when the session is closed', () => {
    epochs.handleConfirmed(install(0))
    epochs.handleConfirmed(install(1))
    install(2)
    epochs.dropAll()
    expect(dropped()).toHaveLength(3)
    expect(epochs.isEmpty).toBe(true)
    epochs.dropAll()
    expect(dropped()).toEqual([])
  })
})

describe('any history of handshakes', () => {
  const step = fc.record({
    waitUs: fc.oneof(fc.nat({ max: SECOND }), fc.nat({ max: 100 * SECOND })),
    what: fc.oneof(
      fc.constantFrom('offer', 'offer anew', 'agree', 'agree anew'),
      fc.constantFrom('hear the newest', 'hear any', 'read', 'timeout', 'drop all'),
    ),
  })

  it('keeps at most three keys in C, the same as here, and gives each index back once', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80, size: 'max' }),
        fc.nat(),
        fc.boolean(),
        (steps, seed, late) => {
          context = newContext(`epochs ${seed}`)
          indices = new Indices(context)
          epochs = new Epochs(context, PEER)
          const slots = new Slots()
          let nowUs = 0
          const read = () => {
            while (slots.confirmed.length > 0) epochs.handleConfirmed(slots.confirmed.shift()!)
          }
          for (const { waitUs, what } of steps) {
            nowUs += waitUs
            const fresh = what.endsWith('anew')
            // An initiation may be answered while keys of an earlier one come into use.
            if (what.startsWith('offer') && !late) read()
            if (what.startsWith('offer')) install(nowUs, { fresh })
            // The client reads its events before it can shake hands again.
            if (what.startsWith('agree')) {
              read()
              slots.run(takeCommands(context))
              install(nowUs, { fresh, confirmed: true })
            }
            if (what === 'hear the newest') slots.hear(slots.present.at(-1)?.index ?? 0)
            if (what === 'hear any') {
              slots.hear(slots.present[seed % (slots.present.length || 1)]?.index ?? 0)
            }
            if (what === 'drop all') epochs.dropAll()
            if (what === 'read') read()
            if (what === 'timeout') {
              read()
              epochs.handleTimeout(nowUs)
              expect(epochs.nextTimeout()).toBeGreaterThan(nowUs)
            }
            slots.run(takeCommands(context))
            if (slots.confirmed.length > 0) continue
            // Keys that C let go of by itself may be known here a little longer.
            for (const { index } of slots.present) expect(indices.taken).toContain(index)
            expect(indices.taken.size).toBeLessThanOrEqual(CROSSING.epochs.value)
            expect(epochs.isEmpty).toBe(indices.taken.size === 0)
            if (!late) expect(slots.sending === undefined).toBe(epochs.aead === undefined)
          }
          read()
          slots.run(takeCommands(context))
          epochs.dropAll()
          slots.run(takeCommands(context))
          expect(indices.taken.size).toBe(0)
          expect(slots.present).toEqual([])
        },
      ),
      { seed: 8, numRuns: 400 },
    )
  })
})

it('an AEAD has a name, also one that is not known', () => {
  expect(aeadName(AES)).toBe('aes-256-gcm')
  expect(aeadName(64)).toBe('aead 64')
})
