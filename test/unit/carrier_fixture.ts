/**
 * A few lines that stand for C where only the core is tested: keys, paths, probes and silence as
 * native/ has them, but no packet, no order and no cipher. What is sealed is readable for whoever
 * holds the keys, and nobody else.
 */
import { expect } from 'vitest'
import {
  CROSSING,
  type Endpoint,
  type EngineCommand,
  type EngineEvent,
  PATH_LOST,
} from '../../src/boundary.js'
import { encodeCommand } from '../../src/crossing.js'
import { LIMIT } from '../../src/wire.js'
import {
  type CarriedPeer,
  type Epoch,
  hex,
  isSamePlace,
  NOWHERE,
  newPath,
  newPeer,
  type Path,
} from './carried_peer_fixture.js'

export interface Sealed {
  readonly type: 'probe' | 'echo' | 'control' | 'data'
  readonly receiver: number
  readonly key: string
  readonly path: number
  readonly heard: boolean
  readonly body: Uint8Array
}

export type Datagram = Uint8Array | Sealed

const NOTHING = new Uint8Array()
const IDLE_SILENCE_US = 3_000_000

export class Carrier {
  readonly peers = new Map<number, CarriedPeer>()
  /** Descriptor of each open port. */
  readonly ports = new Map<number, number>()
  /** Datagrams of an index or a key that nobody has here. */
  strangers = 0
  #events: EngineEvent[] = []
  #nowUs = 0
  readonly #send: (fd: number, to: Endpoint, datagram: Datagram) => void
  readonly #close: (fd: number) => void

  constructor(options: {
    readonly send: (fd: number, to: Endpoint, datagram: Datagram) => void
    readonly close: (fd: number) => void
  }) {
    this.#send = options.send
    this.#close = options.close
  }

  readEvents(): EngineEvent[] {
    return this.#events.splice(0)
  }

  /** Paths that data may use, of those in the plan. */
  carrying(id: number): number[] {
    const { plan, paths } = this.peers.get(id)!
    const mask = (plan?.[2] ?? 0) | ((plan?.[3] ?? 0) << 8)
    return [...paths]
      .filter(([path, { isAllowed }]) => isAllowed && mask & (1 << path))
      .map(([path]) => path)
  }

  /** A packet from the TUN, which counts as use. */
  sendData(nowUs: number, id: number): void {
    this.#nowUs = nowUs
    const peer = this.peers.get(id)
    if (peer?.sending === undefined) return
    for (const path of this.carrying(id).slice(0, 1)) this.#push(peer, path, 'data')
    this.#use(peer)
  }

  command(nowUs: number, command: EngineCommand): void {
    this.#nowUs = nowUs
    encodeCommand(command)
    const { kind, fields } = command
    switch (kind) {
      case 'portOpen':
        expect(this.ports.has(fields.port!), `port ${fields.port} is open`).toBe(false)
        this.ports.set(fields.port!, fields.fd!)
        return
      case 'portClose':
        this.#closePort(fields.port!)
        return
      case 'datagramSend':
        this.#write({ ...NOWHERE, ...fields }, command.payload!)
        return
      case 'statsRequest':
        this.#events.push({ kind: 'statsEnd', next: 0, token: fields.token! })
        return
      case 'peerAdd':
        this.#addPeer(fields.peer!, fields)
        return
      default:
        this.#commandOfPeer(command)
    }
  }

