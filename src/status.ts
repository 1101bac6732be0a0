/** What `mptun status` tells: one object, as programs get it. `out` and `in` are away from and to the side that is asked. */

export interface StatusReport {
  readonly version: string
  readonly role: 'server' | 'client'
  readonly tun: string
  readonly mtuBytes: number
  /** Inner addresses of this side with their prefixes; empty until the server has told them. */
  readonly addresses: readonly string[]
  readonly uptimeS: number
  /** Client: where the server is looked for. Server: where it listens. */
  readonly endpoints: readonly string[]
  /** Library that seals, by name of the AEAD. */
  readonly sealing: Readonly<Record<string, string>>
  readonly peers: readonly PeerReport[]
  /** Of C, those that are not zero. */
  readonly counters: Readonly<Record<string, number>>
  /** Handshake messages that were not acted upon. */
  readonly refusals: Readonly<Record<string, number>>
}

export interface PeerReport {
  readonly name: string
  /** Undefined: no session. */
  readonly sessionS: number | undefined
  readonly aead: string | undefined
  readonly inUse: boolean
  /** The policy's, and the one that is carried out. */
  readonly mode: string
  readonly modeInUse: string
  readonly addresses: readonly string[]
  /** A sentence on what is wrong with it as a whole, else empty. */
  readonly warning: string
  readonly paths: readonly PathReport[]
  /** Inner packets and what became of their order; undefined until measured. */
  readonly order: OrderReport | undefined
  /** What waits to be sent and what was sent again; undefined unless the mode does so. */
  readonly repair: RepairReport | undefined
}

/** Ratios from 0 to 1 and rates are over the last seconds; counts since the session began. */
export interface RepairReport {
  /** In the queue in front of the paths now, and how long its oldest packet has waited. */
  readonly backlogBytes: number
  readonly backlogMs: number
  readonly queueDropped: number
  readonly queueMarked: number
  readonly resent: number
  readonly resentBytes: number
  readonly copied: number
  readonly givenUp: number
  /** Of the packets sent. */
  readonly resentShare: number
  readonly copiedShare: number
  readonly droppedShare: number
  readonly feedbackBytes: number
  readonly feedbackBytesPerS: number
  /** Sent without what the other side knows of their headers, and what that saved. */
  readonly compressed: number
  readonly savedBytes: number
}

export interface OrderReport {
  readonly outPackets: number
  readonly inPackets: number
  /** Waiting now, and packets that ever had to wait for others. */
  readonly held: number
  readonly heldTotal: number
  readonly provedLost: number
  readonly deadlinePassed: number
  readonly late: number
  readonly duplicates: number
}

export interface PathReport {
  readonly path: number | undefined
  /** Name of the uplink; on a server as the client tells it, or the number where it does not. */
  readonly label: string
  readonly endpoint: string | undefined
  readonly state: string
  readonly sinceS: number | undefined
  /** Data may be on it. */
  readonly inUse: boolean
  /** A sentence when it is not in use, else empty. */
  readonly why: string
  /** What else is to be said: each the rest of a sentence that begins with the label. */
  readonly notes: readonly string[]
  readonly intent: string
  readonly tier: number
  readonly weight: number
  readonly metered: boolean
  /** What this side sends at most; 0: no cap. */
  readonly capBytesPerS: number
  readonly measured: PathMeasured | undefined
}

export interface PathMeasured {
  readonly rttMs: number
  readonly smoothedRttMs: number
  readonly rttVariationMs: number
  readonly leastRttMs: number
  readonly jitterMs: number
  /** One-way delay above the quickest path's. */
  readonly outSkewMs: number
  readonly inSkewMs: number
  /** Ratios from 0 to 1: over the last seconds, and since the session began. */
  readonly outLoss: number
  readonly inLoss: number
  readonly outLossTotal: number
  readonly inLossTotal: number
  readonly outBytesPerS: number
  readonly inBytesPerS: number
  readonly outBytes: number
  readonly inBytes: number
  /** Of the peer's packets in the last seconds, 0 to 1. */
  readonly outShare: number
  readonly inShare: number
  readonly sendErrors: number
  /** Undefined unless the mode gives the path a window. */
  readonly window: WindowReport | undefined
}

export interface WindowReport {
  /** Put aside for lack of progress, and how often it was. */
  readonly suspect: boolean
  readonly suspicions: number
  readonly windowBytes: number
  readonly inflightBytes: number
  /** What the path can deliver; 0: not known, because it was not full lately. */
  readonly canBytesPerS: number
  /** On the uplink, and what is aimed at. */
  readonly queueMs: number
  readonly targetMs: number
  /** Of the packets that the other side reports on, 0 to 1. */
  readonly lost: number
}
