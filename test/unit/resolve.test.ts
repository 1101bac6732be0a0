import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../src/net/address.js'
import { resolveEndpoints } from '../../src/net/resolve.js'

describe('the name of a server', () => {
  const ask = async (host: string) => {
    if (host === 'vps.example.org') return ['192.0.2.1', '2001:db8::1', '192.0.2.1']
    throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
  }
  const resolve = async (...hosts: string[]) => {
    const names = hosts.map((host) => ({ host, port: 5000 }))
    const { endpoints, faults } = await resolveEndpoints(names, ask, new Map())
    return [endpoints.map(({ address, port }) => formatEndpoint(address, port)), faults]
  }

  it('becomes all its addresses, each once, in order', async () => {
    expect(await resolve('192.0.2.7', 'vps.example.org', '2001:db8::1')).toEqual([
      ['192.0.2.7:5000', '192.0.2.1:5000', '[2001:db8::1]:5000'],
      [],
    ])
  })

  it('that has none hides no other', async () => {
    expect(await resolve('gone.example.org', '192.0.2.7')).toEqual([
      ['192.0.2.7:5000'],
      [
        expect.stringMatching(
          /^gone\.example\.org has no address now \(ENOTFOUND\), .*see that the name is right/,
        ),
      ],
    ])
  })

  it('that fails keeps the addresses that it had, beside a name that does not', async () => {
    let answers: Record<string, string[]> = { a: ['192.0.2.1'], b: ['192.0.2.2'] }
    const known = new Map<string, readonly string[]>()
    const found = async () => {
      const names = ['a', 'b'].map((host) => ({ host, port: 5000 }))
      const inTurn = async (host: string) => {
        if (answers[host] === undefined) throw Object.assign(new Error(), { code: 'EAI_AGAIN' })
        return answers[host]
      }
      const { endpoints, faults } = await resolveEndpoints(names, inTurn, known)
      return [endpoints.map(({ address, port }) => formatEndpoint(address, port)), faults.length]
    }
    expect(await found()).toEqual([['192.0.2.1:5000', '192.0.2.2:5000'], 0])
    answers = { b: ['192.0.2.3'] }
    expect(await found()).toEqual([['192.0.2.1:5000', '192.0.2.3:5000'], 1])
    answers = { a: ['192.0.2.4'], b: ['192.0.2.3'] }
    expect(await found()).toEqual([['192.0.2.4:5000', '192.0.2.3:5000'], 0])
  })
})
