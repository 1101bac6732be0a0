/** What a scenario is made of. */

import type { Direction } from '../bulk.js'

export interface BondLink {
  /** Up to 12 letters, digits, `_` and `-`. */
  readonly name: string
  /** What balance-rr and balance-xor are told of it; of a trace its mean. */
  readonly mbit: number
  /** One way, when nothing waits. */
  readonly delayMs: number
  /** As the emulator's --link, without the name. */
  readonly description: string
}

/** Something that happens to a link while traffic flows; times are since the traffic began. */
export interface Happening {
  readonly atS: number
  readonly link: string
  /**
   * `cut` and `restore` are silent: the devices stay. `unplug` and `plug` take the client's device away
   * and bring it back. Else words of a link's description.
   */
  readonly what: 'cut' | 'restore' | 'unplug' | 'plug' | `set ${string}`
}

/** What is sent: one TCP connection, 500 datagrams a second, or both at once. */
export type Load = 'tcp' | 'udp' | 'mix'

/** What belongs together in charts and claims. */
export const GROUPS = {
  table: 'Poor pairs and a sextet',
  sticks: 'Six sticks',
  profiles: 'Sixteen profiles of netem, the delay at both ends',
  fast: 'Fast links',
  loss: 'Random loss',
  interactive: 'Both ways at once',
  varying: 'Links that change',
  traces: 'Recorded links',
  cuts: 'Cuts',
} as const

export type Group = keyof typeof GROUPS

export interface Scenario {
  readonly id: string
  /** In a few words, for people. */
  readonly title: string
  readonly group: Group
  /** The first is the one with which MPTCP begins. */
  readonly links: readonly BondLink[]
  /** `tcp` by default. */
  readonly loads?: readonly Load[]
  /** `up` by default. */
  readonly direction?: Direction
  readonly happenings?: readonly Happening[]
  /** The traffic's least length: a course of its own takes its time. */
  readonly leastS?: number
  /** One link is so much slower or later than the other that no share of the sum is claimed. */
  readonly isLopsided?: boolean
  /** Measured against what its links carry without their random loss, too. */
  readonly isLossy?: boolean
  /** A link alone goes through the same course: its share of the sum is its own. */
  readonly isCourseOfLink?: boolean
}

/** `words` are more of the emulator's. Delays are one way. */
export const link = (name: string, mbit: number, delayMs: number, words = ''): BondLink => ({
  name,
  mbit,
  delayMs,
  description: `rate=${mbit},delay=${delayMs}${words}`,
})
