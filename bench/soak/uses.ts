/** What the daemons take of the machine, and whether it grows. */

import { readdirSync } from 'node:fs'
import { residentBytes } from '../throughput/usage.js'
import type { Place } from './place.js'

/** A heap that is not collected yet grows by some tens of megabytes, and by no more. */
const GROWTH_MOST_BYTES = 64e6
/** Some more while paths come and go. */
const DESCRIPTORS_MOST_MORE = 16

export interface Use {
  readonly bytes: number
  readonly descriptors: number
}

export type Uses = Readonly<Record<'client' | 'server', Use>>

/** Both have to run. */
export function usesOf({ daemons: { client, server } }: Place): Uses {
  return { client: useOf(client.pid), server: useOf(server.pid) }
}

function useOf(pid: number | undefined): Use {
  if (pid === undefined) throw new Error('a daemon has ended')
  return { bytes: residentBytes([pid]), descriptors: readdirSync(`/proc/${pid}/fd`).length }
}

/** A sentence each, without its full stop. */
export function growthFaults(first: Uses, last: Uses): string[] {
  return (['client', 'server'] as const).flatMap((side) => {
    const [was, is] = [first[side], last[side]]
    const growth = is.bytes - was.bytes
    const more = is.descriptors - was.descriptors
    return [
      ...(growth > GROWTH_MOST_BYTES
        ? [`the ${side} grew by ${(growth / 1e6).toFixed(0)} MB`]
        : []),
      ...(more > DESCRIPTORS_MOST_MORE ? [`the ${side} has ${more} more files open`] : []),
    ]
  })
}
