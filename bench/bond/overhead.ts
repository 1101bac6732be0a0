/** What a tunnel spent beside the packets themselves, from its own counters. */

import type { PeerReport } from '#mptun/status.js'
import type { Direction } from './bulk.js'
import type { Sample } from './sample.js'

export interface Reports {
  readonly client: PeerReport
  readonly server: PeerReport
}

/** Between two looks; a share whose counter a report does not have is left out. */
export function overheadOf(direction: Direction, before: Reports, after: Reports): Sample {
  const [sender, receiver] =
    direction === 'down' ? (['server', 'client'] as const) : (['client', 'server'] as const)
  const grown = (side: 'client' | 'server', name: string) => {
    const [first, last] = [counter(before[side], name), counter(after[side], name)]
    return first === undefined || last === undefined ? undefined : last - first
  }
  const sentBytes = outBytes(after[sender]) - outBytes(before[sender])
  const share = (part: number | undefined, whole: number | undefined) =>
    part === undefined || whole === undefined || whole <= 0 ? undefined : part / whole
  const shares = {
    feedbackShare: share(grown(receiver, 'txFeedbackBytes'), sentBytes),
    resentShare: share(grown(sender, 'resentBytes'), sentBytes),
    copiedShare: share(grown(sender, 'copied'), grown(sender, 'txPackets')),
  }
  return Object.fromEntries(Object.entries(shares).filter(([, each]) => each !== undefined))
}

const outBytes = ({ paths }: PeerReport) =>
  paths.reduce((sum, { measured }) => sum + (measured?.outBytes ?? 0), 0)

/** Wherever a report keeps a counter of this name. */
function counter(report: unknown, name: string): number | undefined {
  if (typeof report !== 'object' || report === null) return undefined
  for (const [key, value] of Object.entries(report)) {
    const found = key === name && typeof value === 'number' ? value : counter(value, name)
    if (found !== undefined) return found
  }
  return undefined
}
