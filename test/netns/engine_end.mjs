// One end of a tunnel with keys by hand: an engine, its TUN and one socket an uplink, without handshake.
//
//   node engine_end.mjs '{"own":0,"inner":"10.77.0.1","ports":[{"family":4,...}],"paths":[...]}'
//
// Prints {"ready":...}, then every event as a line of JSON; answers a line on standard input with the
// events of a statsRequest, and ends with it.

import { execFileSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { COUNTER, PLAN_KIND } from '../../dist/boundary.js'
import { Engine, openTun, openUdp } from '../../dist/engine.js'
import { AEAD, FEATURE } from '../../dist/wire.js'

const { own, inner, far, ports, paths, aead } = JSON.parse(process.argv[2])
const ipv4 = (text) => Uint8Array.from(text.split('.'), Number)
/** Octets of an address of either family; IPv6 written out in full. */
const octets = (text) =>
  text.includes(':')
    ? Uint8Array.from(
        text
          .split(':')
          .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
      )
    : ipv4(text)

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const printable = (event) =>
  Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  )

const tun = openTun('mptun%d')
const sockets = ports.map((request) => openUdp(request))
const engine = new Engine({ tun, onBell: () => handle(engine.readEvents()) })

function handle(events) {
  for (const event of events) {
    if (event.kind === 'pathAlive') {
      engine.command({ kind: 'pathAllow', fields: { peer: 0, path: event.path, allowed: 1 } })
    }
    say(printable(event))
  }
}

sockets.forEach(({ fd }, port) => {
  engine.command({ kind: 'portOpen', fields: { port, family: ports[port].family, fd } })
})
engine.command({ kind: 'peerAdd', fields: { peer: 0, ipv4: ipv4(far) } })
engine.command({
  kind: 'probing',
  fields: {
    peer: 0,
    intervalUs: 100_000,
    keepaliveUs: 20_000_000,
    silenceUs: 250_000,
    idleAfterUs: 10_000_000,
    initiator: paths.length > 0 ? 1 : 0,
  },
})
const keys = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(9)]
engine.command({
  kind: 'keysInstall',
  fields: {
    peer: 0,
    localIndex: 100 + own,
    remoteIndex: 101 - own,
    aead: AEAD[aead ?? 'chacha20-poly1305'].value,
    confirmed: 1,
    features: FEATURE.partialChecksum.value,
    sendKey: keys[own],
    receiveKey: keys[1 - own],
  },
})
paths.forEach(({ port, remote, remotePort }, path) => {
  const family = ports[port].family
  engine.command({
    kind: 'pathAdd',
    fields: { peer: 0, path, port, family, remotePort, remote: octets(remote) },
  })
})
const plan = new Uint8Array(24).fill(255, 6, 22)
plan.set([PLAN_KIND.order.value, 0, 3, 0, 0, 0, 0, 1])
engine.command({ kind: 'planPublish', fields: { peer: 0 }, payload: plan })

for (const args of [
  ['addr', 'add', `${inner}/24`, 'dev', tun.name],
  ['link', 'set', tun.name, 'up', 'mtu', '1400'],
]) {
  execFileSync('ip', args)
}
say({ ready: tun.name, ports: sockets.map(({ port }) => port), counters: Object.keys(COUNTER) })

createInterface({ input: process.stdin })
  .on('line', () => engine.command({ kind: 'statsRequest', fields: { token: 1 } }))
  .on('close', () => engine.close())
