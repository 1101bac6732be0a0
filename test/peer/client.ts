/**
 * A client by PROTOCOL.md alone: shakes hands, keeps several paths, carries packets, probes, echoes and control.
 * It takes the words of the page at their least: it does not reorder, and asks only when it is told to.
 */

import { randomBytes, randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { Arrivals, type Windows } from './arrivals.js'
import { Control, waitMs } from './control.js'
import type { Algorithm } from './crypto.js'
import { type Header, openDatagram, sealDatagram, TYPE } from './datagram.js'
import { type PathReport, readFeedback } from './feedback.js'
import {
  AEAD_BITS,
  type ClientState,
  inviteId,
  proveAddress,
  type ResponsePayload,
  readResponse,
  writeInitiation,
} from './handshake.js'
import { type Message, Packets } from './packets.js'

export interface ClientOptions {
  secret: Buffer
  serverPublic: Buffer
  server: { address: string; port: number }
  /** Local addresses; each is one path. */
  uplinks: readonly string[]
  /** Secret of the invitation, when the server does not know our key yet. */
  invitation?: Buffer
  /** AEADs to offer, and to prefer. */
  algorithms?: readonly Algorithm[]
  /** Bits to tell; none of them by default. */
  features?: number
  /** For so long what comes is on its way still, as over links that are long. */
  latencyMs?: number
}

export interface Echo {
  rttUs: number
  owd: number
  heard: boolean
  carrying: number
  expected: number
  received: number
}

interface Epoch {
  localIndex: number
  remoteIndex: number
  algorithm: Algorithm
  sendKey: Buffer
  receiveKey: Buffer
  sent: bigint[]
  windows: Windows
}

interface Path {
  socket: Socket
  cookieReply: Buffer | undefined
  nextProbe: number
}

const PROBE_OCTETS = 32
/** Flags that ask for a report: repaired, unordered. */
const REPORTED = 8192 | 16384
const COMPRESSION = 16

const nowUs = () => Number(process.hrtime.bigint() / 1000n)

export class PeerClient {
  readonly #options: ClientOptions
  readonly #instance = randomBytes(8)
  readonly #paths: Path[] = []
  readonly #epochs = new Map<number, Epoch>()
  readonly #probes = new Map<string, (echo: Echo) => void>()
  readonly #arrivals: Arrivals
  readonly #packets = new Packets()
  readonly #control: Control
  #pending: ClientState | undefined
  #initiation: Buffer | undefined
  #onResponse: ((payload: ResponsePayload) => void) | undefined
  #current: Epoch | undefined
  #timestamp = 0n
  #last: { path: Path; datagram: Buffer } | undefined
  #isOpen = true
  /** Addresses that the server gave. */
  assigned: ResponsePayload | undefined
  /** Called with each inner packet that comes. */
  onPacket: (packet: Buffer, header: Header) => void = () => {}
  /** Called with each control message of the server that is not an ack. */
  onControl: (kind: number, body: Buffer) => void = () => {}
  /** Called with each report of the server on what arrived. */
  onFeedback: (reports: readonly PathReport[]) => void = () => {}
  /** Called with the length of each size echo. */
  onSizeEcho: (octets: number) => void = () => {}

  private constructor(options: ClientOptions) {
    this.#options = options
    const paths = options.uplinks.length
    this.#arrivals = new Arrivals(paths)
    this.#control = new Control(paths, (path, body) =>
      this.#send(path, { type: TYPE.control, body }),
    )
  }

  static async connect(options: ClientOptions): Promise<PeerClient> {
    const client = new PeerClient(options)
    await Promise.all(options.uplinks.map((address, path) => client.#openPath(address, path)))
    await client.shakeHands()
    return client
  }

  get algorithm(): Algorithm | undefined {
    return this.#current?.algorithm
  }

  /** A feature is in use when both have told its bit. */
  get #compresses(): boolean {
    const both = (this.#options.features ?? 0) & (this.assigned?.features ?? 0)
    return (both & COMPRESSION) !== 0
  }

  /** A new epoch: the first one, or a rekey of the session. Rejects when nobody answers five tries. */
  async shakeHands(): Promise<void> {
    const answered = new Promise<ResponsePayload>((resolve) => {
      this.#onResponse = resolve
    })
    for (const delayMs of [250, 500, 1000, 2000, 4000]) {
      this.#initiate()
      const payload = await Promise.race([answered, waitMs(delayMs)])
      if (payload === undefined) continue
      this.assigned = payload
      await Promise.all(this.#paths.map((_, path) => this.probe(path)))
      return
    }
    throw new Error('peer: the server does not answer')
  }

  /** Sends an inner packet; `bucket` is below 1024. Returns as what. */
  sendPacket(path: number, packet: Buffer, bucket = 0, flags = 0): { type: number } {
    const compresses = this.#compresses
    const nowMs = nowUs() / 1000
    const message = this.#packets.write(packet, { bucket, flags, compresses, nowMs })
    void this.#send(path, message, true)
    return { type: message.type }
  }

  /** Sends whatever body under whatever type, well sealed. */
  sendBody(path: number, type: number, body: Buffer): void {
    void this.#send(path, { type, body })
  }

  /** Reports the next packet as missing, though it comes. */
  turnDeaf(): void {
    this.#arrivals.isDeaf = true
  }

  /** Uses a path sequence up, as a datagram does that is lost. Returns where the sequences of the path are. */
  lose(path: number): { receiver: number; pathSeq: number } {
    const { sent, remoteIndex: receiver } = this.#current!
    const pathSeq = Number(sent[path])
    sent[path] = sent[path]! + 1n
    return { receiver, pathSeq }
  }

  /** The last packet's datagram once more, octet by octet: a replay. */
  sendAgain(): void {
    if (this.#last !== undefined) void this.#transmit(this.#last.path, this.#last.datagram)
  }

  /** Asks until an echo comes. */
  async probe(path: number): Promise<Echo> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const id = this.#paths[path]!.nextProbe++
      const echo = new Promise<Echo>((resolve) => this.#probes.set(`${path} ${id}`, resolve))
      const question = this.#arrivals.probeBody(path)
      question.writeUInt32LE(id, 0)
      question.writeBigUInt64LE(BigInt(nowUs()), 4)
      void this.#send(path, { type: TYPE.probe, body: question })
      const answer = await Promise.race([echo, waitMs(250)])
      this.#probes.delete(`${path} ${id}`)
      if (answer !== undefined) return answer
    }
    throw new Error(`peer: no echo on path ${path}`)
  }

  /** Policy with weight 1 and intent up for every path. `mode` is a value of MODE. */
  policy(mode: number, primary = 255): Promise<void> {
    return this.#control.policy(mode, primary)
  }

  /** What the paths are called, from path 0 on. */
  names(names: readonly string[]): Promise<void> {
    return this.#control.names(names)
  }

  /** Says close on every path, and closes the sockets when it was sent. */
  async close(): Promise<void> {
    await this.#control.close()
    this.#isOpen = false
    for (const { socket } of this.#paths) socket.close()
  }

  #openPath(address: string, path: number): Promise<void> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    this.#paths[path] = { socket, cookieReply: undefined, nextProbe: 0 }
    const { latencyMs } = this.#options
    socket.on('message', (datagram) => {
      if (latencyMs === undefined) this.#receive(path, datagram)
      else setTimeout(() => this.#isOpen && this.#receive(path, datagram), latencyMs)
    })
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(0, address, () => resolve())
    })
  }

  #initiate(): void {
    const { secret, serverPublic, invitation, algorithms } = this.#options
    const bits = (algorithms ?? ['chacha20-poly1305', 'aes-256-gcm']).reduce(
      (sum, algorithm) => sum | AEAD_BITS[algorithm],
      0,
    )
    const wall = BigInt(Date.now()) * 1000n
    this.#timestamp = wall > this.#timestamp ? wall : this.#timestamp + 1n
    const previous = this.#initiation
    const { message, state } = writeInitiation({
      secret,
      serverPublic,
      ephemeral: randomBytes(32),
      psk: invitation ?? Buffer.alloc(32),
      localIndex: randomInt(1, 0x10000),
      payload: {
        timestamp: this.#timestamp,
        instance: this.#instance,
        invite: invitation === undefined ? Buffer.alloc(16) : inviteId(invitation),
        aeads: bits,
        preferred: bits,
        features: this.#options.features ?? 0,
      },
    })
    this.#pending = state
    this.#initiation = message
    for (const path of this.#paths) {
      const cookie = previous && path.cookieReply
      const proved = cookie ? proveAddress(message, previous, cookie, serverPublic) : message
      path.cookieReply = undefined
      void this.#transmit(path, proved)
    }
  }

  #receive(path: number, datagram: Buffer): void {
    switch (datagram[0]) {
      case 2:
        this.#takeResponse(datagram)
        return
      case 3:
        this.#paths[path]!.cookieReply = datagram
        return
      default:
        this.#takeSealed(path, datagram)
    }
  }

  #takeResponse(datagram: Buffer): void {
    const state = this.#pending
    // Another copy has won, or this answers an earlier try.
    if (state === undefined || datagram.readUInt16LE(2) !== state.localIndex) return
    const { remoteIndex, payload, keys } = readResponse(state, datagram)
    const algorithm = Object.entries(AEAD_BITS).find(([, bit]) => bit === payload.aead)?.[0]
    if (algorithm === undefined) throw new Error(`peer: the server chose AEAD ${payload.aead}`)
    this.#pending = undefined
    this.#current = {
      localIndex: state.localIndex,
      remoteIndex,
      algorithm: algorithm as Algorithm,
      sendKey: keys.clientToServer,
      receiveKey: keys.serverToClient,
      sent: this.#paths.map(() => 0n),
      windows: new Map(),
    }
    this.#epochs.set(state.localIndex, this.#current)
    this.#onResponse?.(payload)
  }

  #takeSealed(path: number, datagram: Buffer): void {
    const epoch = datagram.length >= 4 && this.#epochs.get(datagram.readUInt16LE(2))
    if (!epoch) return
    const opened = openDatagram(
      epoch.algorithm,
      epoch.receiveKey,
      datagram,
      (id) => epoch.windows.get(id)?.newest ?? 0n,
    )
    if (opened === undefined || !this.#arrivals.accept(epoch.windows, opened.header)) return
    const { header, body } = opened
    switch (header.type) {
      case TYPE.data:
      case TYPE.context:
      case TYPE.compressed:
        this.#takePacket(path, epoch, opened)
        return
      case TYPE.kept:
        this.#packets.handleKept(header, body)
        return
      case TYPE.probe:
        this.#answer(path, body)
        return
      case TYPE.echo:
        this.#takeEcho(header.path, body)
        return
      case TYPE.control: {
        const said = this.#control.handle(path, body)
        if (said !== undefined) this.onControl(said.kind, said.body)
        return
      }
      case TYPE.feedback:
        this.onFeedback(readFeedback(body))
        return
      case TYPE.sizeProbe:
        void this.#send(path, { type: TYPE.sizeEcho, body: Buffer.alloc(body.length) })
        return
      case TYPE.sizeEcho:
        this.onSizeEcho(body.length)
    }
  }

  #answer(path: number, question: Buffer): void {
    const answer = this.#arrivals.probeBody(path)
    question.copy(answer, 0, 0, 12)
    answer.writeUInt32LE((nowUs() - Number(question.readBigUInt64LE(4))) >>> 0, 16)
    void this.#send(path, { type: TYPE.echo, body: answer })
  }

  #takeEcho(path: number, body: Buffer): void {
    if (body.length !== PROBE_OCTETS) throw new Error(`peer: an echo of ${body.length} octets`)
    const resolve = this.#probes.get(`${path} ${body.readUInt32LE(0)}`)
    resolve?.({
      rttUs: nowUs() - Number(body.readBigUInt64LE(4)) - body.readUInt32LE(12),
      owd: body.readUInt32LE(16),
      heard: (body.readUInt16LE(20) & (1 << path)) !== 0,
      carrying: body.readUInt16LE(22),
      expected: body.readUInt32LE(24),
      received: body.readUInt32LE(28),
    })
  }

  /** Reports at once where it has to: sooner than it has to be. */
  #takePacket(
    path: number,
    epoch: Epoch,
    { header, body }: { header: Header; body: Buffer },
  ): void {
    const { packet, answer } = this.#packets.read(header, body)
    if (packet !== undefined) this.onPacket(packet, header)
    if (answer !== undefined) void this.#send(path, answer)
    if ((header.flow & REPORTED) === 0) return
    const report = this.#arrivals.feedbackBody(epoch.localIndex, epoch.windows, header)
    if (report !== undefined) void this.#send(header.path, { type: TYPE.feedback, body: report })
  }

  #send(
    id: number,
    { type, body, flow = 0, flowSeq = 0 }: Partial<Message> & Pick<Message, 'type' | 'body'>,
    isPacket = false,
  ): Promise<void> {
    const epoch = this.#current
    const path = this.#paths[id]
    if (epoch === undefined || path === undefined) throw new Error(`peer: no path ${id}`)
    const pathSeq = epoch.sent[id]!
    epoch.sent[id] = pathSeq + 1n
    const { remoteIndex: receiver, algorithm, sendKey } = epoch
    const header = { type, path: id, receiver, pathSeq, sendTime: nowUs(), flow, flowSeq }
    const datagram = sealDatagram(algorithm, sendKey, header, body)
    if (isPacket) this.#last = { path, datagram }
    return this.#transmit(path, datagram)
  }

  /** Resolves when the datagram has left, also when the system refused it: UDP loses some anyway. */
  #transmit({ socket }: Path, datagram: Buffer): Promise<void> {
    const { address, port } = this.#options.server
    return new Promise((resolve) => socket.send(datagram, port, address, () => resolve()))
  }
}
