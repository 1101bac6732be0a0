/** Ourselves, set up by the command line as a user would. */

import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Mode } from '#mptun/core/policy.js'
import { run } from '../../lab/namespaces.js'
import { repositoryPath } from '../../lab/repository.js'
import { openTunnel } from '../../lab/tunnel.js'
import { INNER_MTU_BYTES, type Wire } from '../wire.js'
import type { Carrier, Contestant } from './contestant.js'

const PROGRAM = [process.execPath, repositoryPath('dist', 'cli.js')]

interface Choice {
  readonly id: string
  readonly title: string
  readonly cipher: string
  readonly links: number
  /** More words of both command lines. */
  readonly words?: readonly string[]
}

export const MTU_WORDS = ['--mtu', String(INNER_MTU_BYTES)]

function sealed({ words = [], ...choice }: Choice): Contestant {
  return {
    ...choice,
    kind: 'mptun',
    version: () => versionOf(PROGRAM),
    open: (wire) => open(wire, PROGRAM, [...MTU_WORDS, ...words]),
  }
}

/**
 * Without the library that makes sealing quicker where it is installed: something else of its name is
 * found before it.
 */
export const mptunOpenssl: Contestant = {
  ...sealed({ id: 'mptun-openssl', title: 'mptun, OpenSSL only', cipher: 'AES-256-GCM', links: 1 }),
  open: async (wire) => {
    const folder = join(wire.directory, 'decoy')
    mkdirSync(folder)
    symlinkSync(repositoryPath('build', 'mptun.node'), join(folder, 'libIPSec_MB.so.1'))
    return open(wire, ['env', `LD_LIBRARY_PATH=${folder}`, ...PROGRAM], MTU_WORDS)
  },
}

const AES = 'AES-256-GCM'

export const mptun = sealed({ id: 'mptun', title: 'mptun', cipher: AES, links: 1 })
export const mptunChacha = sealed({
  id: 'mptun-chacha',
  title: 'mptun, ChaCha20',
  cipher: 'ChaCha20-Poly1305',
  links: 1,
  words: ['--aead', 'chacha20-poly1305'],
})

/** Equal paths that all carry: adaptive needs no second one where the first is not full. */
export function mptunPaths(links: number): Contestant {
  return sealed({
    id: `mptun-${links}-paths`,
    title: `mptun, ${links === 1 ? '1 path' : `${links} paths in turn`}`,
    cipher: AES,
    links,
    words: ['--mode', 'balance-rr'],
  })
}

/** In a mode that is told, whatever the default is. */
export function mptunMode(mode: Mode, links: number): Contestant {
  const paths = links === 1 ? '1 path' : `${links} paths`
  return sealed({
    id: `${mode}-${links}`,
    title: `mptun, ${mode}, ${paths}`,
    cipher: AES,
    links,
    words: ['--mode', mode],
  })
}

/** The same with the addon that seals nothing. */
export const mptunUnsealed: Contestant = {
  id: 'mptun-unsealed',
  title: 'mptun, unsealed build',
  kind: 'unsealed',
  cipher: 'none',
  links: 1,
  version: () => versionOf(PROGRAM),
  open: async (wire) => open(wire, unsealedProgram(), MTU_WORDS),
}

async function open(
  wire: Wire,
  program: readonly string[],
  words: readonly string[],
): Promise<Carrier> {
  const tunnel = await openTunnel(wire, { program, serverWords: words, clientWords: words })
  const { client, server, inner } = tunnel
  return {
    clients: [inner.client.ipv4],
    packetsTaken: async () => (await server.status()).counters.tunReadPackets ?? 0,
    server: inner.server.ipv4,
    pids: [client.pid!, server.pid!],
    close: () => tunnel.close(),
  }
}

let unsealedTree: string | undefined

/**
 * The product takes its addon from beside its own files and from nowhere else; so this is a copy of the
 * product with the other addon beside it.
 */
function unsealedProgram(): string[] {
  unsealedTree ??= makeUnsealedTree()
  return [process.execPath, join(unsealedTree, 'dist', 'cli.js')]
}

function makeUnsealedTree(): string {
  const tree = repositoryPath('build', 'unsealed')
  rmSync(tree, { recursive: true, force: true })
  const isProduct = (path: string) => !path.startsWith(repositoryPath('dist', 'bench'))
  cpSync(repositoryPath('dist'), join(tree, 'dist'), { recursive: true, filter: isProduct })
  cpSync(repositoryPath('package.json'), join(tree, 'package.json'))
  cpSync(repositoryPath('build', 'mptun-unsealed.node'), join(tree, 'build', 'mptun.node'))
  return tree
}

async function versionOf(program: readonly string[]): Promise<string> {
  const { stdout } = await run([...program, '--version'])
  return stdout.trim()
}
