/** Two programs, one on each side, that carry between two inner addresses. */

import { type Program, untilCarries } from '../program.js'
import type { Wire } from '../wire.js'
import type { Carrier } from './contestant.js'

export interface InnerEnds {
  readonly client: string
  readonly server: string
}

/** Resolves when the pair carries, `setUp` once done; `tell` is what both have said. */
export async function openPair(
  wire: Wire,
  programs: readonly Program[],
  { client, server }: InnerEnds,
  setUp: (tell: () => string) => Promise<void> = async () => {},
): Promise<Carrier> {
  const tell = () => programs.map(({ said }) => said).join('')
  await setUp(tell)
  await untilCarries(wire, server, tell)
  return {
    clients: [client],
    server,
    pids: programs.map(({ pid }) => pid),
    async close() {
      for (const program of programs) await program.end()
    },
  }
}
