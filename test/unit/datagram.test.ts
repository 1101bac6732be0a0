/**
 * Vectors of sealed datagrams, made by the peer that was written from PROTOCOL.md alone. test/native/vectors_test.c
 * holds the product's own sealing against them. WRITE_VECTORS=1 writes them anew.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { Algorithm } from '../peer/crypto.js'
import { openDatagram, sealDatagram, TYPE } from '../peer/datagram.js'
import { seeded } from './handshake_fixture.js'

const FILE = new URL('../vectors/datagram.json', import.meta.url)

interface Vector {
  name: string
  aead: Algorithm
  key: string
  type: number
  path: number
  receiver: number
  /** Decimal: it has 64 bits. */
  pathSeq: string
  sendTime: number
  flow: number
  flowSeq: number
  body: string
  datagram: string
}

const hex = (octets: Uint8Array) => Buffer.from(octets).toString('hex')
const octets = (text: string) => Buffer.from(text, 'hex')

const CASES = [
  ['the least of everything', TYPE.data, 0, 0, '0', 0, 0, 0, 20],
  ['an ordinary packet', TYPE.data, 1, 0x1234, '70000', 0x123456, 517, 4321, 1420],
  [
    'the most of everything',
    TYPE.data,
    15,
    0xffff,
    `${2n ** 64n - 1n}`,
    0xffffff,
    0xffff,
    0xffffff,
    1968,
  ],
  ['the last sequence of 32 bits', TYPE.data, 2, 7, `${2n ** 32n - 1n}`, 1, 1023, 1, 40],
  ['the first sequence beyond', TYPE.data, 2, 7, `${2n ** 32n}`, 2, 1023, 2, 40],
  ['a copy', TYPE.data, 3, 8, '5', 3, 9 | (1 << 11), 77, 52],
  ['a probe', TYPE.probe, 4, 9, '1', 4, 0, 0, 31],
  ['an echo', TYPE.echo, 4, 9, '2', 5, 0, 0, 31],
  ['an ack', TYPE.control, 5, 10, '3', 6, 0, 0, 5],
] as const

function make(): Vector[] {
  const random = seeded('datagram vectors')
  return (['chacha20-poly1305', 'aes-256-gcm'] as const).flatMap((aead) =>
    CASES.map(([name, type, path, receiver, pathSeq, sendTime, flow, flowSeq, length]) => {
      const [key, body] = [Buffer.from(random(32)), random(length)]
      const header = { type, path, receiver, pathSeq: BigInt(pathSeq), sendTime, flow, flowSeq }
      const datagram = hex(sealDatagram(aead, key, header, body))
      return { name, aead, key: hex(key), ...header, pathSeq, body: hex(body), datagram }
    }),
  )
}

if (process.env['WRITE_VECTORS'] !== undefined) {
  // One vector a line, so that C can read it without a parser.
  const lines = make().map((vector) => JSON.stringify(vector))
  writeFileSync(FILE, `{"vectors":[\n${lines.join(',\n')}\n]}\n`)
}
const { vectors } = JSON.parse(readFileSync(FILE, 'utf8')) as { vectors: Vector[] }

it('the vectors are what the peer seals', () => {
  expect(vectors).toEqual(make())
})

it.each(vectors)('$aead: $name opens', (vector) => {
  const { type, path, receiver, sendTime, flow, flowSeq } = vector
  const pathSeq = BigInt(vector.pathSeq)
  const datagram = octets(vector.datagram)
  expect(datagram).toHaveLength(octets(vector.body).length + 32)
  for (const newest of [pathSeq, pathSeq - 2n ** 31n + 1n, pathSeq + 2n ** 31n - 1n]) {
    if (newest < 0n) continue
    const opened = openDatagram(vector.aead, octets(vector.key), datagram, () => newest)
    expect(opened?.header).toEqual({ type, path, receiver, pathSeq, sendTime, flow, flowSeq })
    expect(hex(opened!.body)).toBe(vector.body)
  }
  const forged = Buffer.from(datagram)
  forged[2]! ^= 1 // the receiver index, which is authenticated and no more
  expect(openDatagram(vector.aead, octets(vector.key), forged, () => pathSeq)).toBeUndefined()
})
