/** The text of a status report, for people. */

import { styleText } from 'node:util'
import { COUNTER } from './boundary.js'
import { REFUSAL, type Refusal } from './core/handshake.js'
import { bitRate, duration } from './core/quantity.js'
import type {
  PathMeasured,
  PathReport,
  PeerReport,
  RepairReport,
  StatusReport,
  WindowReport,
} from './status.js'

/** The text of a report. @param color whether the terminal takes escape sequences. */
export function renderStatus(report: StatusReport, color: boolean): string {
  const paint: Paint = (style, text) => (color ? styleText(style, text) : text)
  const { role, tun, addresses, mtuBytes, uptimeS, endpoints, version, sealing } = report
  const lines = [
    `${paint('bold', tun)}  ${role}  ${addresses.join(' ') || 'no inner address yet'}  mtu ${mtuBytes}  running ${duration(uptimeS)}  mptun ${version}`,
    `${role === 'client' ? 'server at' : 'listening on'} ${endpoints.join(', ') || 'nothing yet'}`,
    `sealing ${Object.entries(sealing)
      .map(([aead, library]) => `${aead} by ${library}`)
      .join(', ')}`,
    ...report.peers.flatMap((peer) => ['', ...renderPeer(peer, paint)]),
    ...(report.peers.length === 0 ? ['', 'no peers'] : []),
    ...renderCounts(report, paint),
  ]
  return `${lines.join('\n')}\n`
}

type Paint = (style: 'bold' | 'dim' | 'green' | 'yellow' | 'red', text: string) => string

function renderPeer(peer: PeerReport, paint: Paint): string[] {
  const { name, sessionS, aead, mode, modeInUse, addresses, inUse, order, repair, paths } = peer
  const { warning } = peer
  const session =
    sessionS === undefined
      ? paint('red', 'no session')
      : `${paint('green', 'session')} ${duration(sessionS)}  ${aead}  ${mode}${inUse ? '' : '  idle'}`
  return [
    [paint('bold', name), ...addresses, session].join('  '),
    ...(warning === '' ? [] : [paint('red', `  ${warning}`)]),
    ...(isCutOff(peer) ? [paint('red', '  no path works: nothing gets through')] : []),
    ...(mode === modeInUse
      ? []
      : [
          paint(
            'yellow',
            `  mode ${mode} needs a newer mptun on the other side: ${modeInUse} is used`,
          ),
        ]),
    ...renderPaths(paths, modeInUse, paint),
    ...(order === undefined || order.outPackets + order.inPackets === 0
      ? []
      : [
          `  packets out ${order.outPackets} in ${order.inPackets}; order: ${order.heldTotal} waited, ${order.provedLost} proved lost, ${order.deadlinePassed} timed out, ${order.late} late, ${order.duplicates} duplicates`,
        ]),
    ...(repair === undefined ? [] : renderRepair(repair)),
  ]
}

/** A session outlives its paths, and looks well without them. */
function isCutOff({ sessionS, paths }: PeerReport): boolean {
  return sessionS !== undefined && paths.length > 0 && paths.every(({ state }) => state === 'down')
}

function renderRepair(repair: RepairReport): string[] {
  const { backlogBytes, backlogMs, queueDropped, queueMarked, droppedShare } = repair
  const { resent, resentShare, copied, copiedShare, givenUp, feedbackBytesPerS } = repair
  const { compressed, savedBytes } = repair
  return [
    `  queue ${kilobytes(backlogBytes)} kB, ${milliseconds(backlogMs)} old; dropped ${queueDropped} (${percent(droppedShare)}), marked ${queueMarked}`,
    `  sent again ${resent} (${percent(resentShare)}), copied ${copied} (${percent(copiedShare)}), given up ${givenUp}; feedback ${bitRate(feedbackBytesPerS)}`,
    ...(compressed === 0
      ? []
      : [`  headers of ${compressed} packets compressed, ${kilobytes(savedBytes)} kB saved`]),
  ]
}

type Column = readonly [head: string, cell: (path: PathReport) => string]

/** A column of what is measured; nothing is known of a path without an answer. */
const measured = (head: string, cell: (of: PathMeasured) => string): Column => [
  head,
  (path) => (path.measured === undefined ? '-' : cell(path.measured)),
]

/** One that nothing is known of while only we have sent. */
const answered = (head: string, cell: (of: PathMeasured) => string): Column =>
  measured(head, (of) => (of.smoothedRttMs === 0 ? '-' : cell(of)))

/** One of what a window knows. */
const windowed = (head: string, cell: (of: WindowReport) => string): Column =>
  measured(head, ({ window }) => (window === undefined ? '-' : cell(window)))

