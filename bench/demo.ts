/**
 * `npm run demo`: two lines of unlike kind become one tunnel, carry traffic, lose a line and go on. All
 * in network namespaces of its own, which it removes, however it ends. Exit code 0 when every claim was
 * so, 1 when one was not, 2 when the demo itself could not be given.
 */

import { Claims } from './demo/claims.js'
import { type Cut, showCut } from './demo/cut.js'
import { DSL, drawing, LINES, LINKS, LTE } from './demo/place.js'
import { Screen } from './demo/screen.js'
import { showThroughput, type Throughput } from './demo/throughput.js'
import { createLab, type Lab } from './lab/lab.js'
import { openTunnel, SERVER_ENDPOINT, type Tunnel } from './lab/tunnel.js'

const startedMs = performance.now()
const secondsSince = (ms: number) => ((performance.now() - ms) / 1000).toFixed(1)

async function setUp(screen: Screen, lab: Lab): Promise<Tunnel> {
  screen.title('Setting up, as you would on two machines')
  const uplinks = LINES.map(({ name }) => name)
  screen.command(`mptun server --listen ${SERVER_ENDPOINT}     # on the server`)
  screen.command('mptun invite home                         # prints one line, mptun://...')
  screen.command("mptun join 'mptun://...'                  # on the client")
  screen.command(`mptun client ${uplinks.map((word) => `--uplink ${word}`).join(' ')}`)
  const openedMs = performance.now()
  const tunnel = await openTunnel(lab, { uplinks })
  const { inner } = tunnel
  screen.line(`  both paths are up ${secondsSince(openedMs)} s after the server was started:`)
  screen.line(`  inside, the client is ${inner.client.ipv4} and the server ${inner.server.ipv4}`)
  screen.line('  (nobody says what the lines can carry: the tunnel finds that out by itself)')
  return tunnel
}

function showTable(screen: Screen, { alone, bondMbit }: Throughput, cut: Cut): void {
  const share = (mbit: number, of: number) => `${((mbit / of) * 100).toFixed(0)} %`
  const sum = [...alone.values()].reduce((total, mbit) => total + mbit, 0)
  screen.title('In short')
  screen.table(
    ['one TCP connection', 'Mbit/s', 'of'],
    [
      ...[...alone].map(([line, mbit]) => [
        `${line.title} alone`,
        mbit.toFixed(1),
        `${share(mbit, line.mbit)} of its ${line.mbit} Mbit/s`,
      ]),
      [
        `${DSL.title} + ${LTE.title}`,
        bondMbit.toFixed(1),
        `${share(bondMbit, sum)} of the sum of both`,
      ],
    ],
  )
  const { sent, lost, longestGapUs, outOfOrder, duplicates, delayUs } = cut.stream
  const milliseconds = (us: number) => `${(us / 1000).toFixed(0)} ms`
  screen.line()
  screen.table(
    [
      `${cut.packetsPerS} packets/s, ${DSL.title} cut for ${(cut.cutMs / 1000).toFixed(1)} s`,
      ...['sent', 'lost', 'longest gap', 'out of order', 'twice', 'delay', 'worst'],
    ],
    [
      [
        'over the tunnel',
        ...[sent, lost].map(String),
        milliseconds(longestGapUs),
        ...[outOfOrder, duplicates].map(String),
        milliseconds(delayUs.p50),
        milliseconds(delayUs.max),
      ],
    ],
  )
}

async function play(screen: Screen): Promise<boolean> {
  const claims = new Claims(screen)
  screen.line(screen.paint('bold', 'mptun: two poor Internet lines become one good one'))
  screen.line(screen.paint('dim', 'everything below happens in network namespaces of this machine'))
  screen.line(drawing())
  const lab = await createLab({ name: 'demo', links: LINKS, seed: 1 })
  try {
    const tunnel = await setUp(screen, lab)
    try {
      const throughput = await showThroughput(screen, claims, tunnel)
      const cut = await showCut(screen, claims, tunnel)
      await tunnel.close()
      showTable(screen, throughput, cut)
    } catch (error) {
      screen.line(tunnel.client.logs() + tunnel.server.logs())
      throw error
    }
  } finally {
    await lab.close()
  }
  return claims.areTrue
}

const screen = new Screen(process.stdout, process.env)
// The lab removes everything at these signals, before they do what they do.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => screen.line(`${signal}: removing everything`))
}
try {
  const isTrue = await play(screen)
  screen.line(`\n  everything is removed; the demo took ${secondsSince(startedMs)} s`)
  process.exitCode = isTrue ? 0 : 1
} catch (error) {
  screen.line(screen.paint('red', `the demo failed: ${(error as Error).message}`))
  process.exitCode = 2
}
