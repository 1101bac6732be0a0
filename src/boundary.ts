/**
 * The contract between the two halves of one process: TypeScript decides, C carries.
 * Commands go down and events come up as fixed-size records (some commands with a payload behind them).
 * The records are in boundary/, and everybody imports them from here. contract.ts prints all of it as
 * native/contract.h; a digest of both is compared when the addon loads.
 */

import { COMMAND } from './boundary/command.js'
import { EVENT } from './boundary/event.js'
import type { Layout, RecordOf } from './layout.js'

export { COUNTER } from './boundary/counter.js'
export { PATH_LOST } from './boundary/event.js'
export { PLAN, PLAN_KIND, PLAN_PATH, PLAN_PATH_FLAG } from './boundary/plan.js'
export type { Endpoint } from './boundary/record.js'
export { COMMAND, EVENT }

/** Sizes and depths of the crossing itself. */
export const CROSSING = {
  peers: { value: 1024, doc: 'peers of one engine' },
  ports: { value: 32, doc: 'UDP sockets of one engine' },
  epochs: { value: 3, doc: 'keys that one peer can hold: previous, current, next' },
  commandSlots: { value: 1024, doc: 'depth of the command ring; a power of two' },
  eventSlots: { value: 4096, doc: 'depth of the event ring; a power of two' },
  eventSlotBytes: { value: 384, doc: 'size of a slot of the event ring' },
  commandSlotBytes: { value: 128, doc: 'size of a slot of the command ring' },
  planChoices: { value: 4, doc: 'ranked paths of one bucket in a plan of kind buckets' },
  planSlots: { value: 1024, doc: 'most slots of a plan of kind slots' },
  noPath: { value: 255, doc: 'stands for no path' },
  noPort: { value: 255, doc: 'stands for no socket' },
} as const

type Fields<L extends Layout> = Omit<RecordOf<L>, 'kind'>

/** What TypeScript asks of C. Fields left out are zero. */
export type EngineCommand = {
  [K in keyof typeof COMMAND]: {
    readonly kind: K
    readonly fields: Partial<Fields<(typeof COMMAND)[K]['layout']>>
    readonly payload?: Uint8Array
  }
}[keyof typeof COMMAND]

/** What C tells TypeScript, by the name of its kind. */
export type EngineEvent = {
  [K in keyof typeof EVENT]: { readonly kind: K } & Fields<(typeof EVENT)[K]['layout']>
}[keyof typeof EVENT]

/** The event of one kind. */
export type EventOf<K extends keyof typeof EVENT> = Extract<EngineEvent, { kind: K }>
