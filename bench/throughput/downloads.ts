/** TCP downloads of many clients at once, by the program of downloads.c. */

import { once } from 'node:events'
import { line } from '../lab/output.js'
import { repositoryPath } from '../lab/repository.js'
import type { Wire } from './wire.js'

const PROGRAM = repositoryPath('build', 'mptun-downloads')
const PORT = '7200'

export interface Downloads {
  /** Of the server, inside the tunnel. */
  readonly address: string
  readonly clients: readonly DownloadClient[]
  /** Of each client, octets of payload. */
  readonly bytesPerS: number
  readonly seconds: number
}

export interface DownloadClient {
  readonly address: string
  readonly device: string
}

export interface DownloadsReport {
  /** Octets of payload that all clients received, and the one that received least. */
  readonly bytes: number
  readonly leastBytes: number
}

export async function runDownloads(wire: Wire, downloads: Downloads): Promise<DownloadsReport> {
  const { address, clients, bytesPerS, seconds } = downloads
  const server = wire.spawn('server', [PROGRAM, 'serve', PORT, String(Math.round(bytesPerS))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(server, 'close')
  try {
    await line(server, /^listening$/)
    const sources = clients.map((client) => `${client.address}%${client.device}`)
    const words = ['fetch', address, PORT, String(seconds), ...sources]
    const { stdout } = await wire.exec('client', [PROGRAM, ...words])
    return JSON.parse(stdout) as DownloadsReport
  } finally {
    server.stdin?.end()
    await closed
  }
}
