/**
 * The life of one path: what the user wants of it, what C observes, and when it may carry data.
 *
 *   down ──alive──▶ probing ──hold-down over──▶ up
 *    ▲                 │                         │
 *    └──────lost───────┴──────────lost───────────┘
 *
 * C takes a path out at once and tells; only this room lets it in again. A path that was lost soon
 * after it came back is held down twice as long as before, so that one that flaps does not make the
 * tunnel flap (as RFC 2439 damps routes, without its decay arithmetic). One that is lost for the first
 * time does not flap, however young the session.
 */
import { PATH_LOST } from '../boundary.js'

export type PathState = 'down' | 'probing' | 'up'

/** A path that stayed up for less than this was flapping. Chosen: longer than three failovers, shorter than a tunnel of a train. */
const STABLE_US = 10_000_000
/** The longest hold-down: users report failback within 15-30 s as acceptable, minutes as broken. */
const MOST_HOLD_DOWN_US = 20_000_000
/** Where doubling starts when updelay is zero. */
const LEAST_FLAP_HOLD_US = 500_000

const UNANSWERED = 'no answer from the other side yet'

export class PathLife {
  state: PathState = 'down'
  /** When `state` began. */
  sinceUs: number
  /** Why it is not up: a sentence for people. */
  why: string = UNANSWERED
  #holdDownUs = 0
  /** It was up once: the first time nothing is held down. */
  #wasUp = false
  /** It has come back at least once. */
  #returned = false
  #upAtUs: number | undefined

  constructor(nowUs: number) {
    this.sinceUs = nowUs
  }

  /** C heard the other side, and was heard. */
  handleAlive(nowUs: number, updelayUs: number): void {
    if (this.state !== 'down') return
    this.#enter(nowUs, 'probing')
    this.#upAtUs = nowUs + (this.#wasUp ? Math.max(updelayUs, this.#holdDownUs) : 0)
    this.why = !this.#wasUp
      ? 'it has just been answered'
      : this.#holdDownUs > updelayUs
        ? `it comes and goes: held back for ${seconds(this.#holdDownUs)} s`
        : `alive again, held back for ${seconds(updelayUs)} s (updelay)`
  }

  /** C took it out. Flapping makes of its next hold-down at most `mostHoldUs`. */
  handleLost(nowUs: number, why: string, updelayUs: number, mostHoldUs = MOST_HOLD_DOWN_US): void {
    const flapped = this.#returned && nowUs - this.sinceUs < STABLE_US
    if (this.state === 'up') {
      this.#holdDownUs = flapped
        ? Math.min(mostHoldUs, Math.max(this.#holdDownUs * 2, updelayUs, LEAST_FLAP_HOLD_US))
        : 0
    }
    this.#upAtUs = undefined
    this.why = why
    if (this.state !== 'down') this.#enter(nowUs, 'down')
  }

  /** Ends the hold-down, because there is no path to be spared its trouble: handleTimeout is due. It is not forgiven. */
  release(): void {
    if (this.#upAtUs !== undefined) this.#upAtUs = 0
  }

  /** The session began anew or, `why`, is over: nothing that was before counts. */
  restart(nowUs: number, why?: string): void {
    this.#holdDownUs = 0
    this.#wasUp = this.#returned = false
    this.#upAtUs = undefined
    this.why = why ?? (this.state === 'down' ? UNANSWERED : 'a new session has begun')
    if (this.state !== 'down') this.#enter(nowUs, 'down')
  }

  /** True when it has just become up. */
  handleTimeout(nowUs: number): boolean {
    if (this.#upAtUs === undefined || nowUs < this.#upAtUs) return false
    this.#upAtUs = undefined
    this.#returned = this.#wasUp
    this.#wasUp = true
    this.#enter(nowUs, 'up')
    this.why = ''
    return true
  }

  nextTimeout(): number {
    return this.#upAtUs ?? Number.POSITIVE_INFINITY
  }

  #enter(nowUs: number, state: PathState): void {
    this.state = state
    this.sinceUs = nowUs
  }
}

function seconds(us: number): string {
  return (us / 1e6).toFixed(us < 1e6 ? 1 : 0)
}

const ERRNO_TEXT: Readonly<Record<number, string>> = {
  1: 'not permitted: a firewall rule of this machine refuses it',
  19: 'its device is gone',
  22: 'its device has no usable address',
  99: 'its device has no usable address',
  100: 'its device is down',
  101: 'there is no route to the server on its device',
  113: 'the server cannot be reached from its device',
}

/** A sentence for people: why C took a path out. */
export function lossSentence(why: number, errno: number): string {
  switch (why) {
    case PATH_LOST.silent.value:
      return 'nothing was heard from the other side'
    case PATH_LOST.unheard.value:
      return 'the other side does not hear us'
    case PATH_LOST.closed.value:
      return 'its socket was closed'
    default:
      return `sending failed: ${ERRNO_TEXT[errno] ?? `errno ${errno}`}`
  }
}
