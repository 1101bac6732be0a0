/** Which uplink needs a socket opened or given up, from what the devices are now and were before. */

import type { Family } from './address.js'
import { type Device, judge } from './devices.js'

export type UplinkChange =
  | { readonly kind: 'open'; readonly name: string; readonly family: Family }
  | { readonly kind: 'gone'; readonly name: string; readonly family: Family; readonly why: string }
  /** It cannot be used, for another reason than before. */
  | { readonly kind: 'waiting'; readonly name: string; readonly why: string }

interface Watched {
  /** ifindex that the socket of a family is bound to. */
  readonly open: Map<Family, number>
  /** Why it cannot be used, as it was told last; empty while it can. */
  why: string
}

const FAMILIES: readonly Family[] = [4, 6]

export class Uplinks {
  readonly #watched = new Map<string, Watched>()

  /** Starts to watch; the next update tells how it is. */
  add(name: string): void {
    if (!this.#watched.has(name)) this.#watched.set(name, { open: new Map(), why: '' })
  }

  remove(name: string): void {
    this.#watched.delete(name)
  }

  /** What has to be done, in order. An `open` is taken as done unless handleRefused says otherwise. */
  update(devices: ReadonlyMap<string, Device>): UplinkChange[] {
    return [...this.#watched].flatMap(([name, watched]) => change(name, watched, devices.get(name)))
  }

  get names(): readonly string[] {
    return [...this.#watched.keys()]
  }

  /** Families of its sockets. */
  openFamilies(name: string): readonly Family[] {
    return [...(this.#watched.get(name)?.open.keys() ?? [])]
  }

  /** A socket could not be opened: tried again at the next update. */
  handleRefused(name: string, family: Family): void {
    this.#watched.get(name)?.open.delete(family)
  }
}

function change(name: string, watched: Watched, device: Device | undefined): UplinkChange[] {
  const { families, why } = judge(name, device)
  const changes: UplinkChange[] = []
  for (const family of FAMILIES) {
    const bound = watched.open.get(family)
    if (families.includes(family)) {
      // A socket stays bound to the ifindex, which a device that comes back does not have again.
      if (bound !== device!.ifindex) changes.push({ kind: 'open', name, family })
      watched.open.set(family, device!.ifindex)
    } else if (bound !== undefined) {
      const reason = why || `the device ${name} has no IPv${family} address any more`
      changes.push({ kind: 'gone', name, family, why: reason })
      watched.open.delete(family)
    }
  }
  if (why !== '' && why !== watched.why) changes.push({ kind: 'waiting', name, why })
  watched.why = why
  return changes
}
