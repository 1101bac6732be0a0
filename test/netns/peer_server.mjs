// The product's server without its daemon: the core that decides and the engine that carries, with one invitation.
//
//   node peer_server.mjs '{"secret":"hex","invitation":"hex","device":"mptun0","port":5000}'
//
// Prints {"ready":true}, then every fact as a line of JSON; a line on standard input asks for statistics, its end ends it.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import sodium from 'libsodium-wrappers'
import { inviteId } from '../../dist/core/invite.js'
import { formatKey, keyPairOf } from '../../dist/core/keys.js'
import { Server } from '../../dist/core/server.js'
import { systemClock } from '../../dist/daemon/clock.js'
import { Loop } from '../../dist/daemon/loop.js'
import { aeads, Engine, openTun, openUdp } from '../../dist/engine.js'

const { secret, invitation, device, port } = JSON.parse(process.argv[2])
const octets = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))
const printable = (value) =>
  JSON.stringify(value, (_, each) =>
    each instanceof Uint8Array ? Buffer.from(each).toString('hex') : each,
  )
const say = (line) => process.stdout.write(`${printable(line)}\n`)

await sodium.ready
const peers = new Map()
let invited = { name: 'stranger', ipv4: octets('0a470002'), ipv6: new Uint8Array(16) }
const id = formatId(inviteId(octets(invitation)))
const registry = {
  server: {
    ipv4: octets('0a470001'),
    ipv4Prefix: 24,
    ipv6: new Uint8Array(16),
    ipv6Prefix: 64,
  },
  findPeer: (publicKey) => peers.get(formatKey(publicKey)),
  findInvite: (wanted) =>
    invited && formatId(wanted) === id ? { ...invited, secret: octets(invitation) } : undefined,
  enrol: (_, publicKey) => {
    const enrolled = invited
    if (enrolled) peers.set(formatKey(publicKey), enrolled)
    invited = undefined
    return enrolled
  },
  spend: () => undefined,
}

const tun = openTun(device)
for (const args of [
  ['addr', 'add', '10.71.0.1/24', 'dev', tun.name],
  ['link', 'set', tun.name, 'up', 'mtu', '1400'],
]) {
  execFileSync('ip', args)
}
const core = new Server({
  registry,
  staticKey: keyPairOf(octets(secret)),
  randomBytes: (count) => new Uint8Array(randomBytes(count)),
  aeads: aeads(),
  wallUs: () => Date.now() * 1000,
  probing: { intervalUs: 100_000, keepaliveUs: 20_000_000 },
})
let loop
const engine = new Engine({ tun, onBell: () => loop.wake() })
loop = new Loop({
  core,
  engine,
  clock: systemClock,
  onFact: (_, fact) => say(fact.kind === 'stats' ? { ...fact, ...core.snapshot() } : fact),
  onFailure: (error) => {
    throw error
  },
})
core.listen(4, openUdp({ family: 4, port }).fd)
loop.wake()
say({ ready: true })

createInterface({ input: process.stdin })
  .on('line', () => {
    core.requestStats(1)
    loop.wake()
  })
  .on('close', () => {
    core.close()
    loop.wake()
    loop.stop()
    engine.close()
  })

function formatId(bytes) {
  return Buffer.from(bytes).toString('hex')
}
