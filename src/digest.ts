import { createHash } from 'node:crypto'
import * as boundary from './boundary.js'
import * as wire from './wire.js'

/** Identifies the contract that TypeScript was compiled with; the addon returns the one in its contract.h. */
export function contractDigest(): string {
  const contract = JSON.stringify({ wire: sorted(wire), boundary: sorted(boundary) })
  return createHash('sha256').update(contract).digest('hex').slice(0, 16)
}

/** A module's exports in the order that ECMAScript gives a namespace; bundlers and test runners keep another. */
function sorted(module: object): object {
  return Object.fromEntries(Object.entries(module).sort(([a], [b]) => (a < b ? -1 : 1)))
}
