/** UDP at a rate, by the program of flood.c. */

import { once } from 'node:events'
import { line } from '../lab/output.js'
import { repositoryPath } from '../lab/repository.js'
import type { Side } from '../lab/site.js'
import type { Trial } from './search.js'
import type { Wire } from './wire.js'

const PROGRAM = repositoryPath('build', 'mptun-flood')
const PORT = '7100'
/** What is still in queues when the last datagram was sent. */
const DRAIN_MS = 100

export interface Flood {
  readonly from: Side
  readonly to: Side
  /** In turn. */
  readonly addresses: readonly string[]
  readonly packetsPerS: number
  readonly seconds: number
  /** Of UDP. */
  readonly payloadBytes: number
}

export interface FloodReport extends Trial {
  readonly received: number
  readonly outOfOrder: number
}

export async function runFlood(wire: Wire, flood: Flood): Promise<FloodReport> {
  const { from, to, addresses, packetsPerS, seconds, payloadBytes } = flood
  const receiver = wire.spawn(to, [PROGRAM, 'receive', PORT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  await line(receiver, /^listening$/)
  receiver.stdout?.on('data', (data: Buffer) => {
    output += data
  })
  const closed = once(receiver, 'close')
  const numbers = [Math.round(packetsPerS), seconds, payloadBytes].map(String)
  try {
    const { stdout } = await wire.exec(from, [PROGRAM, 'send', PORT, ...numbers, ...addresses])
    const { sent, elapsedUs } = JSON.parse(stdout) as { sent: number; elapsedUs: number }
    await new Promise((resolve) => setTimeout(resolve, DRAIN_MS))
    receiver.stdin?.end()
    await closed
    const { received, outOfOrder } = JSON.parse(output) as { received: number; outOfOrder: number }
    return {
      received,
      outOfOrder,
      receivedPerS: (received * 1e6) / elapsedUs,
      loss: 1 - received / sent,
    }
  } finally {
    receiver.stdin?.end()
    await closed
  }
}
