/** Section 13 of PROTOCOL.md: what arrived, as a peer with FEATURE.repair tells it. */

export interface Gap {
  received: number
  missing: number
}

export interface PathReport {
  path: number
  receiver: number
  newest: number
  holdUs: number
  delayUs: number
  octets: number
  datagrams: number
  /** The newest first. */
  gaps: readonly Gap[]
}

const PATH = 24
const GAP = 4

export function readFeedback(body: Buffer): PathReport[] {
  const reports: PathReport[] = []
  let at = 1
  for (let left = body.readUInt8(0); left > 0; left -= 1) {
    const count = body.readUInt8(at + 23)
    reports.push({
      path: body.readUInt8(at),
      receiver: body.readUInt16LE(at + 1),
      newest: body.readUInt32LE(at + 3),
      holdUs: body.readUInt32LE(at + 7),
      delayUs: body.readUInt32LE(at + 11),
      octets: body.readUInt32LE(at + 15),
      datagrams: body.readUInt32LE(at + 19),
      gaps: Array.from({ length: count }, (_, i) => ({
        received: body.readUInt16LE(at + PATH + i * GAP),
        missing: body.readUInt16LE(at + PATH + i * GAP + 2),
      })),
    })
    at += PATH + count * GAP
  }
  if (at !== body.length) throw new Error(`peer: feedback of ${body.length} octets, not ${at}`)
  return reports
}

export function writeFeedback(reports: readonly PathReport[]): Buffer {
  const parts = reports.map((report) => {
    const part = Buffer.alloc(PATH + report.gaps.length * GAP)
    part.writeUInt8(report.path, 0)
    part.writeUInt16LE(report.receiver, 1)
    part.writeUInt32LE(report.newest, 3)
    part.writeUInt32LE(report.holdUs, 7)
    part.writeUInt32LE(report.delayUs, 11)
    part.writeUInt32LE(report.octets, 15)
    part.writeUInt32LE(report.datagrams, 19)
    part.writeUInt8(report.gaps.length, 23)
    report.gaps.forEach(({ received, missing }, i) => {
      part.writeUInt16LE(received, PATH + i * GAP)
      part.writeUInt16LE(missing, PATH + i * GAP + 2)
    })
    return part
  })
  return Buffer.concat([Buffer.of(reports.length), ...parts])
}
