/** The one class of errors that leaves this program's rooms, and who can act on each of them. */

export type ErrorCode = `MPTUN_E_${string}`

/** config: the user's input; system: the machine or its kernel; bug: this program. */
export type ErrorFamily = 'config' | 'system' | 'bug'

export interface ErrorDetails {
  /** Where the faulty value stands, such as `uplink[1].weight`. */
  readonly key?: string
  /** Name of the system's error, such as `EPERM`. */
  readonly errno?: string
  /** The call that failed, such as `bind`. */
  readonly syscall?: string
  readonly cause?: unknown
}

/** An error with a stable code; the message says what was found, what is accepted, and the remedy. */
export class MptunError extends Error {
  override readonly name = 'MptunError'
  readonly code: ErrorCode
  readonly family: ErrorFamily
  readonly key: string | undefined
  readonly errno: string | undefined
  readonly syscall: string | undefined

  /** @param code its first word after `MPTUN_E_` is the family: `MPTUN_E_CONFIG_WEIGHT`, `MPTUN_E_SYSTEM_TUN`. */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.family = familyOf(code, details)
    this.key = details.key
    this.errno = details.errno
    this.syscall = details.syscall
  }
}

// A code that names no family and carries no errno was not thought about, which is our fault.
function familyOf(code: ErrorCode, details: ErrorDetails): ErrorFamily {
  if (code.startsWith('MPTUN_E_CONFIG_')) return 'config'
  if (code.startsWith('MPTUN_E_SYSTEM_') || details.errno !== undefined) return 'system'
  return 'bug'
}

/** What an error says; the text of whatever else was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The user's input is refused. `key` is the place of the faulty value. */
export function configError(topic: string, message: string, key?: string): MptunError {
  return new MptunError(`MPTUN_E_CONFIG_${topic}`, message, key === undefined ? {} : { key })
}

/** The system refused; errno and syscall are taken from `cause` when it is an error of Node's. */
export function systemError(topic: string, message: string, cause?: unknown): MptunError {
  const { code, syscall } = (cause ?? {}) as { code?: unknown; syscall?: unknown }
  return new MptunError(`MPTUN_E_SYSTEM_${topic}`, message, {
    ...(typeof code === 'string' ? { errno: code } : {}),
    ...(typeof syscall === 'string' ? { syscall } : {}),
    ...(cause === undefined ? {} : { cause }),
  })
}

/** This program contradicts itself. */
export function bugError(topic: string, message: string, cause?: unknown): MptunError {
  return new MptunError(`MPTUN_E_BUG_${topic}`, message, cause === undefined ? {} : { cause })
}
