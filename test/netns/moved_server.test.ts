/** A server that gets another address, as behind a line with dynamic DNS, and whose name the client can ask for only past the tunnel. */

import { afterEach, expect, it } from 'vitest'
import { Daemon } from '../../bench/lab/daemon.js'
import { createLab, type Lab } from '../../bench/lab/lab.js'
import { setNameServer } from '../../bench/lab/namespaces.js'
import { startPing } from '../../bench/lab/ping.js'
import { enrol, innerOf, SERVER_ENDPOINT } from '../../bench/lab/tunnel.js'
import { LineProgram } from './line_program.js'

const NAME_SERVER = '198.51.100.53'
const MOVED = '198.51.100.2'
const LINKS = ['dsl', 'lte']

let lab: Lab | undefined
let names: LineProgram | undefined
const daemons: Daemon[] = []

afterEach(async () => {
  await names?.end()
  for (const daemon of daemons.splice(0)) if (daemon.pid !== undefined) await daemon.end()
  await lab?.close()
})

const questions = async (tells: string) =>
  (await names!.ask({ tells }, ({ asked }) => asked !== undefined))['asked'] as number

it('is found again by its name, which is asked for over the uplinks', async () => {
  lab = await createLab({
    name: 'moved',
    links: LINKS.map((name) => ({ name, description: 'rate=20,delay=10' })),
  })
  for (const address of [NAME_SERVER, MOVED]) {
    await lab.exec('server', ['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
    for (const name of LINKS) {
      const from = ['src', lab.links.get(name)!.publicAddress]
      await lab.exec(`router:${name}`, ['ip', 'route', 'add', address, 'dev', 'wan', ...from])
    }
  }
  // Whoever asks through a tunnel that has ended waits for so long.
  setNameServer(lab.namespace('client'), NAME_SERVER, 20)
  const [before = ''] = SERVER_ENDPOINT.split(':')
  names = new LineProgram(lab.namespace('server'), 'test/netns/name_server.mjs', {
    at: NAME_SERVER,
    tells: before,
  })
  await names.until(({ ready }) => ready === true)

  const listening = (address: string) => {
    const words = ['--listen', `${address}:5000`]
    const daemon = new Daemon(lab!, { role: 'server', tun: 'mps0', words })
    daemons.push(daemon)
    return daemon
  }
  const server = listening(before)
  server.start()
  await server.until('the server to run', () => true)
  const uplinks = LINKS.flatMap((name) => ['--uplink', name])
  const words = [...uplinks, '--server', 'mptun.example:5000', '--route', 'default']
  const client = new Daemon(lab, { role: 'client', tun: 'mpc0', words })
  daemons.push(client)
  await enrol(server, client, 'home')
  client.start()
  await client.untilPaths(2)

  const { ipv4: address } = await innerOf(server)
  const ping = await startPing(lab, { from: 'client', address }, { intervalMs: 200 })
  await server.end('SIGKILL')
  await questions(MOVED)
  const moved = listening(MOVED)
  moved.start()
  await client.until('the new address', ({ endpoints }) => endpoints.includes(`${MOVED}:5000`))
  await client.untilPaths(2)
  expect(client.logs()).toContain(`server.resolved at=${MOVED}:5000`)
  const asked = await questions(MOVED)
  await new Promise((resolve) => setTimeout(resolve, 3000))
  expect(await questions(MOVED), 'questions about a server that was found').toBe(asked)
  expect((await ping.end()).received).toBeGreaterThan(10)
})
