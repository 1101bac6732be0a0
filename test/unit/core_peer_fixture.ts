/** A peer of the core alone: its paths are brought up and lost by events, and its commands are read. */

import { beforeEach } from 'vitest'
import { type Endpoint, PATH_LOST } from '../../src/boundary.js'
import type { Context } from '../../src/core/context.js'
import { Peer } from '../../src/core/peer.js'
import { DEFAULT_PATH_POLICY, type PathPolicy, type Policy } from '../../src/core/policy.js'
import { newContext, only, policyOf, takeCommands } from './core_fixture.js'

export const ID = 4
export const ENDPOINT: Endpoint = {
  port: 1,
  family: 4,
  remotePort: 5000,
  remote: new Uint8Array(16).fill(7),
  scope: 0,
  local: new Uint8Array(16),
}

/** Begun anew by `begin`; importers see the present ones. */
export let context: Context
export let peer: Peer
export let nowUs: number

/** A peer without paths, at time zero. */
export function begin(): void {
  context = newContext()
  peer = new Peer(context, { id: ID, name: 'van', initiator: false })
  nowUs = 0
}

beforeEach(begin)

const labels = ['dsl', 'lte', 'sat', 'cable']
export const know = (...paths: number[]) => {
  for (const path of paths) peer.setPath(nowUs, path, labels[path] ?? `p${path}`, ENDPOINT)
}
export const alive = (...paths: number[]) => {
  for (const path of paths) peer.handleEvent(nowUs, { kind: 'pathAlive', peer: ID, path })
}
export const lose = (path: number) => {
  const { value: why } = PATH_LOST.silent
  peer.handleEvent(nowUs, { kind: 'pathLost', peer: ID, path, why, errorNumber: 0 })
}
export const later = (us: number) => {
  nowUs += us
  peer.handleTimeout(nowUs)
}
export const policy = (changes: Partial<Policy>, ...paths: Partial<PathPolicy>[]) =>
  peer.setPolicy(
    policyOf({
      ...changes,
      paths: paths.map((path, i) => ({ ...DEFAULT_PATH_POLICY, path: i, ...path })),
    }),
  )

/** Plans published since the last call, each as the paths that carry under it; changes of reserves alone left out. */
export function plans(): number[][] {
  const masks = only(takeCommands(context), 'planPublish').map(
    ({ payload }) => payload![2]! | (payload![3]! << 8),
  )
  return masks
    .filter((mask, i) => mask !== masks[i - 1])
    .map((mask) =>
      Array.from({ length: 16 }, (_, path) => path).filter((path) => mask & (1 << path)),
    )
}
export const snapshotOf = (path: number) =>
  peer.snapshot().paths.find((each) => each.path === path)!
