import { describe, expect, it } from 'vitest'
import { parseCidr } from '../../src/net/address.js'
import { PeerRoutes } from '../../src/net/peerroutes.js'

const cidr = (text: string) => parseCidr(text)!

describe('routes to peers that take less', () => {
  const [v4, v6] = [cidr('10.77.0.2/32'), cidr('fd00::2/128')]

  it('come, change and go with what each takes, and cost nothing while it is the same', async () => {
    const calls: string[] = []
    const routes = new PeerRoutes(async (program, args) => {
      calls.push([program, ...args].join(' '))
      return ''
    }, 't0')
    await routes.set('van', [v4, v6], undefined)
    expect(calls.splice(0)).toEqual([])
    await routes.set('van', [v4, v6], 1368)
    await routes.set('van', [v4, v6], 1368)
    expect(calls.splice(0)).toEqual([
      'ip -4 route replace 10.77.0.2/32 dev t0 mtu 1368',
      'ip -6 route replace fd00::2/128 dev t0 mtu 1368',
    ])
    const other = cidr('10.77.0.9/32')
    await routes.set('van', [other], 1400)
    expect(calls.splice(0)).toEqual([
      'ip -4 route delete 10.77.0.2/32 dev t0',
      'ip -6 route delete fd00::2/128 dev t0',
      'ip -4 route replace 10.77.0.9/32 dev t0 mtu 1400',
    ])
    await routes.set('van', [], undefined)
    expect(calls).toEqual(['ip -4 route delete 10.77.0.9/32 dev t0'])
  })

  it('are tried again after the program has failed', async () => {
    let left = 1
    const calls: string[] = []
    const routes = new PeerRoutes(async (_program, args) => {
      if (left-- > 0) throw new Error('no memory')
      calls.push(args.join(' '))
      return ''
    }, 't0')
    await expect(routes.set('van', [v4], 1368)).rejects.toThrow('no memory')
    await routes.set('van', [v4], 1368)
    expect(calls.at(-1)).toBe('-4 route replace 10.77.0.2/32 dev t0 mtu 1368')
  })
})
