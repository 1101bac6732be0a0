/** Section 11 of PROTOCOL.md: inner packets as they travel, in which type and order. */

import { HeaderContexts, readProposal } from './compression.js'
import { type Header, TYPE } from './datagram.js'

const PARTIAL_CHECKSUM = 1024
const BUCKET = 1023

/** Type, body, and the two fields of the header that data has. */
export interface Message {
  type: number
  body: Buffer
  flow: number
  flowSeq: number
}

const isPartial = (flow: number) => (flow & PARTIAL_CHECKSUM) !== 0

export class Packets {
  readonly #flowSeq = new Map<number, number>()
  readonly #contexts = new HeaderContexts()

  /** @param compresses whether both sides have told that they do. */
  write(
    packet: Buffer,
    options: { bucket: number; flags: number; compresses: boolean; nowMs: number },
  ): Message {
    const { bucket, flags, compresses, nowMs } = options
    const flowSeq = this.#flowSeq.get(bucket) ?? 0
    this.#flowSeq.set(bucket, (flowSeq + 1) % 2 ** 24)
    const { type, body } = compresses
      ? this.#contexts.choose({ bucket, body: packet, partial: isPartial(flags), flowSeq }, nowMs)
      : { type: 'data' as const, body: packet }
    return { type: TYPE[type], body, flow: bucket | flags, flowSeq }
  }

  /** The packet, where it can be told; and what is to be answered on the same path. */
  read(
    { type, flow, flowSeq }: Header,
    body: Buffer,
  ): { packet?: Buffer | undefined; answer?: Message | undefined } {
    const bucket = flow & BUCKET
    const headed = { bucket, partial: isPartial(flow), flowSeq }
    if (type === TYPE.compressed) {
      return { packet: this.#contexts.expand({ ...headed, body }) }
    }
    const proposal = type === TYPE.context ? readProposal(body) : undefined
    if (proposal === undefined) return { packet: body }
    const { packet, generation } = proposal
    const isKept = this.#contexts.keep({ ...headed, body: packet }, generation)
    const kept = { type: TYPE.kept, body: Buffer.of(generation), flow: bucket, flowSeq: 0 }
    return { packet, answer: isKept ? kept : undefined }
  }

  /** The other side's answer to a context. */
  handleKept({ flow }: Header, body: Buffer): void {
    this.#contexts.handleKept(flow & BUCKET, body.readUInt8(0))
  }
}