const COLUMNS: readonly Column[] = [
  ['path', ({ label }) => label],
  ['state', (path) => (path.measured?.window?.suspect ? 'suspect' : path.state)],
  ['since', ({ sinceS }) => (sinceS === undefined ? '-' : duration(sinceS))],
  answered('rtt', ({ smoothedRttMs }) => milliseconds(smoothedRttMs)),
  answered('jitter', ({ jitterMs }) => milliseconds(jitterMs)),
  measured('loss out/in', ({ outLoss, inLoss }) => `${percent(outLoss)} ${percent(inLoss)}`),
  measured('all out/in', (of) => `${percent(of.outLossTotal)} ${percent(of.inLossTotal)}`),
  measured('out', ({ outBytesPerS }) => bitRate(outBytesPerS)),
  measured('in', ({ inBytesPerS }) => bitRate(inBytesPerS)),
  measured('share out/in', ({ outShare, inShare }) => `${percent(outShare)} ${percent(inShare)}`),
]
const WINDOW_COLUMNS: readonly Column[] = [
  windowed('can', ({ canBytesPerS }) => (canBytesPerS === 0 ? '-' : bitRate(canBytesPerS))),
  windowed('under way', (of) => `${kilobytes(of.inflightBytes)}/${kilobytes(of.windowBytes)} kB`),
  windowed('queue', ({ queueMs, targetMs }) => `${queueMs.toFixed(0)}/${targetMs.toFixed(0)} ms`),
]

function renderPaths(paths: readonly PathReport[], mode: string, paint: Paint): string[] {
  if (paths.length === 0) return ['  no paths yet']
  const hasWindows = paths.some((path) => path.measured?.window !== undefined)
  const columns: readonly Column[] = [
    ...COLUMNS,
    ...(hasWindows ? WINDOW_COLUMNS : []),
    ['use', (path) => useOf(path, mode)],
    ['endpoint', ({ endpoint }) => endpoint ?? '-'],
  ]
  const rows = [
    columns.map(([name]) => name),
    ...paths.map((path) => columns.map(([, cell]) => cell(path))),
  ]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const [head = '', ...body] = rows.map((row) =>
    `  ${row.map((cell, i) => cell.padEnd(widths[i]!)).join('  ')}`.trimEnd(),
  )
  const reasons = paths.filter(({ inUse }) => !inUse)
  return [
    paint('dim', head),
    ...body.map((line, i) => (paths[i]!.inUse ? line : paint('yellow', line))),
    ...reasons.map(({ label, why }) => `  ${label} is not in use: ${why || 'no reason is known'}`),
    ...paths.flatMap(({ label, notes }) => notes.map((note) => `  ${label} ${note}`)),
  ]
}

/** Shares of adaptive are measured and caps are its own: the other modes have weights. */
function useOf(path: PathReport, mode: string): string {
  const { intent, tier, weight, metered, capBytesPerS } = path
  const words = [
    ...(mode === 'adaptive' ? [] : [`weight ${weight}`]),
    ...(tier === 0 ? [] : [`tier ${tier}`]),
    ...(intent === 'up' ? [] : [intent]),
    ...(metered ? ['metered'] : []),
    ...(mode === 'adaptive' && capBytesPerS > 0 ? [`at most ${bitRate(capBytesPerS)}`] : []),
  ]
  return words.join(' ') || '-'
}

function renderCounts({ counters, refusals }: StatusReport, paint: Paint): string[] {
  const counts = [
    ...Object.entries(counters).map(([name, count]) => [
      name,
      String(count),
      (COUNTER as Readonly<Record<string, { doc: string }>>)[name]?.doc ?? '',
    ]),
    ...Object.entries(refusals).map(([name, count]) => [
      `refused ${name}`,
      String(count),
      `handshake: ${REFUSAL[name as Refusal] ?? ''}`,
    ]),
  ]
  if (counts.length === 0) return []
  const width = Math.max(...counts.map(([name]) => name!.length))
  const digits = Math.max(...counts.map(([, count]) => count!.length))
  return [
    '',
    paint('dim', 'counters'),
    ...counts.map(
      ([name, count, doc]) =>
        `  ${name!.padEnd(width)}  ${count!.padStart(digits)}  ${paint('dim', doc!)}`,
    ),
  ]
}

function milliseconds(ms: number): string {
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`
}

function kilobytes(bytes: number): string {
  return (bytes / 1000).toFixed(0)
}

function percent(ratio: number): string {
  const value = ratio * 100
  return `${value === 0 || value >= 9.95 ? value.toFixed(0) : value.toFixed(1)}%`
}
