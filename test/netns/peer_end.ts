// The independent peer as a program: a client in whatever namespace it is started in.
//
//   node peer_end.js '{"secret":"hex","serverPublic":"hex","server":{"address":"...","port":5000},"uplinks":["..."]}'
//
// Takes one JSON array a line on standard input, ["probe",1], ["policy",3], ["names",["dsl"]], ["send",0,"hex",bucket,flags],
// ["again"] (the last datagram once more), ["body",path,type,octets] (of zeros), ["lose",path] (a sequence), ["deaf"] (to the
// next packet), ["rekey"], and answers each with {"done":...}. Tells packets, reports and control messages as they come.

import { createInterface } from 'node:readline'
import sodium from 'libsodium-wrappers'
import { PeerClient } from '../peer/client.js'

const { secret, serverPublic, invitation, ...rest } = JSON.parse(process.argv[2] ?? '{}')
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)
const octets = (hex: string) => Buffer.from(hex, 'hex')

await sodium.ready
const peer = await PeerClient.connect({
  secret: octets(secret),
  serverPublic: octets(serverPublic),
  ...(invitation === undefined ? {} : { invitation: octets(invitation) }),
  ...rest,
})
peer.onPacket = (packet, header) =>
  say({ packet: packet.toString('hex'), ...header, pathSeq: Number(header.pathSeq) })
peer.onFeedback = (reports) => say({ reports })
peer.onSizeEcho = (sizeEcho) => say({ sizeEcho })
peer.onControl = (kind, body) => say({ control: kind, body: body.toString('hex') })
say({
  done: 'connect',
  algorithm: peer.algorithm,
  ipv4: peer.assigned?.ipv4.toString('hex'),
  serverIpv4: peer.assigned?.serverIpv4.toString('hex'),
  ipv4Prefix: peer.assigned?.ipv4Prefix,
})

const DEEDS: Record<string, (...args: never[]) => unknown> = {
  probe: (path: number) => peer.probe(path),
  policy: (mode: number, primary?: number) => peer.policy(mode, primary),
  names: (names: string[]) => peer.names(names),
  send: (path: number, packet: string, bucket: number, flags?: number) =>
    peer.sendPacket(path, octets(packet), bucket, flags),
  body: (path: number, type: number, count: number) =>
    peer.sendBody(path, type, Buffer.alloc(count)),
  lose: (path: number) => peer.lose(path),
  deaf: () => peer.turnDeaf(),
  again: () => peer.sendAgain(),
  rekey: () => peer.shakeHands(),
}

for await (const line of createInterface({ input: process.stdin })) {
  const [deed, ...args] = JSON.parse(line) as [string, ...never[]]
  const result = await DEEDS[deed]?.(...args)
  say({ done: deed, ...(typeof result === 'object' ? result : {}) })
}
await peer.close()
