/** What the daemon tells on stderr: transitions, not packets; one line each, for people, journald or programs. */

import { fstatSync } from 'node:fs'

/** syslog(3). */
const LEVEL = { error: 3, warning: 4, notice: 5, info: 6 } as const

type Level = keyof typeof LEVEL

/** Every event that is ever written. Names are never used again for something else. */
const EVENTS = {
  'daemon.started': {
    level: 'notice',
    doc: 'the tunnel device is there and the daemon listens to its control socket',
  },
  'daemon.stopping': { level: 'notice', doc: 'it was asked to end' },
  'daemon.stopped': { level: 'notice', doc: 'device, routes and sockets are gone' },
  'daemon.failed': { level: 'error', doc: 'it cannot go on' },
  'daemon.reloaded': { level: 'notice', doc: 'configuration and state were read again' },
  'daemon.reload-refused': {
    level: 'error',
    doc: 'the new configuration is wrong; the old one stays',
  },
  'listen.opened': { level: 'info', doc: 'clients can reach the server here' },
  'nat.installed': { level: 'info', doc: 'clients, or the machines behind one, are masqueraded' },
  'nat.restored': {
    level: 'warning',
    doc: 'others had removed the rules for masquerading, which are there again',
  },
  'nat.incomplete': {
    level: 'warning',
    doc: 'what is to be masqueraded is, but something is missing',
  },
  'pool.moved': {
    level: 'warning',
    doc: 'a peer got new addresses: its old ones are outside of the pool, or of another peer',
  },
  'pool.exhausted': { level: 'error', doc: 'a peer stays outside: there is no address for it' },
  'state.unreadable': { level: 'error', doc: 'a file of the state directory cannot be understood' },
  'state.unwritten': {
    level: 'error',
    doc: 'that an invitation was used could not be kept: a server leaves its client outside',
  },
  'uplink.waiting': { level: 'warning', doc: 'an uplink cannot be used' },
  'uplink.opened': { level: 'info', doc: 'an uplink has a socket' },
  'uplink.filtered': { level: 'warning', doc: 'the kernel may drop what comes back on an uplink' },
  'uplink.unreadable': { level: 'error', doc: 'the devices of this machine cannot be listed' },
  'usage.unwritten': { level: 'error', doc: 'what metered uplinks have used could not be kept' },
  'clock.behind': {
    level: 'warning',
    doc: 'the clock of this machine is, or once was, wrong: handshakes do not follow it',
  },
  'timestamp.unreadable': {
    level: 'warning',
    doc: 'how far the handshakes before have come is not known',
  },
  'timestamp.unwritten': {
    level: 'warning',
    doc: 'how far the handshakes have come could not be kept',
  },
  'timestamp.written': { level: 'info', doc: 'it could be kept again' },
  'uplink.spent': {
    level: 'warning',
    doc: 'the budget of an uplink is used up: it stops, or does what over-budget says',
  },
  'uplink.refilled': { level: 'notice', doc: 'an uplink has something of its budget again' },
  'server.resolved': { level: 'info', doc: 'the addresses of the server are known' },
  'server.unresolved': { level: 'warning', doc: 'the name of the server has no address' },
  'addresses.set': { level: 'info', doc: 'the tunnel device has its addresses' },
  'addresses.failed': {
    level: 'error',
    doc: 'addresses or routes of the tunnel device could not be set',
  },
  'addresses.overlap': {
    level: 'warning',
    doc: 'a network of the tunnel and one of this machine have addresses in common',
  },
  'session.up': { level: 'notice', doc: 'two peers agreed on keys' },
  'session.rekeyed': { level: 'info', doc: 'two peers agreed on new keys' },
  'session.down': { level: 'notice', doc: 'the keys are gone' },
  'handshake.started': { level: 'info', doc: 'the client calls the server' },
  'handshake.unanswered': { level: 'warning', doc: 'the server does not answer' },
  'handshake.refused': { level: 'warning', doc: 'a handshake message was not acted upon' },
  'peer.enrolled': { level: 'notice', doc: 'an invitation was used' },
  'peer.key-shared': {
    level: 'warning',
    doc: 'two machines have one key, and neither keeps the session',
  },
  'peer.revoked': { level: 'notice', doc: 'a key is no longer welcome' },
  'path.state': { level: 'notice', doc: 'a path came up or went down' },
  'mtu.found': { level: 'info', doc: 'the device of a client takes packets of up to this size' },
  'mtu.told': { level: 'info', doc: 'a client takes packets of up to this size' },
  'path.moved': { level: 'info', doc: 'the other side of a path has another address' },
  'path.active': { level: 'notice', doc: 'another path carries all, in active-backup' },
  'policy.changed': { level: 'info', doc: 'the mode of a peer is another' },
  'setting.changed': { level: 'notice', doc: 'mptun set changed something' },
} as const satisfies Readonly<Record<string, { readonly level: Level; readonly doc: string }>>

