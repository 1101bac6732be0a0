/** What one run of one subject on one scenario measures, and the middle of several. */

import { medianEach } from '../reporting/median.js'

/** Units end the names; a share is of 1. */
export const METRICS = [
  /**
   * Payload that arrived in the steady part, both directions together. What MPTCP still puts in order
   * then has arrived, and what it had begun to before has not: links have carried the one and not the other.
   */
  'mbit',
  /** The same from the first octet on. */
  'wholeMbit',
  /** From the beginning until half a second with 90 % of the sum of the links; all of it when there is none. */
  'to90S',
  'pingP50Ms',
  'pingP99Ms',
  'pingsLost',
  /** Numbered datagrams beside, or the load itself. */
  'datagrams',
  'datagramsLost',
  'datagramsOutOfOrder',
  'datagramGapMs',
  /** The same as links are cut and return, less the round trip of the best that was left. */
  'gapBeyondMs',
  'datagramP99Ms',
  'tcpOutOfOrder',
  'tcpRetransmits',
  /** Of MPTCP: how many it added to the first. */
  'addedSubflows',
  /** What packets waited on the way out of the worst of the links, beyond what its nature makes them. */
  'linkQueueP95Ms',
  /** UDP payload of feedback against that of everything the other end sent meanwhile. */
  'feedbackShare',
  /** Inner octets sent again against all that the sender sent. */
  'resentShare',
  /** Copies against inner packets. */
  'copiedShare',
  /** By the tunnel's own queue, which is how it tells a sender to slow down. */
  'queueDropped',
  /** Lost packets that the sender did not send again: too old, too often. */
  'givenUp',
  /** The second after a cut, the worst of all cuts, against what the links left carry alone. */
  'afterCutShare',
  /** From a restore until the link carries its share again, the longest. */
  'backS',
  /** The emulator's worst lateness: how far to trust the run. */
  'lateMaxUs',
] as const

export type Metric = (typeof METRICS)[number]

export type Sample = Readonly<Partial<Record<Metric, number>>>

export const medianSample = (samples: readonly Sample[]): Sample => medianEach(METRICS, samples)
