/** Section 6 of PROTOCOL.md: sealed datagrams. */

import { type Algorithm, open, seal } from './crypto.js'

export const TYPE = {
  data: 4,
  probe: 5,
  echo: 6,
  control: 7,
  feedback: 8,
  sizeProbe: 9,
  sizeEcho: 10,
  context: 11,
  compressed: 12,
  kept: 13,
} as const

export interface Header {
  type: number
  path: number
  receiver: number
  pathSeq: bigint
  /** Any clock in microseconds; its low 24 bits travel. */
  sendTime: number
  flow: number
  flowSeq: number
}

const CLEAR = 8
const HEADER = 16
const TAG = 16

function nonceOf(path: number, pathSeq: bigint): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32LE(path, 0)
  nonce.writeBigUInt64LE(pathSeq, 4)
  return nonce
}

export function sealDatagram(
  algorithm: Algorithm,
  key: Buffer,
  header: Header,
  body: Uint8Array,
): Buffer {
  const head = Buffer.alloc(HEADER)
  head.writeUInt8(header.type, 0)
  head.writeUInt8(header.path, 1)
  head.writeUInt16LE(header.receiver, 2)
  head.writeUInt32LE(Number(header.pathSeq & 0xffffffffn), 4)
  head.writeUIntLE(header.sendTime % 2 ** 24, 8, 3)
  head.writeUInt16LE(header.flow, 11)
  head.writeUIntLE(header.flowSeq, 13, 3)
  const clear = head.subarray(0, CLEAR)
  const plain = Buffer.concat([head.subarray(CLEAR), body])
  const nonce = nonceOf(header.path, header.pathSeq)
  return Buffer.concat([clear, seal(algorithm, key, nonce, clear, plain)])
}

/** @param newest greatest path sequence accepted on a path; the one that travels is the nearest to it. */
export function openDatagram(
  algorithm: Algorithm,
  key: Buffer,
  datagram: Buffer,
  newest: (path: number) => bigint,
): { header: Header; body: Buffer } | undefined {
  if (datagram.length < HEADER + TAG) return undefined
  const path = datagram.readUInt8(1)
  const pathSeq = nearest(newest(path), BigInt(datagram.readUInt32LE(4)))
  const clear = datagram.subarray(0, CLEAR)
  const sealed = datagram.subarray(CLEAR)
  const plain = open(algorithm, key, nonceOf(path, pathSeq), clear, sealed)
  if (plain === undefined) return undefined
  const header = {
    type: datagram.readUInt8(0),
    path,
    receiver: datagram.readUInt16LE(2),
    pathSeq,
    sendTime: plain.readUIntLE(0, 3),
    flow: plain.readUInt16LE(3),
    flowSeq: plain.readUIntLE(5, 3),
  }
  return { header, body: plain.subarray(HEADER - CLEAR) }
}

function nearest(newest: bigint, low: bigint): bigint {
  const span = 1n << 32n
  const base = newest - (newest % span) + low
  const candidates = [base - span, base, base + span].filter((each) => each >= 0n)
  const distance = (each: bigint) => (each > newest ? each - newest : newest - each)
  return candidates.reduce((best, each) => (distance(each) < distance(best) ? each : best))
}
