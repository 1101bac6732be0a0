/** The tables of the report: which figures stand beside which. */

import type { Table } from '../reporting/table.js'
import { cost, count, gbit, hundredths, megabytes, micros, thousands } from './quantity.js'
import { type ContestantInfo, contestantsOf, medianOf, type Results } from './results.js'
import type { Metric } from './sample.js'

interface Column {
  readonly head: string
  readonly case: string
  readonly metric: Metric
  readonly format: (value: number | undefined) => string
}

interface Plan {
  readonly title: string
  readonly columns: readonly Column[]
}

const column = (
  head: string,
  caseId: string,
  metric: Metric,
  format: Column['format'],
): Column => ({ head, case: caseId, metric, format })

const THROUGHPUT: Plan = {
  title: 'TCP, Gbit/s of payload (cubic unless bbr is said)',
  columns: [
    column('1 stream', 'tcp1', 'mbit', gbit),
    column('bbr', 'tcp1-bbr', 'mbit', gbit),
    column('4 streams', 'tcp4', 'mbit', gbit),
    column('reverse', 'tcp-reverse', 'mbit', gbit),
    column('both ways', 'tcp-both', 'mbit', gbit),
    column('1 core', 'tcp1-one-core', 'mbit', gbit),
    column('retransmits', 'tcp1', 'retransmits', count),
  ],
}

const PACKETS: Plan = {
  title: 'UDP one way, thousands of packets a second, by the share that is lost',
  columns: [
    column('64 B, none', 'udp64', 'losslessPerS', thousands),
    column('< 0.5 %', 'udp64', 'halfPercentPerS', thousands),
    column('< 1 %', 'udp64', 'onePercentPerS', thousands),
    column('1400 B, none', 'udp1400', 'losslessPerS', thousands),
    column('< 0.5 %', 'udp1400', 'halfPercentPerS', thousands),
    column('< 1 %', 'udp1400', 'onePercentPerS', thousands),
  ],
}

const CPU: Plan = {
  title: 'CPU of both daemons: seconds for a GB of TCP, microseconds for a packet of UDP',
  columns: [
    column('1 stream', 'tcp1', 'cpuSPerGb', cost),
    column('4 streams', 'tcp4', 'cpuSPerGb', cost),
    column('both ways', 'tcp-both', 'cpuSPerGb', cost),
    column('500 Mbit/s', 'tcp-500', 'cpuSPerGb', cost),
    column('1 core', 'tcp1-one-core', 'cpuSPerGb', cost),
    column('64 B', 'udp64', 'cpuUsPerPacket', cost),
    column('1400 B', 'udp1400', 'cpuUsPerPacket', cost),
  ],
}

const LATENCY: Plan = {
  title: 'Round trip of a ping, microseconds',
  columns: [
    column('idle', 'idle', 'pingUs', micros),
    column('beside it', 'idle', 'pingBesideUs', micros),
    column('500 Mbit/s', 'tcp-500', 'pingUs', micros),
    column('1 stream', 'tcp1', 'pingUs', micros),
    column('4 streams', 'tcp4', 'pingUs', micros),
    column('both ways', 'tcp-both', 'pingUs', micros),
    column('UDP 64 B', 'udp64', 'pingUs', micros),
  ],
}

const PATHS: Plan = {
  title: 'More paths; the last two columns with 100 000 UDP packets/s of 1400 octets',
  columns: [
    column('1 stream, Gbit/s', 'tcp1-paths', 'mbit', gbit),
    column('retransmits', 'tcp1-paths', 'retransmits', count),
    column('CPU s/GB', 'tcp1-paths', 'cpuSPerGb', cost),
    column('us a packet', 'load-paths', 'cpuUsPerPacket', cost),
    column('lost, %', 'load-paths', 'loss', hundredths),
  ],
}

