/** One question to one host and its answer, over a device that is not for the machine's routes to choose. */

import { createSocket } from 'node:dgram'
import { closeDescriptor, openUdp } from '../engine.js'
import type { Family } from '../net/address.js'
import type { Clock } from './clock.js'

export interface Exchange {
  readonly device: string
  readonly family: Family
  readonly address: string
  readonly port: number
  readonly message: Uint8Array
  readonly patienceUs: number
}

/** Resolves to the first datagram that comes from there. */
export type Exchanging = (exchange: Exchange) => Promise<Uint8Array>

export function exchangeOver(clock: Clock): Exchanging {
  return async ({ device, family, address, port, message, patienceUs }) => {
    const { fd } = openUdp({ family, device })
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
    let hasIt = false
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const disarm = clock.arm(patienceUs, () => reject(new Error(`${address} does not answer`)))
        socket.once('close', disarm)
        socket.on('error', reject)
        socket.once('message', resolve)
        socket.bind({ fd })
        hasIt = true
        // Connected, it hears nobody else.
        socket.connect(port, address, (error?: Error) =>
          error === undefined ? socket.send(message) : reject(error),
        )
      })
    } finally {
      socket.close()
      if (!hasIt) closeDescriptor(fd)
    }
  }
}
