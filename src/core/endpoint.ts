import type { Endpoint } from '../boundary.js'

/** The endpoint in a record that carries more. */
export function endpointOf({ port, family, remotePort, remote, scope, local }: Endpoint): Endpoint {
  return { port, family, remotePort, remote, scope, local }
}
