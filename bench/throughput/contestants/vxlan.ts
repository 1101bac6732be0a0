/** The kernel's own tunnel without encryption: what is left when no packet visits userspace. */

import { release } from 'node:os'
import { untilCarries } from '../program.js'
import { INNER_MTU_BYTES, type Wire } from '../wire.js'
import type { Carrier, Contestant } from './contestant.js'

const CLIENT = '10.81.0.2'
const SERVER = '10.81.0.1'
const DEVICE = 'vxlan0'
/** RFC 7348, section 5. */
const PORT = 4789

export const vxlan: Contestant = {
  id: 'vxlan',
  title: 'vxlan of the kernel, unencrypted',
  kind: 'kernel',
  cipher: 'none',
  links: 1,
  version: async () => `Linux ${release()}`,
  open,
}

async function open(wire: Wire): Promise<Carrier> {
  const { client, server, device } = wire.first
  const add = (local: string, remote: string, address: string) => [
    `link add ${DEVICE} type vxlan id 1 local ${local} remote ${remote} dev ${device} dstport ${PORT}`,
    `link set ${DEVICE} mtu ${INNER_MTU_BYTES} up`,
    `address add ${address}/24 dev ${DEVICE}`,
  ]
  await wire.ip('client', ...add(client, server, CLIENT))
  await wire.ip('server', ...add(server, client, SERVER))
  await untilCarries(wire, SERVER, () => '')
  return {
    clients: [CLIENT],
    server: SERVER,
    pids: [],
    async close() {
      for (const side of ['client', 'server'] as const) await wire.ip(side, `link delete ${DEVICE}`)
    },
  }
}
