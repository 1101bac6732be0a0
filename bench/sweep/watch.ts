/** What a stream, both ends of the tunnel and each path have come to, as lines for people. */
import type { SimStream } from '../sim/stream.js'
import type { Pair } from '../sim/tunnel.js'
import type { SimNode } from '../sim/world.js'

const ms = (us: number) => (us / 1000).toFixed(0)
const kB = (bytes: number) => (bytes / 1000).toFixed(0)

const peerOf = (node: SimNode) => node.stats().find((event) => event.kind === 'peerStats')

/** Totals since the start; windows and what is under way in kB, times in ms. */
export function watch(pair: Pair, stream: SimStream, towards: 'client' | 'server'): string {
  const [sender, receiver] =
    towards === 'server' ? [pair.client, pair.server] : [pair.server, pair.client]
  const { window, srttUs, minRttUs, retransmits, recoveries, timeouts, bytesPer100Ms } =
    stream.stats()
  const tx = peerOf(sender.node)
  const rx = peerOf(receiver.node)
  const recent = bytesPer100Ms.slice(-5).reduce((sum, bytes) => sum + bytes, 0) / 62_500
  const lines = [
    [
      `${(pair.nowUs / 1e6).toFixed(2)} s: ${recent.toFixed(1)} Mbit/s`,
      `cwnd ${window} rtt ${ms(srttUs)} least ${ms(minRttUs)}`,
      `retransmits ${retransmits} recoveries ${recoveries} timeouts ${timeouts}`,
      tx &&
        `waits ${kB(tx.backlogBytes)} kB ${ms(tx.backlogUs)} ms dropped ${tx.queueDropped} resent ${tx.resent} given up ${tx.givenUp}`,
      rx &&
        `held ${rx.held} proved ${rx.provedLost} overdue ${rx.deadlinePassed} late ${rx.late} copies ${rx.duplicates}`,
    ].join(' | '),
  ]
  for (const path of sender.node.pathStats()) {
    lines.push(
      [
        `    path ${path.path}${path.suspect ? ' SUSPECT' : ''}`,
        `window ${kB(path.windowBytes)} under way ${kB(path.inflightBytes)}`,
        `rtt ${ms(path.srttUs)} least ${ms(path.minRttUs)}`,
        `queue ${ms(path.queueUs)} of ${ms(path.targetUs)}`,
        `${(path.deliveryBytesPerS / 125_000).toFixed(1)} Mbit/s`,
        `lost ${path.lostDatagrams} of ${path.txData} suspicions ${path.suspicions}`,
      ].join(' | '),
    )
  }
  const direction = towards === 'server' ? 'forward' : 'backward'
  for (const [index, link] of pair.links.entries()) {
    const [bytes, us] = [link.backlogBytes(direction), link.inflictedUs(direction)]
    lines.push(`    link ${index} | ${kB(bytes)} kB wait | the next one for ${ms(us)} ms of ours`)
  }
  return lines.join('\n')
}
