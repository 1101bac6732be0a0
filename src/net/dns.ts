/** Questions for the addresses of a name, and what the answers say: RFC 1035, section 4.1; RFC 3596 for IPv6. */

import { sameOctets } from '../octets.js'
import { type Family, formatAddress } from './address.js'

const HEADER_BYTES = 12
/** A recursive query, and the bit that an answer has. */
const RECURSION_DESIRED = 0x01
const IS_ANSWER = 0x80
const CODE = 0x0f
const NO_ERROR = 0
/** The last octets of a question: type and class. */
const TYPE: Readonly<Record<Family, number>> = { 4: 1, 6: 28 }
const INTERNET = 1
/** Of a record behind its name: type, class, time to live, length. */
const RECORD_BYTES = 10
/** The two highest bits of a pointer to a name elsewhere in the message. */
const POINTER = 0xc0

/** @param id 16 bits that nobody can guess. @param host of labels up to 63 octets. */
export function encodeQuestion(id: number, host: string, family: Family): Uint8Array {
  const labels = host.replace(/\.$/, '').split('.')
  const name = labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')])
  const header = [id >> 8, id & 0xff, RECURSION_DESIRED, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  return Uint8Array.from([...header, ...name, 0, 0, TYPE[family], 0, INTERNET])
}

/** The addresses that a message tells; undefined when it is no answer to this question, or a refusal. */
export function readAnswer(
  message: Uint8Array,
  question: Uint8Array,
  family: Family,
): string[] | undefined {
  if (message.length < question.length) return undefined
  if (!sameOctets(message.subarray(0, 2), question.subarray(0, 2))) return undefined
  if ((message[2]! & IS_ANSWER) === 0 || (message[3]! & CODE) !== NO_ERROR) return undefined
  // RFC 5452, section 9.1: the question has to be the same.
  const asked = message.subarray(HEADER_BYTES, question.length)
  if (!sameOctets(asked, question.subarray(HEADER_BYTES))) return undefined
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  if (view.getUint16(4) !== 1) return undefined
  return addressesIn(view, question.length, family)
}

/** Also those that belong to the name that the asked one stands for (CNAME). What is cut off is not told. */
function addressesIn(view: DataView, firstAt: number, family: Family): string[] {
  const addresses: string[] = []
  let at = firstAt
  for (let left = view.getUint16(6); left > 0; left--) {
    const record = behindName(view, at)
    if (record === undefined || record + RECORD_BYTES > view.byteLength) break
    const bytes = view.getUint16(record + 8)
    at = record + RECORD_BYTES + bytes
    if (at > view.byteLength) break
    const isAddress = view.getUint16(record) === TYPE[family] && bytes === (family === 4 ? 4 : 16)
    if (!isAddress || view.getUint16(record + 2) !== INTERNET) continue
    addresses.push(formatAddress(new Uint8Array(view.buffer, view.byteOffset + at - bytes, bytes)))
  }
  return addresses
}

function behindName(view: DataView, beginAt: number): number | undefined {
  for (let at = beginAt; at < view.byteLength; ) {
    const length = view.getUint8(at)
    if (length === 0) return at + 1
    if ((length & POINTER) === POINTER) return at + 2
    at += 1 + length
  }
  return undefined
}
