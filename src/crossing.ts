/** Commands and events as records: what crosses between TypeScript and C, in both directions. */
import { COMMAND, CROSSING, type EngineCommand, type EngineEvent, EVENT } from './boundary.js'
import { bugError } from './errors.js'
import { Codec, type Layout, type RecordOf } from './layout.js'

/** The carrying half as the rest of TypeScript sees it; the simulation stands in for it. */
export interface EnginePort {
  /** False: the ring is full, nothing was taken, try again after the next event. */
  command(command: EngineCommand): boolean
  /** The events that wait, oldest first: all, or as many as CROSSING.eventSlots, and then more may wait. */
  readEvents(): EngineEvent[]
}

type AnyCodec = Codec<Layout>
const codecOf = (layout: Layout): AnyCodec => new Codec(layout, 'aligned')

const COMMAND_CODECS = new Map(
  Object.entries(COMMAND).map(([kind, { value, layout }]) => [
    kind,
    { value, codec: codecOf(layout) },
  ]),
)
const EVENT_CODECS = new Map(
  Object.entries(EVENT).map(([kind, { value, layout }]) => [
    value as number,
    { kind, codec: codecOf(layout) },
  ]),
)

/** The record of a command. It may hold keys: erase it after use. */
export function encodeCommand(command: EngineCommand): Uint8Array {
  const entry = COMMAND_CODECS.get(command.kind)
  if (entry === undefined) throw bugError('COMMAND', `there is no command "${command.kind}"`)
  const fields = command.fields as Partial<RecordOf<Layout>>
  return entry.codec.encode({ ...fields, kind: entry.value })
}

/** The event in one slot of the event ring. */
export function decodeEvent(slot: Uint8Array): EngineEvent {
  const value = (slot[0] ?? 0) | ((slot[1] ?? 0) << 8)
  const entry = EVENT_CODECS.get(value)
  if (entry === undefined) throw bugError('EVENT', `there is no event ${value}`)
  return Object.assign(entry.codec.decode(slot), { kind: entry.kind }) as unknown as EngineEvent
}

/**
 * Takes events out of a ring by `read`, which fills whole slots and says how many, until none waits; or a ring of
 * them, because whoever writes as fast as they are read would keep us here.
 */
export class EventReader {
  readonly #slots = new Uint8Array(64 * CROSSING.eventSlotBytes.value)
  readonly #read: (into: Uint8Array) => number

  constructor(read: (into: Uint8Array) => number) {
    this.#read = read
  }

  readAll(): EngineEvent[] {
    const events: EngineEvent[] = []
    const slotBytes = CROSSING.eventSlotBytes.value
    while (events.length < CROSSING.eventSlots.value) {
      const count = this.#read(this.#slots)
      for (let at = 0; at < count * slotBytes; at += slotBytes) {
        events.push(decodeEvent(this.#slots.subarray(at, at + slotBytes)))
      }
      if (count * slotBytes < this.#slots.length) break
    }
    return events
  }
}
