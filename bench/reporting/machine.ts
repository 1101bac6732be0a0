/** On what was measured. */

import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { aeads } from '#mptun/engine.js'
import { AEAD } from '#mptun/wire.js'
import { run } from '../lab/namespaces.js'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  readonly kernel: string
  readonly node: string
  /** That of the node binary, which seals for mptun. */
  readonly openssl: string
  readonly iperf3: string
  /** What mptun seals with here: a library for each cipher. */
  readonly sealing: Readonly<Record<string, string>>
}

export async function describeMachine(): Promise<Machine> {
  const { stdout: iperf3 } = await run(['iperf3', '--version'])
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1e9),
    system: systemName(),
    kernel: release(),
    node: process.versions.node,
    openssl: process.versions.openssl,
    iperf3: /^iperf (\S+)/.exec(iperf3)?.[1] ?? 'unknown',
    sealing: sealingLibraries(),
  }
}

function sealingLibraries(): Record<string, string> {
  const { providers } = aeads()
  const found = Object.entries(AEAD).map(([name, { value }]) => [name, providers[value] ?? 'none'])
  return Object.fromEntries(found)
}

/** os-release(5). */
function systemName(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="(.*)"$/m.exec(text)?.[1] ?? 'Linux'
  } catch {
    return 'Linux'
  }
}

/** In one sentence. */
export function machineSentence({ cpu, cores, system, kernel, node, openssl }: Machine): string {
  return `${cores} ${cores === 1 ? 'core' : 'cores'} of ${cpu}, ${system}, Linux ${kernel}, Node ${node} with OpenSSL ${openssl}`
}