const MODES: Plan = {
  title:
    'What adaptive costs beside balance-rr, which only counts: TCP in Gbit/s, the daemons in CPU s/GB',
  columns: [
    column('1 stream', 'tcp1-modes', 'mbit', gbit),
    column('s/GB', 'tcp1-modes', 'cpuSPerGb', cost),
    column('bbr', 'tcp1-bbr-modes', 'mbit', gbit),
    column('s/GB', 'tcp1-bbr-modes', 'cpuSPerGb', cost),
    column('reverse', 'tcp-reverse-modes', 'mbit', gbit),
    column('s/GB', 'tcp-reverse-modes', 'cpuSPerGb', cost),
    column('both ways', 'tcp-both-modes', 'mbit', gbit),
    column('s/GB', 'tcp-both-modes', 'cpuSPerGb', cost),
    column('64 B, 1000/s at < 0.5 %', 'udp64-modes', 'halfPercentPerS', thousands),
    column('us a packet', 'udp64-modes', 'cpuUsPerPacket', cost),
  ],
}

const CLIENTS: Plan = {
  title:
    'More clients, 10 000 packets/s of 1400 octets for all together: the server, which has a core to itself',
  columns: [
    column('UDP in turn, us a packet', 'load-clients', 'cpuUsPerPacket', cost),
    column('lost, %', 'load-clients', 'loss', hundredths),
    column(
      'the same 100 of TCP at 1 Mbit/s, us a packet',
      'downloads-same',
      'cpuUsPerPacket',
      cost,
    ),
    column('Gbit/s', 'downloads-same', 'mbit', gbit),
    column('TCP, the same in sum, us a packet', 'downloads-sum', 'cpuUsPerPacket', cost),
    column('Gbit/s', 'downloads-sum', 'mbit', gbit),
    column('TCP, 1 Mbit/s each, us a packet', 'downloads-each', 'cpuUsPerPacket', cost),
    column('Gbit/s', 'downloads-each', 'mbit', gbit),
    column('MB resident', 'load-clients', 'residentBytes', megabytes),
  ],
}

/** Every figure; a column or table of which nothing was measured is left out. */
export function allTables(results: Results): Table[] {
  return [THROUGHPUT, PACKETS, CPU, LATENCY, PATHS, MODES, CLIENTS].flatMap((plan) =>
    fill(plan, results),
  )
}

const ONE_STREAM = column('1 TCP stream, Gbit/s', 'tcp1', 'mbit', gbit)
const CPU_AT_500 = column('CPU s/GB at 500 Mbit/s', 'tcp-500', 'cpuSPerGb', cost)
const IDLE_PING = column('ping, us', 'idle', 'pingUs', micros)

/** The few figures that say most. */
export function summaryTable(results: Results): Table[] {
  return fill(
    {
      title: 'In short',
      columns: [
        ONE_STREAM,
        column('4 streams', 'tcp4', 'mbit', gbit),
        column('on 1 core', 'tcp1-one-core', 'mbit', gbit),
        column('64 B UDP, 1000/s at < 0.5 % loss', 'udp64', 'halfPercentPerS', thousands),
        CPU_AT_500,
        IDLE_PING,
      ],
    },
    results,
  )
}

/** mptun as it comes, beside the others. */
export function besideTable(results: Results): Table[] {
  const contestants = results.contestants.filter(
    ({ id, kind }) => id === 'mptun' || kind === 'peer',
  )
  const columns = [ONE_STREAM, CPU_AT_500, IDLE_PING]
  return fill({ title: 'Beside others', columns }, { ...results, contestants })
}

function fill({ title, columns }: Plan, results: Results): Table[] {
  const ids = new Set(columns.flatMap((each) => contestantsOf(results, each.case)).map(idOf))
  const contestants = results.contestants.filter(({ id }) => ids.has(id))
  const isMeasured = ({ case: caseId, metric }: Column) =>
    contestants.some(({ id }) => medianOf(results, caseId, id, metric) !== undefined)
  const measured = columns.filter(isMeasured)
  if (measured.length === 0) return []
  const rows = contestants.map((contestant) => [
    nameOf(contestant),
    ...measured.map(({ case: caseId, metric, format }) =>
      format(medianOf(results, caseId, contestant.id, metric)),
    ),
  ])
  return [{ title, head: ['', ...measured.map(({ head }) => head)], rows }]
}

const idOf = ({ id }: ContestantInfo) => id

const nameOf = ({ title, cipher }: ContestantInfo) =>
  cipher === 'none' ? title : `${title}, ${cipher}`
