/** From the core's snapshot, in microseconds and counts, to the report in people's units. */

import type { PathSnapshot, PeerSnapshot, TunnelSnapshot } from '../core/snapshot.js'
import type { Loss, PathMeasurements, PeerMeasurements } from '../core/stats.js'
import type { Aeads } from '../engine.js'
import type {
  OrderReport,
  PathMeasured,
  PathReport,
  PeerReport,
  RepairReport,
  WindowReport,
} from '../status.js'
import { AEAD } from '../wire.js'
import { endpointText } from './facts.js'

export function reportCounts({ counters, refusals }: TunnelSnapshot) {
  const present = Object.entries(counters).filter(([, count]) => count !== undefined && count > 0)
  return { counters: Object.fromEntries(present) as Record<string, number>, refusals }
}

export function reportSealing({ providers }: Aeads): Record<string, string> {
  const known = Object.entries(AEAD).flatMap(([name, { value }]) => {
    const library = providers[value]
    return library === undefined ? [] : [[name, library] as const]
  })
  return Object.fromEntries(known)
}

export function reportPeer(
  nowUs: number,
  peer: PeerSnapshot,
  addresses: readonly string[],
  warning = '',
): PeerReport {
  const { name, aead, sessionSinceUs, inUse, policy, mode, paths, measurements } = peer
  const total = (key: 'txDataInWindow' | 'rxDataInWindow') =>
    paths.reduce((sum, path) => sum + (path.measurements?.[key] ?? 0), 0)
  const totals = { out: total('txDataInWindow'), in: total('rxDataInWindow') }
  return {
    name,
    sessionS: sessionSinceUs === undefined ? undefined : secondsSince(nowUs, sessionSinceUs),
    aead,
    inUse,
    mode: policy.mode,
    modeInUse: mode,
    addresses,
    warning,
    paths: paths.map((path) => reportPath(nowUs, path, totals)),
    order: measurements && reportOrder(measurements),
    repair: measurements && mode === 'adaptive' ? reportRepair(measurements) : undefined,
  }
}

function reportOrder(of: PeerMeasurements): OrderReport {
  const { txPackets: outPackets, rxPackets: inPackets, held, heldTotal } = of
  const { provedLost, deadlinePassed, late, duplicates } = of
  return { outPackets, inPackets, held, heldTotal, provedLost, deadlinePassed, late, duplicates }
}

function reportRepair(of: PeerMeasurements): RepairReport {
  const { inWindow } = of
  return {
    backlogBytes: of.backlogBytes,
    backlogMs: milliseconds(of.backlogUs),
    queueDropped: of.queueDropped,
    queueMarked: of.queueMarked,
    resent: of.resent,
    resentBytes: of.resentBytes,
    copied: of.copied,
    givenUp: of.givenUp,
    resentShare: share(inWindow.resent, inWindow.txPackets),
    copiedShare: share(inWindow.copied, inWindow.txPackets),
    droppedShare: share(inWindow.queueDropped, inWindow.txPackets + inWindow.queueDropped),
    feedbackBytes: of.txFeedbackBytes,
    feedbackBytesPerS: Math.round(inWindow.feedbackBytesPerS),
    compressed: of.compressed,
    savedBytes: of.savedBytes,
  }
}

interface Totals {
  readonly out: number
  readonly in: number
}

function reportPath(nowUs: number, path: PathSnapshot, totals: Totals): PathReport {
  const { label, endpoint, state, sinceUs, inPlan, why, notes } = path
  const { intent, tier, weight, metered, capBytesPerS, measurements } = path
  return {
    path: path.path,
    label,
    endpoint: endpoint && endpointText(endpoint),
    state,
    sinceS: secondsSince(nowUs, sinceUs),
    inUse: inPlan,
    why,
    notes,
    intent,
    tier,
    weight,
    metered,
    capBytesPerS,
    measured: measurements && reportMeasured(measurements, totals),
  }
}

function reportMeasured(of: PathMeasurements, totals: Totals): PathMeasured {
  return {
    rttMs: milliseconds(of.rttUs),
    smoothedRttMs: milliseconds(of.srttUs),
    rttVariationMs: milliseconds(of.rttvarUs),
    leastRttMs: milliseconds(of.minRttUs),
    jitterMs: milliseconds(of.jitterUs),
    outSkewMs: milliseconds(of.txSkewUs),
    inSkewMs: milliseconds(of.rxSkewUs),
    outLoss: ratio(of.txLoss),
    inLoss: ratio(of.rxLoss),
    outLossTotal: ratio(of.txLossTotal),
    inLossTotal: ratio(of.rxLossTotal),
    outBytesPerS: Math.round(of.txBytesPerS),
    inBytesPerS: Math.round(of.rxBytesPerS),
    outBytes: of.txBytes,
    inBytes: of.rxBytes,
    outShare: share(of.txDataInWindow, totals.out),
    inShare: share(of.rxDataInWindow, totals.in),
    sendErrors: of.txErrors,
    window: of.windowBytes === 0 ? undefined : reportWindow(of),
  }
}

function reportWindow(of: PathMeasurements): WindowReport {
  return {
    suspect: of.suspect,
    suspicions: of.suspicions,
    windowBytes: of.windowBytes,
    inflightBytes: of.inflightBytes,
    canBytesPerS: of.wasFull ? of.deliveryBytesPerS : 0,
    queueMs: milliseconds(of.queueUs),
    targetMs: milliseconds(of.targetUs),
    lost: ratio(of.reported),
  }
}

function secondsSince(nowUs: number, sinceUs: number): number {
  return Math.max(0, Math.floor((nowUs - sinceUs) / 1e6))
}

function milliseconds(us: number): number {
  return us / 1000
}

function ratio({ lost, expected }: Loss): number {
  return share(lost, expected)
}

/** Four digits: more would be noise. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000
}