  #commandOfPeer(command: EngineCommand & { readonly fields: { readonly peer?: number } }): void {
    const peer = this.peers.get(command.fields.peer!)
    expect(peer, `${command.kind} names a peer that there is`).toBeDefined()
    if (peer === undefined) return
    const { kind, fields } = command
    switch (kind) {
      case 'peerRemove':
        this.peers.delete(peer.id)
        return
      case 'keysInstall':
        this.#install(peer, fields)
        return
      case 'keysDrop':
        peer.epochs = peer.epochs.filter(({ localIndex }) => localIndex !== fields.localIndex)
        if (peer.sending?.localIndex === fields.localIndex) peer.sending = undefined
        return
      case 'pathAdd': {
        const { kind: _kind, peer: _peer, path: id, ...endpoint } = { kind, ...fields }
        const path = peer.paths.get(id!) ?? newPath()
        peer.paths.set(id!, Object.assign(path, { endpoint: { ...NOWHERE, ...endpoint } }))
        this.#probe(peer, id!)
        return
      }
      case 'pathRemove':
        peer.paths.delete(fields.path!)
        return
      case 'pathAllow': {
        const path = peer.paths.get(fields.path!)
        if (path !== undefined) path.isAllowed = path.isHeard && path.isHeardByPeer
        return
      }
      case 'probing': {
        const { intervalUs, keepaliveUs, silenceUs, idleAfterUs } = fields
        Object.assign(peer, { intervalUs, keepaliveUs, silenceUs, idleAfterUs })
        peer.isInitiator = fields.initiator === 1
        return
      }
      case 'planPublish':
        peer.plan = command.payload!
        return
      case 'controlSend': {
        expect(command.payload!.length).toBeLessThanOrEqual(LIMIT.controlBytes.value)
        const allowed = [...peer.paths].find(([, { isAllowed }]) => isAllowed)?.[0]
        const [any] = peer.paths.keys()
        const id = fields.path === CROSSING.noPath.value ? (allowed ?? any) : fields.path
        if (id !== undefined) this.#push(peer, id, 'control', command.payload)
      }
    }
  }

  receive(nowUs: number, from: Endpoint, datagram: Datagram): void {
    this.#nowUs = nowUs
    if (datagram instanceof Uint8Array) {
      const bytes = new Uint8Array(256)
      bytes.set(datagram)
      this.#events.push({ kind: 'handshake', length: datagram.length, bytes, ...from })
      return
    }
    const peer = [...this.peers.values()].find(({ epochs }) =>
      epochs.some(({ localIndex }) => localIndex === datagram.receiver),
    )
    const epoch = peer?.epochs.find(({ localIndex }) => localIndex === datagram.receiver)
    if (peer === undefined || epoch === undefined || epoch.receiveKey !== datagram.key) {
      this.strangers++
      return
    }
    if (!epoch.isConfirmed) this.#useEpoch(peer, epoch)
    this.#hear(peer, datagram, from)
    if (datagram.type === 'data') this.#use(peer)
    if (datagram.type !== 'control') return
    const bytes = new Uint8Array(256)
    bytes.set(datagram.body)
    const { path } = datagram
    this.#events.push({ kind: 'control', peer: peer.id, path, length: datagram.body.length, bytes })
  }

  tick(nowUs: number): void {
    this.#nowUs = nowUs
    for (const peer of this.peers.values()) {
      if (peer.sending === undefined) continue
      if (peer.isInUse && nowUs >= peer.lastDataUs + peer.idleAfterUs) {
        peer.isInUse = false
        this.#events.push({ kind: 'peerUse', peer: peer.id, inUse: 0 })
      }
      for (const [id, path] of peer.paths) {
        if (path.isHeard && this.#isSilent(peer, path)) {
          path.isHeard = false
          this.#lose(peer, id, PATH_LOST.silent.value)
        }
      }
      const isAsking = peer.isInUse || peer.isInitiator
      if (!isAsking || nowUs < peer.nextProbeUs) continue
      peer.nextProbeUs = nowUs + (peer.isInUse ? peer.intervalUs : peer.keepaliveUs)
      for (const id of peer.paths.keys()) this.#probe(peer, id)
    }
  }

  nextTick(): number {
    const waits = [...this.peers.values()]
      .filter(({ sending }) => sending !== undefined)
      .map(({ isInUse, intervalUs }) => (isInUse ? intervalUs / 2 : 1_000_000))
    return this.#nowUs + Math.min(Number.POSITIVE_INFINITY, ...waits)
  }

  #isSilent(peer: CarriedPeer, path: Path): boolean {
    if (peer.isInUse) return this.#nowUs - path.lastHeardUs >= peer.silenceUs
    const sinceUs = peer.isInitiator ? path.askedUs : path.lastHeardUs + 3 * peer.keepaliveUs
    return sinceUs !== undefined && this.#nowUs >= sinceUs + IDLE_SILENCE_US
  }

  #addPeer(
    id: number,
    fields: { everything?: number; ipv4?: Uint8Array; ipv6?: Uint8Array },
  ): void {
    const peer = this.peers.get(id) ?? newPeer(id)
    peer.everything = fields.everything === 1
    peer.ipv4 = hex(fields.ipv4)
    peer.ipv6 = hex(fields.ipv6)
    this.peers.set(id, peer)
  }

  #install(
    peer: CarriedPeer,
    fields: Extract<EngineCommand, { kind: 'keysInstall' }>['fields'],
  ): void {
    expect(peer.epochs.length).toBeLessThan(CROSSING.epochs.value)
    const taken = [...this.peers.values()].flatMap(({ epochs }) => epochs)
    expect(taken.some(({ localIndex }) => localIndex === fields.localIndex)).toBe(false)
    const epoch: Epoch = {
      localIndex: fields.localIndex!,
      remoteIndex: fields.remoteIndex!,
      sendKey: hex(fields.sendKey),
      receiveKey: hex(fields.receiveKey),
      isFresh: fields.fresh === 1,
      isConfirmed: false,
    }
    peer.epochs.push(epoch)
    if (fields.confirmed === 1) this.#useEpoch(peer, epoch)
  }

  #useEpoch(peer: CarriedPeer, epoch: Epoch): void {
    const isFirst = peer.sending === undefined || epoch.isFresh
    if (epoch.isFresh) {
      peer.epochs = [epoch]
      for (const path of peer.paths.values())
        Object.assign(path, { ...newPath(), endpoint: path.endpoint })
    }
    epoch.isConfirmed = true
    peer.sending = epoch
    this.#events.push({ kind: 'epochConfirmed', peer: peer.id, localIndex: epoch.localIndex })
    if (isFirst) this.#enterUse(peer)
    for (const id of peer.paths.keys()) this.#probe(peer, id)
  }

  #use(peer: CarriedPeer): void {
    peer.lastDataUs = this.#nowUs
    if (!peer.isInUse) this.#enterUse(peer)
  }

  #enterUse(peer: CarriedPeer): void {
    peer.lastDataUs = this.#nowUs
    peer.isInUse = true
    peer.nextProbeUs = this.#nowUs
    for (const path of peer.paths.values()) path.lastHeardUs = this.#nowUs
    this.#events.push({ kind: 'peerUse', peer: peer.id, inUse: 1 })
  }

  #hear(peer: CarriedPeer, { type, path: id, heard }: Sealed, from: Endpoint): void {
    let path = peer.paths.get(id)
    if (path === undefined) {
      path = { ...newPath(), endpoint: from }
      peer.paths.set(id, path)
      this.#events.push({ kind: 'pathSeen', peer: peer.id, path: id, ...from })
    } else if (!isSamePlace(path.endpoint, from)) {
      const isAnothers = peer.isInitiator && path.endpoint.port !== from.port
      if (!isAnothers) {
        path.endpoint = from
        this.#events.push({ kind: 'pathMoved', peer: peer.id, path: id, ...from })
      }
    }
    path.lastHeardUs = this.#nowUs
    path.askedUs = undefined
    if (!path.isHeard) {
      path.isHeard = true
      this.#probe(peer, id)
    }
    if (type === 'probe' || type === 'echo') {
      const wasHeard = path.isHeardByPeer
      path.isHeardByPeer = heard
      if (wasHeard && !heard) this.#lose(peer, id, PATH_LOST.unheard.value)
    }
    if (type === 'probe') this.#push(peer, id, 'echo')
    if (path.isAllowed || path.isAliveTold || !path.isHeardByPeer) return
    path.isAliveTold = true
    this.#events.push({ kind: 'pathAlive', peer: peer.id, path: id })
  }

  #lose(peer: CarriedPeer, id: number, why: number): void {
    const path = peer.paths.get(id)!
    if (!path.isAllowed && !path.isAliveTold) return
    path.isAllowed = false
    path.isAliveTold = false
    this.#events.push({ kind: 'pathLost', peer: peer.id, path: id, why, errorNumber: 0 })
  }

  #closePort(port: number): void {
    for (const peer of this.peers.values()) {
      for (const [id, path] of peer.paths) {
        if (path.endpoint.port !== port) continue
        this.#lose(peer, id, PATH_LOST.closed.value)
        path.isHeard = false
        path.endpoint = { ...path.endpoint, port: CROSSING.noPort.value }
      }
    }
    this.#close(this.ports.get(port)!)
    this.ports.delete(port)
  }

  #probe(peer: CarriedPeer, id: number): void {
    const path = peer.paths.get(id)!
    path.askedUs ??= this.#nowUs
    this.#push(peer, id, 'probe')
  }

  #push(peer: CarriedPeer, id: number, type: Sealed['type'], body: Uint8Array = NOTHING): void {
    const path = peer.paths.get(id)
    if (peer.sending === undefined || path === undefined) return
    const { remoteIndex: receiver, sendKey: key } = peer.sending
    const heard = type === 'echo' || path.isHeard
    this.#write(path.endpoint, { type, receiver, key, path: id, heard, body })
  }

  #write(to: Endpoint, datagram: Datagram): void {
    const fd = this.ports.get(to.port)
    if (fd !== undefined) this.#send(fd, to, datagram)
  }
}
