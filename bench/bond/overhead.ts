/** What a tunnel spent beside the packets themselves, from its own counters. */

import type { PeerReport } from '#mptun/status.js'
import type { Direction } from './bulk.js'
import type { Sample } from './sample.js'

export interface Reports {
  readonly client: PeerReport
  readonly server: PeerReport
}

/** Between two looks; nothing where the mode neither reports nor repairs. */
export function overheadOf(direction: Direction, before: Reports, after: Reports): Sample {
  const [sender, receiver] =
    direction === 'down' ? (['server', 'client'] as const) : (['client', 'server'] as const)
  const [sent, heard] = [after[sender].repair, after[receiver].repair]
  if (sent === undefined || heard === undefined) return {}
  const sentBytes = outBytes(after[sender]) - outBytes(before[sender])
  const packets = outPackets(after[sender]) - outPackets(before[sender])
  return {
    feedbackShare:
      (heard.feedbackBytes - (before[receiver].repair?.feedbackBytes ?? 0)) / sentBytes,
    resentShare: (sent.resentBytes - (before[sender].repair?.resentBytes ?? 0)) / sentBytes,
    copiedShare: (sent.copied - (before[sender].repair?.copied ?? 0)) / packets,
    queueDropped: sent.queueDropped - (before[sender].repair?.queueDropped ?? 0),
    givenUp: sent.givenUp - (before[sender].repair?.givenUp ?? 0),
  }
}

const outBytes = ({ paths }: PeerReport) =>
  paths.reduce((sum, { measured }) => sum + (measured?.outBytes ?? 0), 0)

const outPackets = ({ order }: PeerReport) => order?.outPackets ?? 0
