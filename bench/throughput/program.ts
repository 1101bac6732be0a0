/** Programs that carry, and waiting for them. */

import { once } from 'node:events'
import { run } from '../lab/namespaces.js'
import type { Side } from '../lab/site.js'
import { until } from './until.js'
import type { Wire } from './wire.js'

/** A program that carries, and what it said. */
export class Program {
  readonly pid: number
  readonly #child: ReturnType<Wire['spawn']>
  #said = ''

  /** Starts it. */
  constructor(wire: Wire, side: Side, argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.#child = wire.spawn(side, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    const hear = (data: Buffer) => {
      this.#said += data
    }
    this.#child.stdout?.on('data', hear)
    this.#child.stderr?.on('data', hear)
    if (this.#child.pid === undefined) throw new Error(`${argv[0]} cannot be started`)
    this.pid = this.#child.pid
  }

  /** On both its outputs. */
  get said(): string {
    return this.#said
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'close')
  }
}

/** Waits until a device exists on a side. */
export function untilDevice(wire: Wire, side: Side, device: string, tell: () => string) {
  return until(
    `the device ${device}`,
    async () => {
      const { code } = await run(['ip', '-n', wire.namespace(side), 'link', 'show', device], {
        check: false,
      })
      return code === 0
    },
    tell,
  )
}

/** Waits until the server answers the client's ping. */
export function untilCarries(wire: Wire, address: string, tell: () => string) {
  return until(
    `an answer from ${address}`,
    async () => {
      const ping = ['ping', '-c', '1', '-W', '0.2', address]
      return (await wire.exec('client', ping, { check: false })).code === 0
    },
    tell,
  )
}
