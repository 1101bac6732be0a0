import { describe, expect, it } from 'vitest'
import { askControl } from '../../src/control.js'
import type { Exchange } from '../../src/daemon/exchange.js'
import { listed } from './daemon_fixture.js'
import { answerTo } from './dns_fixture.js'
import {
  configOf,
  eventually,
  joined,
  lines,
  machine,
  replaceMachine,
  socket,
  start,
  status,
} from './running_daemon_fixture.js'

describe('a client whose server has a name', () => {
  const client = (...uplinks: string[]) => configOf('client', { uplink: uplinks })

  it('asks again for a name that has no address', async () => {
    joined()
    let answers: string[] = []
    const lookup = async () => {
      if (answers.length === 0) throw Object.assign(new Error(), { code: 'EAI_AGAIN' })
      return answers
    }
    replaceMachine({ ...machine, lookup })
    await start(await client('eth0'))
    await eventually(() => expect(lines.join('')).toContain('server.unresolved'))
    const warning = async () => (await status()).peers[0]?.warning
    expect(await warning()).toMatch(/^vps\.example\.org has no address now \(EAI_AGAIN\)/)
    answers = ['198.51.100.9']
    await eventually(async () => {
      machine.clock.advance(1_000_000)
      expect((await status()).endpoints).toContain('198.51.100.9:5000')
    })
    expect(await warning()).toBe('')
  })

  it('does not go to the server of before when a slow answer tells where it is', async () => {
    joined()
    let answer: (addresses: string[]) => void = () => undefined
    const lookup = (host: string) =>
      host === 'vps.example.org'
        ? new Promise<string[]>((resolve) => {
            answer = resolve
          })
        : Promise.resolve(['198.51.100.2'])
    replaceMachine({ ...machine, lookup })
    await start(await client('eth0'), () =>
      configOf('client', { uplink: ['eth0'], server: 'other.example.org:7' }),
    )
    await askControl(socket(), { verb: 'reload' })
    const endpoints = async () => (await status()).endpoints
    await eventually(async () => expect(await endpoints()).toContain('198.51.100.2:7'))
    answer(['198.51.100.1'])
    expect(await endpoints()).toEqual(['other.example.org:7', '198.51.100.2:7'])
    expect(lines.join('')).not.toContain('198.51.100.1')
  })

  it('asks for the name of a server that does not answer again and again, over its uplinks too', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5'), listed('wwan0', 3, '192.0.2.6')]
    let asked = 0
    const asking: string[] = []
    const lookup = async () => {
      asked++
      return ['198.51.100.1']
    }
    const exchange = async ({ device, address, port, message }: Exchange) => {
      asking.push(`${device} ${address}:${port}`)
      if (device === 'eth0' || asked < 4) throw new Error('silence')
      return answerTo(message, [198, 51, 100, 9])
    }
    const nameServers = () => ['192.0.2.53']
    replaceMachine({ ...machine, lookup, nameServers, exchange })
    await start(await client('eth0', 'wwan0'))
    expect(asking).toEqual([])
    await eventually(async () => {
      machine.clock.advance(10_000_000)
      expect((await status()).endpoints).toContain('198.51.100.9:5000')
    })
    expect(asking).toContain('eth0 192.0.2.53:53')
    expect(lines.join('')).toContain('server.resolved at=198.51.100.1:5000,198.51.100.9:5000')
  })

  it('finds its server over an uplink while its own question waits in vain', async () => {
    joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    let isInTunnel = false
    const lookup = () =>
      isInTunnel ? new Promise<never>(() => undefined) : Promise.resolve(['198.51.100.1'])
    const exchange = async ({ message }: Exchange) => answerTo(message, [198, 51, 100, 9])
    replaceMachine({ ...machine, lookup, nameServers: () => ['192.0.2.53'], exchange })
    await start(await client('eth0'))
    await eventually(async () => expect((await status()).endpoints).toHaveLength(2))
    isInTunnel = true
    await eventually(async () => {
      machine.clock.advance(10_000_000)
      expect((await status()).endpoints).toEqual(['vps.example.org:5000', '198.51.100.9:5000'])
    })
  })

  it('stays at the addresses of a name that fails while another of its names answers', async () => {
    const store = joined()
    machine.devices = [listed('eth0', 2, '192.0.2.5')]
    const hosts = ['vps.example.org', 'spare.example.org']
    const endpoints = hosts.map((host) => ({ host, port: 5000 }))
    store.writeServer({ ...store.readServer()!, endpoints })
    let answers: Record<string, string> = {
      'vps.example.org': '198.51.100.1',
      'spare.example.org': '198.51.100.2',
    }
    const lookup = async (host: string) => {
      const answer = answers[host]
      if (answer === undefined) throw Object.assign(new Error(), { code: 'EAI_AGAIN' })
      return [answer]
    }
    replaceMachine({ ...machine, lookup })
    await start(await client('eth0'))
    await eventually(async () => expect((await status()).endpoints).toHaveLength(4))
    answers = { 'spare.example.org': '198.51.100.3' }
    await eventually(async () => {
      machine.clock.advance(10_000_000)
      expect((await status()).endpoints).toContain('198.51.100.3:5000')
    })
    expect((await status()).endpoints).toContain('198.51.100.1:5000')
  })
})
