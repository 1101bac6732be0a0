/** Section 10 of PROTOCOL.md: control messages, each repeated until it is acknowledged. */

const KIND = { ack: 1, policy: 2, close: 3, names: 5 } as const
const HEAD = 5
const AGAIN_MS = 250
const MOST_TRIES = 8

export const waitMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

export class Control {
  readonly #paths: number
  readonly #send: (path: number, body: Buffer) => Promise<void>
  readonly #acks = new Map<number, () => void>()
  #nextId = 1

  /** @param paths their number, from path 0 on. */
  constructor(paths: number, send: (path: number, body: Buffer) => Promise<void>) {
    this.#paths = paths
    this.#send = send
  }

  /** Policy with weight 1 and intent up for every path. `mode` is a value of MODE. */
  policy(mode: number, primary: number): Promise<void> {
    const head = Buffer.alloc(13)
    head.writeUInt8(mode, 0)
    head.writeUInt8(primary, 2)
    head.writeUInt8(this.#paths, 12)
    // Behind the weight: no flags, no cap, no target.
    const paths = this.#all.map((path) => Buffer.of(path, 0, 0, 1, 0, ...Buffer.alloc(8)))
    return this.#agree('policy', Buffer.concat([head, ...paths]))
  }

  /** What the paths are called, from path 0 on. */
  names(names: readonly string[]): Promise<void> {
    return this.#agree('names', Buffer.from(names.join(' '), 'latin1'))
  }

  /** Says on every path, once, that this side stops. */
  async close(): Promise<void> {
    const id = this.#nextId++
    await Promise.all(this.#all.map((path) => this.#say(path, id, KIND.close, Buffer.of(1))))
  }

  /** What the other side says; nothing where it acknowledges. */
  handle(path: number, body: Buffer): { kind: number; body: Buffer } | undefined {
    const [id, kind] = [body.readUInt32LE(0), body.readUInt8(4)]
    if (kind === KIND.ack) {
      this.#acks.get(id)?.()
      return undefined
    }
    void this.#say(path, id, KIND.ack, Buffer.alloc(0))
    return { kind, body: body.subarray(HEAD) }
  }

  /** On changing paths. */
  async #agree(kind: keyof typeof KIND, body: Buffer): Promise<void> {
    const id = this.#nextId++
    const acked = new Promise<true>((resolve) => this.#acks.set(id, () => resolve(true)))
    for (let attempt = 0; attempt < MOST_TRIES; attempt += 1) {
      void this.#say(attempt % this.#paths, id, KIND[kind], body)
      if (await Promise.race([acked, waitMs(AGAIN_MS)])) return
    }
    throw new Error(`peer: no ack for ${kind}`)
  }

  #say(path: number, id: number, kind: number, body: Buffer): Promise<void> {
    const head = Buffer.alloc(HEAD)
    head.writeUInt32LE(id, 0)
    head.writeUInt8(kind, 4)
    return this.#send(path, Buffer.concat([head, body]))
  }

  get #all(): number[] {
    return Array.from({ length: this.#paths }, (_, path) => path)
  }
}