export type LogEvent = keyof typeof EVENTS
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface LogOptions {
  readonly format: 'text' | 'json'
  /** journald takes the level from a prefix and adds the time itself. */
  readonly isJournal: boolean
  readonly write: (line: string) => void
  /** Monotonic, microseconds. */
  readonly nowUs: () => number
  /** The time of day, microseconds since 1970. */
  readonly wallUs: () => number
}

/** At most one line per event and subject in so long. */
const QUIET_US = 1_000_000
/** Fields that make a subject: what repeats about one of these says nothing new. */
const SUBJECT = ['peer', 'to', 'why', 'at', 'setting'] as const
/** Subjects that are remembered; strangers cannot make more. */
const MOST_SUBJECTS = 4096

export class Log {
  readonly #options: LogOptions
  readonly #recent = new Map<string, { readonly untilUs: number; suppressed: number }>()

  constructor(options: LogOptions) {
    this.#options = options
  }

  /** Writes one line, or counts it as suppressed for the next one of its event and subject. */
  write(event: LogEvent, fields: LogFields = {}): void {
    const nowUs = this.#options.nowUs()
    // A path is itself whatever it is called: on a server that is up to a client.
    const place = fields['path'] ?? fields['uplink']
    const subject = [event, place, ...SUBJECT.map((name) => fields[name])].join(' ')
    const recent = this.#recent.get(subject)
    if (recent !== undefined && nowUs < recent.untilUs) {
      recent.suppressed++
      return
    }
    if (this.#recent.size >= MOST_SUBJECTS) this.#recent.clear()
    this.#recent.set(subject, { untilUs: nowUs + QUIET_US, suppressed: 0 })
    const suppressed = recent?.suppressed
    this.#options.write(this.#line(event, suppressed ? { ...fields, suppressed } : fields))
  }

  #line(event: LogEvent, fields: LogFields): string {
    const { level } = EVENTS[event]
    const { format, isJournal, wallUs } = this.#options
    const prefix = isJournal ? `<${LEVEL[level]}>` : ''
    const time = new Date(Math.floor(wallUs() / 1000)).toISOString()
    if (format === 'json') {
      return `${prefix}${escapeControls(JSON.stringify({ time, level, event, ...fields }))}\n`
    }
    const words = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${quoted(String(value))}`)
    const head = isJournal ? [event] : [time, level, event]
    return `${prefix}${escapeControls([...head, ...words].join(' '))}\n`
  }
}

/** Values may come from strangers: no line can be forged, no terminal controlled. */
function quoted(value: string): string {
  return /^[\w.:,/+@%[\]-]+$/.test(value) ? value : JSON.stringify(value)
}

/** Those that JSON leaves as they are, within its quotes: DEL, and C1 (ECMA-48), of which one begins what terminals obey. */
function escapeControls(text: string): string {
  return text.replace(/[\u007f-\u009f]/g, (each) => `\\u00${each.charCodeAt(0).toString(16)}`)
}

/** Whether stderr goes to journald: systemd.exec(5), JOURNAL_STREAM. */
export function isJournalStream(stream: string | undefined, fd = 2): boolean {
  if (stream === undefined) return false
  try {
    const { dev, ino } = fstatSync(fd)
    return stream === `${dev}:${ino}`
  } catch {
    return false
  }
}
