/** What a daemon needs of the machine it runs on; tests give it another. */

import { randomFillSync } from 'node:crypto'
import type { RandomBytes } from '../core/keys.js'
import type { EnginePort } from '../crossing.js'
import {
  type Aeads,
  aeads,
  closeDescriptor,
  Engine,
  openTun,
  openUdp,
  type TunDevice,
  type UdpRequest,
  type UdpSocket,
} from '../engine.js'
import { hasIpv6, isStrictlyFiltered } from '../net/devices.js'
import { nameServers } from '../net/nameservers.js'
import { type Run, run } from '../net/program.js'
import { type Lookup, lookup } from '../net/resolve.js'
import { type Clock, systemClock } from './clock.js'
import { type Exchanging, exchangeOver } from './exchange.js'

export interface Machine {
  readonly clock: Clock
  readonly randomBytes: RandomBytes
  readonly run: Run
  readonly lookup: Lookup
  readonly nameServers: () => readonly string[]
  readonly exchange: Exchanging
  readonly aeads: () => Aeads
  readonly openTun: (name: string, offload: boolean) => TunDevice
  readonly openUdp: (request: UdpRequest) => UdpSocket
  readonly closeDescriptor: (fd: number) => void
  readonly openEngine: (tun: TunDevice, onBell: () => void) => ClosableEngine
  readonly hasIpv6: () => boolean
  readonly isStrictlyFiltered: (device: string) => boolean
}

export interface ClosableEngine extends EnginePort {
  close(): void
}

export const systemMachine: Machine = {
  clock: systemClock,
  randomBytes: (count) => randomFillSync(new Uint8Array(count)),
  run,
  lookup,
  nameServers,
  exchange: exchangeOver(systemClock),
  aeads,
  openTun,
  openUdp,
  closeDescriptor,
  openEngine: (tun, onBell) => new Engine({ tun, onBell }),
  hasIpv6,
  isStrictlyFiltered,
}
