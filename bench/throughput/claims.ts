/** What the figures are meant to show, and whether they do. */

import { cost, gbit, megabytes, percent, thousands, times } from './quantity.js'
import { contestantsOf, medianOf, type Results } from './results.js'
import type { Metric } from './sample.js'

export interface Claim {
  /** A whole sentence with its figures and, in brackets, the aim. */
  readonly sentence: string
  readonly isMet: boolean
}

const OURS = 'mptun'

/** Only of what was measured. */
export function judge(results: Results): Claim[] {
  const value = (caseId: string, contestant: string, metric: Metric) =>
    medianOf(results, caseId, contestant, metric) ?? Number.NaN
  return [...againstPeers(results, value), ...amongOurselves(results, value)].filter(
    ({ sentence }) => !sentence.includes('NaN') && !sentence.includes('–'),
  )
}

type Value = (caseId: string, contestant: string, metric: Metric) => number

function againstPeers(results: Results, value: Value): Claim[] {
  const peers = contestantsOf(results, 'tcp1').filter(({ kind }) => kind === 'peer')
  const [fastest] = [...peers].sort(
    (a, b) => value('tcp1', b.id, 'mbit') - value('tcp1', a.id, 'mbit'),
  )
  const ours = value('tcp1', OURS, 'mbit')
  const theirs = value('tcp1', fastest?.id ?? '', 'mbit')
  const wireguard = (caseId: string, metric: Metric) => value(caseId, 'wireguard-go', metric)
  const packets = value('udp64', OURS, 'halfPercentPerS')
  const packetsRatio = packets / wireguard('udp64', 'halfPercentPerS')
  const spent = value('tcp-500', OURS, 'cpuSPerGb')
  const spentRatio = spent / wireguard('tcp-500', 'cpuSPerGb')
  const oneCore = value('tcp1-one-core', OURS, 'mbit')
  const oneCoreRatio = oneCore / wireguard('tcp1-one-core', 'mbit')
  return [
    {
      sentence: `One TCP stream gets ${gbit(ours)} Gbit/s, ${times(ours / theirs)} what ${fastest?.title} gives it, the fastest of the others (aim: 4 times)`,
      isMet: ours / theirs >= 4,
    },
    {
      sentence: `64-octet datagrams: ${thousands(packets)} 000 a second at less than 0.5 % loss, ${times(packetsRatio)} wireguard-go's (aim: 2 times)`,
      isMet: packetsRatio >= 2,
    },
    {
      sentence: `A GB at 500 Mbit/s takes ${cost(spent)} s of CPU, ${percent(spentRatio)} of wireguard-go's (aim: less than a third)`,
      isMet: spentRatio < 1 / 3,
    },
    {
      sentence: `With one core for everything one TCP stream gets ${gbit(oneCore)} Gbit/s, ${times(oneCoreRatio)} wireguard-go's (aim: 3 times)`,
      isMet: oneCoreRatio >= 3,
    },
  ]
}

