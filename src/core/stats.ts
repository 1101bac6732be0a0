/** What C measured, sample by sample, made into rates, shares and losses over a window. */
import { COUNTER, type EventOf } from '../boundary.js'

type PathSample = EventOf<'pathStats'>
type PeerSample = EventOf<'peerStats'>

/** Rates and losses are taken over the samples of so long. Long enough for 1 % loss to show at 100 packets/s. */
const WINDOW_US = 10_000_000

export interface Loss {
  /** Datagrams that should have arrived, and those of them that did not. */
  readonly expected: number
  readonly lost: number
}

export interface PathMeasurements {
  readonly usable: boolean
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
}

interface Timed {
  readonly atUs: number
  readonly sample: PathSample
}

/** The samples of one path. */
export class PathStats {
  #samples: Timed[] = []

  handleSample(nowUs: number, sample: PathSample): void {
    this.#samples.push({ atUs: nowUs, sample })
    while (this.#samples.length > 2 && this.#samples[1]!.atUs <= nowUs - WINDOW_US) {
      this.#samples.shift()
    }
  }

  /** The path began anew, and counts from zero again. */
  restart(): void {
    this.#samples = []
  }

  measurements(): PathMeasurements | undefined {
    const last = this.#samples.at(-1)
    if (last === undefined) return undefined
    const { sample: now } = last
    const first = this.#samples[0]!
    const before = first.sample
    const seconds = (last.atUs - first.atUs) / 1e6
    const rate = (bytes: number) => (seconds > 0 ? bytes / seconds : 0)
    return {
      usable: now.usable === 1,
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
      txBytes: now.txBytes,
      rxBytes: now.rxBytes,
      txDataInWindow: now.txData - before.txData,
      rxDataInWindow: now.rxData - before.rxData,
      txErrors: now.txErrors,
      rxLoss: loss(now.rxExpected - before.rxExpected, now.rxDatagrams - before.rxDatagrams),
      txLoss: loss(now.peerExpected - before.peerExpected, now.peerReceived - before.peerReceived),
      rxLossTotal: loss(now.rxExpected, now.rxDatagrams),
      txLossTotal: loss(now.peerExpected, now.peerReceived),
    }
  }
}

/** Datagrams that overtook each other over the edge of a window may make fewer than were expected: never below zero. */
function loss(expected: number, received: number): Loss {
  return { expected, lost: Math.max(0, expected - received) }
}

export function peerMeasurements(sample: PeerSample): PeerMeasurements {
  const { kind: _kind, peer: _peer, token: _token, inUse, ...counts } = sample
  return { inUse: inUse === 1, ...counts }
}

const COUNTER_NAME = new Map<number, keyof typeof COUNTER>(
  Object.entries(COUNTER).map(([name, { value }]) => [value, name as keyof typeof COUNTER]),
)

/** Name of a counter of C, undefined for one that this program does not know. */
export function counterName(counter: number): keyof typeof COUNTER | undefined {
  return COUNTER_NAME.get(counter)
}
