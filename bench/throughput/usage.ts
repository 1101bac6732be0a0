/** What processes take of the machine: proc(5). */

import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, in which the kernel tells times: 100 on every architecture that Node runs on. */
const TICKS_PER_S = 100

/** CPU time of all threads, since their start, of all these processes together, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids.map((pid) => threadSeconds(pid) ?? tickSeconds(pid)))
}

/**
 * In nanoseconds where the kernel has CONFIG_SCHED_INFO: ticks of 10 ms are coarse for what a short load
 * takes. Threads that have ended are missing, which between two calls none of a tunnel's does.
 */
function threadSeconds(pid: number): number | undefined {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return sum(
      threads.map((thread) => {
        const [running] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
        return Number(running) / 1e9
      }),
    )
  } catch {
    return undefined
  }
}

function tickSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is a name in brackets that may hold blanks; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
}

/** Memory that these processes hold together, in bytes. */
export function residentBytes(pids: readonly number[]): number {
  return sum(
    pids.map((pid) => {
      const [, kilobytes] =
        /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      return Number(kilobytes) * 1024
    }),
  )
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
