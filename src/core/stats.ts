/** What C measured, sample by sample, made into rates, shares and losses over a window. */
import type { EventOf } from '../boundary.js'

type PathSample = EventOf<'pathStats'>
type PeerSample = EventOf<'peerStats'>

/** With size probes that nobody had answered by then: they are made to fail, which says nothing of the path. */
interface PathCounts {
  readonly counted: PathSample
  readonly sizesUnanswered: number
}

/** Rates and losses are taken over the samples of so long. Long enough for 1 % loss to show at 100 packets/s. */
const WINDOW_US = 10_000_000
/** What is decided several times a second looks at less. */
const RECENT_US = 1_000_000
/** For so long what a full path delivered says what it can: links of mobiles change within minutes. */
const FULL_FOR_US = 60_000_000
/** Shares of the window and of the delay target. Between bursts a full window has room for some packets. */
const FULL_WINDOW = 0.9
const FULL_QUEUE = 0.25

export interface Loss {
  /** Datagrams that should have arrived, and those of them that did not. */
  readonly expected: number
  readonly lost: number
}

export interface PathMeasurements {
  readonly rttUs: number
  readonly srttUs: number
  readonly rttvarUs: number
  readonly minRttUs: number
  readonly jitterUs: number
  readonly rxSkewUs: number
  readonly txSkewUs: number
  readonly silentUs: number
  readonly txBytesPerS: number
  readonly rxBytesPerS: number
  /** Over the last second only. */
  readonly recentTxBytesPerS: number
  readonly txBytes: number
  readonly rxBytes: number
  /** Inner packets sent in the window, for shares. */
  readonly txDataInWindow: number
  readonly rxDataInWindow: number
  readonly txErrors: number
  readonly rxLoss: Loss
  readonly txLoss: Loss
  readonly rxLossTotal: Loss
  readonly txLossTotal: Loss
  /** Put aside by C for lack of progress, and how often that came to pass. */
  readonly suspect: boolean
  readonly suspicions: number
  readonly suspicionsInWindow: number
  /** What may be under way, and what is; 0: the path has no window. */
  readonly windowBytes: number
  readonly inflightBytes: number
  /** Bytes per second that the path is known to deliver; 0: nothing is known. More may be in it that nobody asked for. */
  readonly deliveryBytesPerS: number
  /** It was full within the last minute: `deliveryBytesPerS` is what it can. */
  readonly wasFull: boolean
  readonly queueUs: number
  readonly targetUs: number
  /** Data packets that were to be reported, and those of them that were reported missing. */
  readonly reported: Loss
}

export interface PeerMeasurements {
  readonly inUse: boolean
  readonly held: number
  readonly txPackets: number
  readonly rxPackets: number
  readonly heldTotal: number
  readonly provedLost: number
  readonly deadlinePassed: number
  readonly late: number
  readonly duplicates: number
  /** The ingress queue now, and what it did. */
  readonly backlogBytes: number
  readonly backlogUs: number
  readonly queueDropped: number
  readonly queueMarked: number
  readonly resent: number
  readonly resentBytes: number
  readonly copied: number
  readonly givenUp: number
  readonly txFeedbackBytes: number
  /** Packets sent without what the other side knows of their headers, and what that saved. */
  readonly compressed: number
  readonly savedBytes: number
  /** Over the last seconds. */
  readonly inWindow: {
    readonly txPackets: number
    readonly queueDropped: number
    readonly resent: number
    readonly copied: number
    readonly givenUp: number
    readonly feedbackBytesPerS: number
  }
  /** Over the last second only. */
  readonly recentResentBytesPerS: number
}

/** Samples of the last seconds, of what counts up for ever. */
class Window<S> {
  #samples: { readonly atUs: number; readonly sample: S }[] = []

  add(nowUs: number, sample: S): void {
    this.#samples.push({ atUs: nowUs, sample })
    while (this.#samples.length > 2 && this.#samples[1]!.atUs <= nowUs - WINDOW_US) {
      this.#samples.shift()
    }
  }

  /** What is counted has begun anew, from zero. */
  restart(): void {
    this.#samples = []
  }

  /** The last sample, and one of a second before or more. */
  recent(): { readonly now: S; readonly before: S; readonly seconds: number } | undefined {
    const last = this.#samples.at(-1)
    if (last === undefined) return undefined
    const first =
      this.#samples.findLast(({ atUs }) => atUs <= last.atUs - RECENT_US) ?? this.#samples[0]!
    return { now: last.sample, before: first.sample, seconds: (last.atUs - first.atUs) / 1e6 }
  }

  span(): { readonly now: S; readonly before: S; readonly seconds: number } | undefined {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined) return undefined
    return { now: last.sample, before: first.sample, seconds: (last.atUs - first.atUs) / 1e6 }
  }
}

/** The samples of one path. */
export class PathStats {
  readonly #window = new Window<PathCounts>()
  #sizesUnanswered = 0
  #sampledUs = 0
  #fullUs = Number.NEGATIVE_INFINITY
  /** Of the samples until now; asked for several times after each. */
  #measured: PathMeasurements | undefined

