/** What a tunnel costs that nobody uses. */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { openTunnel, type Tunnel } from '../../bench/lab/tunnel.js'
import { PROBE_BYTES } from './probe.js'

const say = (claim: string) => console.log(`  ${claim}`)
/** USER_HZ of Linux on every architecture that Node runs on. */
const TICKS_PER_S = 100
const IDLE_AFTER_MS = 10_000
const WATCH_S = 20

let lab: Lab | undefined
let tunnel: Tunnel | undefined

afterEach(async () => {
  await tunnel?.close()
  tunnel = undefined
  await lab?.close()
  lab = undefined
})

const cpuSeconds = (pid: number) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
}
const residentBytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

describe('an idle tunnel', () => {
  it('takes less than 1 % of a core, 90 MB, and a few octets', async () => {
    const links = ['dsl', 'lte'].map((name) => ({ name, description: 'rate=20,delay=20' }))
    lab = await createLab({ name: 'idle', links })
    tunnel = await openTunnel(lab)
    await pause(IDLE_AFTER_MS + 2000)
    const daemons = [tunnel.client, tunnel.server]
    const carried = async () => {
      const stats = await lab!.stats()
      return stats.reduce((sum, { up, down }) => sum + up.offeredBytes + down.offeredBytes, 0)
    }
    const cpuBefore = daemons.map(({ pid }) => cpuSeconds(pid!))
    const bytesBefore = await carried()
    await pause(WATCH_S * 1000)
    const bytes = (await carried()) - bytesBefore
    for (const [i, { pid, tun }] of daemons.entries()) {
      const share = (cpuSeconds(pid!) - cpuBefore[i]!) / WATCH_S
      const megabytes = residentBytes(pid!) / 1e6
      say(
        `${tun} idle: ${(share * 100).toFixed(2)} % of a core, ${megabytes.toFixed(1)} MB resident`,
      )
      expect(share).toBeLessThan(0.01)
      expect(megabytes).toBeLessThan(90)
    }
    const perHour = (bytes / WATCH_S) * 3600
    say(
      `idle: ${(perHour / 2 / 1000).toFixed(1)} kB an hour and uplink, both ways, with IP and UDP`,
    )
    // One probe and one echo an uplink in 20 s; the watch may catch one more.
    expect(bytes).toBeLessThanOrEqual(2 * 2 * 2 * PROBE_BYTES)
    expect(bytes).toBeGreaterThan(0)
  })
})
