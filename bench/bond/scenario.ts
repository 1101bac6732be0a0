/** What a scenario is made of. */

import type { Direction } from './bulk.js'

export interface BondLink {
  /** Up to 12 letters, digits, `_` and `-`. */
  readonly name: string
  /** What balance-rr and balance-xor are told of it; of a trace its mean. */
  readonly mbit: number
  /** As the emulator's --link, without the name. */
  readonly description: string
}

/** Something that happens to a link while traffic flows; times are since the traffic began. */
export interface Happening {
  readonly atS: number
  readonly link: string
  /** `cut` and `restore`, silently, or words of a link's description. */
  readonly what: 'cut' | 'restore' | `set ${string}`
}

/** What is sent: one TCP connection, 500 datagrams a second, or both at once. */
export type Load = 'tcp' | 'udp' | 'mix'

export interface Scenario {
  readonly id: string
  /** In a few words, for people. */
  readonly title: string
  /** Which chart and claim it belongs to. */
  readonly group: Group
  /** The first is the one with which MPTCP begins. */
  readonly links: readonly BondLink[]
  /** `tcp` by default. */
  readonly loads?: readonly Load[]
  /** `up` by default. */
  readonly direction?: Direction
  readonly happenings?: readonly Happening[]
  /** The traffic's least length; the happenings need it. */
  readonly leastS?: number
  /** A pair of unlike links of which one is no help: no claim on the sum is made. */
  readonly isLopsided?: boolean
  /** The share of the sum is that of these links without loss. */
  readonly isLossy?: boolean
}

export type Group = 'table' | 'profiles' | 'fast' | 'varying' | 'cuts' | 'loss' | 'interactive'

/** Whether the figure at a link is its own: what happens to it meanwhile is another matter. */
export const isSteady = ({ happenings = [] }: Scenario) => happenings.length === 0