  handleSample(nowUs: number, sample: PathSample): void {
    this.#measured = undefined
    this.#window.add(nowUs, { counted: sample, sizesUnanswered: this.#sizesUnanswered })
    this.#sampledUs = nowUs
    if (isFull(sample)) this.#fullUs = nowUs
  }

  handleSizeProbe(): void {
    this.#sizesUnanswered++
  }

  handleSizeEcho(): void {
    this.#sizesUnanswered = Math.max(0, this.#sizesUnanswered - 1)
  }

  /** The path began anew, and counts from zero again. */
  restart(): void {
    this.#window.restart()
    this.#sizesUnanswered = 0
    this.#measured = undefined
    this.#fullUs = Number.NEGATIVE_INFINITY
  }

  measurements(): PathMeasurements | undefined {
    this.#measured ??= this.#measure()
    return this.#measured
  }

  #measure(): PathMeasurements | undefined {
    const span = this.#window.span()
    if (span === undefined) return undefined
    const { counted: now, sizesUnanswered } = span.now
    const { counted: before } = span.before
    const { seconds } = span
    const sizesInWindow = Math.max(0, sizesUnanswered - span.before.sizesUnanswered)
    const rate = (bytes: number) => perSecond(bytes, seconds)
    const recent = this.#window.recent() ?? span
    return {
      rttUs: now.rttUs,
      srttUs: now.srttUs,
      rttvarUs: now.rttvarUs,
      minRttUs: now.minRttUs,
      jitterUs: now.jitterUs,
      rxSkewUs: now.rxSkewUs,
      txSkewUs: now.txSkewUs,
      silentUs: now.silentUs,
      txBytesPerS: rate(now.txBytes - before.txBytes),
      rxBytesPerS: rate(now.rxBytes - before.rxBytes),
      recentTxBytesPerS: perSecond(now.txBytes - recent.before.counted.txBytes, recent.seconds),
      txBytes: now.txBytes,
      rxBytes: now.rxBytes,
      txDataInWindow: now.txData - before.txData,
      rxDataInWindow: now.rxData - before.rxData,
      txErrors: now.txErrors,
      rxLoss: loss(now.rxExpected - before.rxExpected, now.rxDatagrams - before.rxDatagrams),
      txLoss: loss(
        now.peerExpected - before.peerExpected - sizesInWindow,
        now.peerReceived - before.peerReceived,
      ),
      rxLossTotal: loss(now.rxExpected, now.rxDatagrams),
      txLossTotal: loss(now.peerExpected - sizesUnanswered, now.peerReceived),
      suspect: now.suspect === 1,
      suspicions: now.suspicions,
      suspicionsInWindow: now.suspicions - before.suspicions,
      windowBytes: now.windowBytes,
      inflightBytes: now.inflightBytes,
      deliveryBytesPerS: now.deliveryBytesPerS,
      wasFull: this.#sampledUs - this.#fullUs <= FULL_FOR_US,
      queueUs: now.queueUs,
      targetUs: now.targetUs,
      reported: {
        expected: now.txData - before.txData,
        lost: now.lostDatagrams - before.lostDatagrams,
      },
    }
  }
}

/**
 * Whether more was to be sent than the path takes: its window is used up, or a queue stands on it, as it does
 * under a sender that keeps below any window (BBR). Without either the rate is the sender's.
 */
function isFull({ windowBytes, inflightBytes, queueUs, targetUs }: PathSample): boolean {
  if (windowBytes === 0) return false
  return inflightBytes >= FULL_WINDOW * windowBytes || queueUs >= FULL_QUEUE * targetUs
}

function perSecond(bytes: number, seconds: number): number {
  return seconds > 0 ? bytes / seconds : 0
}

/** Datagrams that overtook each other over the edge of a window may make fewer than were expected: never below zero. */
function loss(expected: number, received: number): Loss {
  return { expected: Math.max(0, expected), lost: Math.max(0, expected - received) }
}

/** The samples of one peer. */
export class PeerStats {
  readonly #window = new Window<PeerSample>()

  handleSample(nowUs: number, sample: PeerSample): void {
    this.#window.add(nowUs, sample)
  }

  /** The session began anew, and its counts with it. */
  restart(): void {
    this.#window.restart()
  }

  measurements(): PeerMeasurements | undefined {
    const span = this.#window.span()
    if (span === undefined) return undefined
    const { now, before, seconds } = span
    const { kind: _kind, peer: _peer, token: _token, inUse, ...counts } = now
    const recent = this.#window.recent() ?? span
    const feedbackBytes = now.txFeedbackBytes - before.txFeedbackBytes
    return {
      ...counts,
      inUse: inUse === 1,
      inWindow: {
        txPackets: now.txPackets - before.txPackets,
        queueDropped: now.queueDropped - before.queueDropped,
        resent: now.resent - before.resent,
        copied: now.copied - before.copied,
        givenUp: now.givenUp - before.givenUp,
        feedbackBytesPerS: perSecond(feedbackBytes, seconds),
      },
      recentResentBytesPerS: perSecond(now.resentBytes - recent.before.resentBytes, recent.seconds),
    }
  }
}
