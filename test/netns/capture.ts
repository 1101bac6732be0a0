/** What passes a device, by tcpdump. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Side, Site } from '../../bench/lab/site.js'

/** The kernel's buffer: what is captured while a test is busy elsewhere. */
const BUFFER_KIB = 65_536
/** tcpdump is given packets in blocks, which the kernel fills for up to a second. */
const SETTLE_MS = 1200
/** https://www.tcpdump.org/linktypes.html */
const LINK_ETHERNET = 1
const LINK_RAW = 101
const ETHERNET_BYTES = 14
const ETHERTYPES_OF_IP = [0x0800, 0x86dd]

let captures = 0

export interface Capture {
  /** Stops it; the IP packets in the order in which they passed. Rejects when any was missed. */
  end(): Promise<Buffer[]>
}

/** @param way seen from the host: `in` is what the device receives. */
export async function capture(
  site: Site,
  side: Side,
  device: string,
  way: 'in' | 'out',
): Promise<Capture> {
  const file = join(site.directory, `capture-${captures++}.pcap`)
  const words = ['-i', device, '-Q', way, '-B', String(BUFFER_KIB), '-s', '0', '-n', '-w', file]
  const child = site.spawn(side, ['tcpdump', '-Z', 'root', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  const listens = new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (data: Buffer) => {
      said += data
      if (said.includes('listening on')) resolve()
    })
    child.once('error', reject)
    child.once('close', () => reject(new Error(`tcpdump on ${device}: ${said}`)))
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  await listens
  return {
    async end() {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
      child.kill('SIGINT')
      await closed
      if (!said.includes('\n0 packets dropped by kernel')) {
        throw new Error(`the capture on ${device} is not whole: ${said}`)
      }
      return readPcap(readFileSync(file))
    },
  }
}

/** The IP packets of a file as tcpdump writes it: draft-ietf-opsawg-pcap, in this machine's byte order. */
function readPcap(file: Buffer): Buffer[] {
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('not a pcap file of this byte order')
  const link = file.readUInt32LE(20)
  if (link !== LINK_ETHERNET && link !== LINK_RAW) throw new Error(`link type ${link} is unknown`)
  const packets: Buffer[] = []
  for (let at = 24; at + 16 <= file.length; ) {
    const length = file.readUInt32LE(at + 8)
    const frame = file.subarray(at + 16, at + 16 + length)
    if (length !== file.readUInt32LE(at + 12)) throw new Error('a packet was captured in part')
    if (link === LINK_RAW) packets.push(frame)
    else if (ETHERTYPES_OF_IP.includes(frame.readUInt16BE(12))) {
      packets.push(frame.subarray(ETHERNET_BYTES))
    }
    at += 16 + length
  }
  return packets
}
