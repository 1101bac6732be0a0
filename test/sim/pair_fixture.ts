/** A client and a server in virtual time, which are gone when the test that opened them is over. */
import { afterEach } from 'vitest'
import { Pair, type PairOptions } from './tunnel.js'

const opened: Pair[] = []

afterEach(() => {
  for (const pair of opened.splice(0)) pair.close()
})

export async function openPair(options: PairOptions): Promise<Pair> {
  const pair = await Pair.open(options)
  opened.push(pair)
  return pair
}
