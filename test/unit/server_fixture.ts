/** A server in a world of its own, both begun anew before each test; importers see the present ones. */
import { beforeEach } from 'vitest'
import type { Server } from '../../src/core/server.js'
import { MemoryRegistry, SERVER_V4, SERVER_V6, type Station, World } from './world_fixture.js'

export let world: World
export let registry: MemoryRegistry
export let server: Station<Server>

beforeEach(() => {
  world = new World()
  registry = new MemoryRegistry()
  server = world.server(registry, [SERVER_V4, SERVER_V6])
})

/** The server's peers. */
export const names = () => server.core.snapshot().peers.map(({ name }) => name)
export const policyAtServer = () => server.core.snapshot().peers[0]!.policy

/** How many messages the station refused, by the reason. */
export const refusals = (station: Station) => station.core.snapshot().refusals
