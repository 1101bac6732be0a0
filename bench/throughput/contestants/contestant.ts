/** Whoever carries packets between two namespaces. */

import type { Wire } from '../wire.js'

/** The last three encrypt nothing: they show limits and take no part in comparisons. */
export type Kind = 'mptun' | 'peer' | 'unsealed' | 'relay' | 'kernel'

export interface Contestant {
  /** A word for the command line and for JSON. */
  readonly id: string
  readonly title: string
  readonly kind: Kind
  /** What the packets are sealed with. */
  readonly cipher: string
  /** How many links it uses. */
  readonly links: number
  /** Of the program, for the report. */
  version(): Promise<string>
  /** Starts it; resolves when it carries. */
  open(wire: Wire): Promise<Carrier>
}

export interface Carrier {
  /** Inner IPv4 addresses: traffic is sent to these. */
  readonly clients: readonly string[]
  readonly server: string
  /** The devices of these addresses, where there are several clients. */
  readonly clientDevices?: readonly string[]
  /** How many packets the server has taken from its TUN, where it tells. */
  readonly packetsTaken?: () => Promise<number>
  /** Its processes, whose CPU time and memory count; none where the kernel carries. */
  readonly pids: readonly number[]
  close(): Promise<void>
}
