/** The state directory and its key, as the commands that read and write it use them. */

import { randomFillSync } from 'node:crypto'
import { askControl, type ControlRequest, controlPath } from '../control.js'
import type { KeyPair } from '../core/keys.js'
import { MptunError } from '../errors.js'
import type { Store } from '../store.js'
import type { DaemonOptions } from './options.js'

/** Opens the store; libsodium, which keys need, is ready afterwards. */
export async function openStore(stateDir: string): Promise<Store> {
  const [{ default: sodium }, { Store }] = await Promise.all([
    import('libsodium-wrappers'),
    import('../store.js'),
  ])
  await sodium.ready
  return new Store(stateDir)
}

/** The key of this machine, made now when there is none. */
export async function ownKey(store: Store): Promise<KeyPair> {
  const { KEY_BYTES, keyPairOf } = await import('../core/keys.js')
  store.prepare()
  const secretKey = store.readKey() ?? store.keepKey(randomFillSync(new Uint8Array(KEY_BYTES)))
  return keyPairOf(secretKey)
}

/** What `read` finds; of a file that is damaged nothing, and `onFault` gets its sentence. */
export function readSound<T>(
  read: () => T | undefined,
  onFault: (why: string) => void,
): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof MptunError)) throw error
    onFault(error.message)
    return undefined
  }
}

/** What `read` finds of each; a file that is damaged costs what it is about and nothing else. */
export function readEach<T>(
  ids: readonly string[],
  read: (id: string) => T | undefined,
  onFault: (why: string) => void,
): { readonly id: string; readonly record: T }[] {
  return ids.flatMap((id) => {
    const record = readSound(() => read(id), onFault)
    return record === undefined ? [] : [{ id, record }]
  })
}

/** For commands that do what they were asked for all the same. */
export function warn(sentence: string): void {
  process.stderr.write(`${sentence}\n`)
}

/** Asks the daemon if there is one; undefined when none runs. */
export async function askIfRunning(
  { runDir, tun }: DaemonOptions,
  request: ControlRequest,
): Promise<unknown> {
  try {
    return await askControl(controlPath(runDir, tun), request)
  } catch (error) {
    if (error instanceof MptunError && error.code === 'MPTUN_E_SYSTEM_NO_DAEMON') return undefined
    throw error
  }
}
