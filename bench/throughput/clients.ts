/**
 * Many clients in one process: `clients.js DEVICE MTU STATE_DIR...`, one for each directory, until SIGTERM.
 */

import { basename } from 'node:path'
import { fromCommandLine } from '#mptun/config/file.js'
import { resolveConfig } from '#mptun/config/tunnel.js'
import { Daemon } from '#mptun/daemon/daemon.js'
import { systemMachine } from '#mptun/daemon/machine.js'

const [uplink = '', mtu = '', ...stateDirs] = process.argv.slice(2)

const daemons = await Promise.all(
  stateDirs.map(async (stateDir) => {
    const readConfig = () =>
      resolveConfig(
        'client',
        fromCommandLine({
          ...{ uplink: [uplink], mtu, tun: basename(stateDir) },
          ...{ 'state-dir': stateDir, 'run-dir': stateDir },
        }),
      )
    const config = await readConfig()
    return new Daemon({ machine: systemMachine, config, readConfig, version: 'of the benchmark' })
  }),
)

process.on('SIGTERM', () => {
  for (const daemon of daemons) daemon.end()
})
await Promise.all(daemons.map((daemon) => daemon.run()))
process.exit(0)