function amongOurselves(results: Results, value: Value): Claim[] {
  const twoPaths = value('tcp1', 'mptun-2-paths', 'mbit') / value('tcp1', OURS, 'mbit')
  const unsealed = value('tcp1-bbr', 'mptun-unsealed', 'mbit') / value('tcp1-bbr', 'vxlan', 'mbit')
  const added = value('idle', OURS, 'pingUs') - value('idle', OURS, 'pingBesideUs')
  const floor = value('idle', 'relay', 'pingUs') - value('idle', 'relay', 'pingBesideUs')
  const bare = Number.isNaN(floor)
    ? ''
    : `, of which a relay that only reads and sends takes ${floor.toFixed(0)}`
  const growth = (caseId: string, last: string, first: string) =>
    value(caseId, last, 'cpuUsPerPacket') / value(caseId, first, 'cpuUsPerPacket') - 1
  const byPaths = growth('load-paths', 'mptun-8-paths', 'mptun-1-paths')
  const byClients = (caseId: string) => growth(caseId, 'clients-100', 'clients-1')
  const inTurn = byClients('load-clients')
  const bySame = byClients('downloads-same')
  const bySum = byClients('downloads-sum')
  const byEach = byClients('downloads-each')
  /** Where the mode that reports nothing was measured too: what is the traffic's, and not the mode's. */
  const beside = (caseId: string) => {
    const other = growth(caseId, 'clients-100-balance-rr', 'clients-1-balance-rr')
    return Number.isNaN(other) ? '' : `; in balance-rr by ${percent(other)}`
  }
  const memory = (id: string) => value('load-clients', id, 'residentBytes')
  const perClient = (memory('clients-100') - memory('clients-1')) / 99
  const retransmits = medianOf(results, 'tcp1', 'mptun-2-paths', 'retransmits')
  const adaptive = (links: number, metric: Metric) =>
    value('tcp1-modes', `adaptive-${links}`, metric) /
    value('tcp1-modes', `balance-rr-${links}`, metric)
  const openssl = value('tcp1', 'mptun-openssl', 'mbit')
  const best = value('tcp1', OURS, 'mbit')
  const library = results.machine.sealing['aes-256-gcm'] ?? ''
  return [
    {
      sentence: `Sealed by OpenSSL alone it gets ${gbit(openssl)} Gbit/s (aim: 4.5)`,
      isMet: openssl >= 4500,
    },
    ...(library.startsWith('OpenSSL')
      ? []
      : [{ sentence: `Sealed by ${library} it gets ${gbit(best)} (aim: 7)`, isMet: best >= 7000 }]),
    {
      sentence: `Two equal paths that take turns carry ${percent(twoPaths)} of what one does, with ${retransmits} retransmissions (aim: 85 %)`,
      isMet: twoPaths >= 0.85,
    },
    {
      sentence: `Unsealed and with bbr it reaches ${percent(unsealed)} of the kernel's vxlan (aim: 50 %)`,
      isMet: unsealed >= 0.5,
    },
    {
      sentence: `A ping takes ${added.toFixed(0)} us longer through the idle tunnel than beside it${bare} (aim: 60 us)`,
      isMet: added <= 60,
    },
    ...[1, 2].map((links) => ({
      sentence: `On ${links} ${links === 1 ? 'path' : 'paths'} adaptive carries ${percent(adaptive(links, 'mbit'))} of what balance-rr does, for ${percent(adaptive(links, 'cpuSPerGb'))} of the CPU (aim: at least 90 %)`,
      isMet: adaptive(links, 'mbit') >= 0.9,
    })),
    {
      sentence: `From 1 to 8 paths the cost of a packet changes by ${percent(byPaths)} (aim: less than 15 %)`,
      isMet: byPaths < 0.15,
    },
    {
      sentence: `A packet of the same hundred TCP downloads of 1 Mbit/s, shared out among 100 clients and not 1, costs the server ${percent(bySame)} more (aim: less than 15 %${beside('downloads-same')})`,
      isMet: bySame < 0.15,
    },
    {
      sentence: `From 1 to 100 clients whose UDP packets take turns, so that no two share a buffer, it changes by ${percent(inTurn)} on the server (aim: less than 15 %${beside('load-clients')}), which holds ${megabytes(perClient * 1000)} kB for each client`,
      isMet: inTurn < 0.15,
    },
    {
      sentence: `With a TCP download of 1 Mbit/s for each client it changes by ${percent(byEach)} (aim: less than 15 %${beside('downloads-each')})`,
      isMet: byEach < 0.15,
    },
    {
      sentence: `With TCP downloads of the same rate in sum, of which the kernel hands over less at once the more they are, it changes by ${percent(bySum)} (aim: less than 15 %${beside('downloads-sum')})`,
      isMet: bySum < 0.15,
    },
  ]
}
