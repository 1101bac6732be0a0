/** The least that a tunnel in user space can do: what this machine itself takes for one. See relay.c. */

import { release } from 'node:os'
import { repositoryPath } from '../../lab/repository.js'
import type { Side } from '../../lab/site.js'
import { Program, untilDevice } from '../program.js'
import { INNER_MTU_BYTES, type Wire } from '../wire.js'
import type { Carrier, Contestant } from './contestant.js'
import { openPair } from './pair.js'

const PROGRAM = repositoryPath('build', 'mptun-relay')
const PORT = '10001'
const CLIENT = '10.82.0.2'
const SERVER = '10.82.0.1'
const DEVICE = 'relay0'

export const relay: Contestant = {
  id: 'relay',
  title: 'a relay that only reads and sends',
  kind: 'relay',
  cipher: 'none',
  links: 1,
  version: async () => `Linux ${release()}`,
  open,
}

async function open(wire: Wire): Promise<Carrier> {
  const { client, server } = wire.first
  const programs = [
    new Program(wire, 'server', [PROGRAM, DEVICE, server, client, PORT]),
    new Program(wire, 'client', [PROGRAM, DEVICE, client, server, PORT]),
  ]
  return openPair(wire, programs, { client: CLIENT, server: SERVER }, async (tell) => {
    await setUp(wire, 'server', SERVER, tell)
    await setUp(wire, 'client', CLIENT, tell)
  })
}

async function setUp(wire: Wire, side: Side, address: string, tell: () => string): Promise<void> {
  await untilDevice(wire, side, DEVICE, tell)
  await wire.ip(
    side,
    `link set ${DEVICE} mtu ${INNER_MTU_BYTES} up`,
    `address add ${address}/24 dev ${DEVICE}`,
  )
}
