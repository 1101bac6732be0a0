/** How things stand: what status and tests read. Times are on the daemon's monotonic clock. */
import type { COUNTER, Endpoint } from '../boundary.js'
import type { PathState } from './path.js'
import type { Intent, Mode, Policy } from './policy.js'
import type { PathMeasurements, PeerMeasurements } from './stats.js'

export interface PathSnapshot {
  readonly path: number
  /** Name of the uplink; on the server as the client tells it, or the number where it does not. */
  readonly label: string
  readonly endpoint: Endpoint | undefined
  readonly state: PathState
  readonly sinceUs: number
  /** Data may be on it. */
  readonly inPlan: boolean
  /** A sentence when it is not in the plan, else empty. */
  readonly why: string
  /** What else is to be told of it, each the rest of a sentence that begins with its label. */
  readonly notes: readonly string[]
  readonly intent: Intent
  readonly tier: number
  readonly weight: number
  readonly metered: boolean
  /** Bytes per second that this side sends at most; 0: no cap. */
  readonly capBytesPerS: number
  readonly measurements: PathMeasurements | undefined
}

export interface PeerSnapshot {
  readonly name: string
  /** Undefined: no session. */
  readonly aead: string | undefined
  readonly sessionSinceUs: number | undefined
  readonly inUse: boolean
  readonly policy: Policy
  /** The mode that is carried out; another than the policy's where the other side cannot follow that one. */
  readonly mode: Mode
  readonly paths: readonly PathSnapshot[]
  readonly measurements: PeerMeasurements | undefined
}

export interface TunnelSnapshot {
  readonly peers: readonly PeerSnapshot[]
  readonly counters: Readonly<Partial<Record<keyof typeof COUNTER, number>>>
  /** Handshake messages that were not acted upon, by reason. */
  readonly refusals: Readonly<Record<string, number>>
}
