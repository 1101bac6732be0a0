import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MptunError } from '../../src/errors.js'
import {
  addressAt,
  contains,
  formatAddress,
  formatEndpoint,
  isGlobal,
  leadsOutside,
  networkOf,
  parseAddress,
  parseCidr,
  sizeOf,
} from '../../src/net/address.js'
import { judge, parseDevices } from '../../src/net/devices.js'
import { Nat } from '../../src/net/nat.js'
import { PeerRoutes } from '../../src/net/peerroutes.js'
import { run } from '../../src/net/program.js'
import { resolveEndpoints } from '../../src/net/resolve.js'
import { addressTun, innerCidrs } from '../../src/net/tundevice.js'
import { Unforwarded } from '../../src/net/unforwarded.js'

const cidr = (text: string) => parseCidr(text)!

describe('addresses', () => {
  it.each(['192.0.2.1', '2001:db8::1', '::', 'fd00::77:1'])('%s is read and written', (text) => {
    expect(formatAddress(parseAddress(text)!)).toBe(text)
  })

  it.each(['', '10.1', '1.2.3.04', '0x7f.1', 'fe80::1%eth0', '::1/64', 'host'])(
    '%j is none',
    (text) => {
      expect(parseAddress(text)).toBeUndefined()
    },
  )

  it('are written with brackets before a port', () => {
    expect(formatEndpoint(parseAddress('2001:db8::1')!, 5000)).toBe('[2001:db8::1]:5000')
    expect(formatEndpoint('192.0.2.1', 5000)).toBe('192.0.2.1:5000')
  })

  it('belong to the network that they were counted from', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.integer({ min: 8, max: 30 }),
        fc.bigInt({ min: 0n, max: (1n << 22n) - 1n }),
        (address, prefix, index) => {
          const network = networkOf({ family: 4, address, prefix })
          const inside = index % sizeOf(network)
          expect(contains(network, addressAt(network, inside))).toBe(true)
          expect(contains(network, addressAt(network, 0n))).toBe(true)
        },
      ),
      { seed: 7, numRuns: 300 },
    )
  })

  it('count with carry', () => {
    expect(formatAddress(addressAt(cidr('10.0.0.0/8'), 65_536n + 3n))).toBe('10.1.0.3')
  })

  it('are known by where they lead', () => {
    const outside = (text: string) => leadsOutside(parseAddress(text)!)
    expect(['192.168.1.5', '2001:db8::1', 'fd00::1', '100.64.0.1'].map(outside)).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(['127.0.0.1', '169.254.3.3', 'fe80::1', '::1', '0.0.0.0'].map(outside)).toEqual(
      Array(5).fill(false),
    )
    expect(isGlobal(parseAddress('8.8.8.8')!)).toBe(true)
    expect(isGlobal(parseAddress('192.168.1.5')!)).toBe(false)
    expect(isGlobal(parseAddress('100.64.0.1')!)).toBe(false)
  })
})

describe('devices', () => {
  const listing = JSON.stringify([
    { ifindex: 1, ifname: 'lo', flags: ['UP', 'LOWER_UP'], addr_info: [{ local: '127.0.0.1' }] },
    {},
    {
      ifindex: 3,
      ifname: 'wwan0',
      flags: ['UP', 'LOWER_UP'],
      addr_info: [
        { local: '192.0.2.5' },
        { local: 'fe80::1' },
        { local: '2001:db8::5', tentative: true },
      ],
    },
    { ifindex: 4, ifname: 'eth1', flags: [], addr_info: [] },
    { ifindex: 5, ifname: 'eth2', flags: ['UP'], addr_info: [{ local: '192.0.2.9' }] },
  ])
  const devices = parseDevices(listing)
  const verdict = (name: string) => judge(name, devices.get(name))

  it('are read from iproute2', () => {
    expect([...devices.keys()]).toEqual(['lo', 'wwan0', 'eth1', 'eth2'])
  })

  it('can be used in the families in which they have an address', () => {
    expect(verdict('wwan0')).toEqual({ families: [4], why: '' })
  })

  it.each([
    ['usb0', 'does not exist yet: waiting for it'],
    ['eth1', 'is down: waiting for ip link set eth1 up'],
    ['eth2', 'has no carrier'],
    ['lo', 'has no address that leads outside'],
  ])('%s cannot be used, and why', (name, why) => {
    expect(verdict(name)).toEqual({ families: [], why: expect.stringContaining(why) })
  })

  it.each(['', '{}', '[{"ifname":1}]'])('%j is not a listing', (text) => {
    expect(() => parseDevices(text)).toThrow(/printed something unexpected/)
  })
})

describe('a program', () => {
  it('that is missing is named with its package', async () => {
    await expect(run('mptun-no-such-program', [])).rejects.toMatchObject({
      code: 'MPTUN_E_SYSTEM_PROGRAM',
      message: expect.stringContaining('is missing; install it: apt-get install'),
    })
  })

  it('is never taken from where mptun was started', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'mptun-program-'))
    const [path, before] = [process.env['PATH'], process.cwd()]
    writeFileSync(join(dir, 'mptun-here'), '#!/bin/sh\necho here\n', { mode: 0o755 })
    process.chdir(dir)
    try {
      for (const empty of [undefined, '', ':/usr/bin', '/usr/bin:']) {
        if (empty === undefined) delete process.env['PATH']
        else process.env['PATH'] = empty
        await expect(run('mptun-here', [])).rejects.toThrow(/is missing/)
      }
    } finally {
      process.chdir(before)
      process.env['PATH'] = path
      rmSync(dir, { recursive: true })
    }
  })

  it('that fails is quoted', async () => {
    await expect(run('ip', ['link', 'show', 'dev', 'mptun-none'])).rejects.toThrow(
      /ip link show dev mptun-none failed: Device "mptun-none" does not exist/,
    )
  })
})

/** A Run that answers from a script and remembers what was asked. */
function scripted(answers: Record<string, string | Error>) {
  const calls: string[] = []
  return {
    calls,
    run: async (program: string, args: readonly string[]) => {
      const call = [program, ...args].join(' ')
      calls.push(call)
      const answer = answers[call] ?? (args[0] === '-json' ? '[]' : '')
      if (answer instanceof Error) throw answer
      return answer
    },
  }
}

describe('the tunnel device', () => {
  const inner = innerCidrs({
    ipv4: parseAddress('10.77.0.2')!,
    ipv4Prefix: 24,
    ipv6: parseAddress('fd00::2')!,
    ipv6Prefix: 64,
  })

  it('gets its addresses and routes, and loses those of another server', async () => {
    const { run, calls } = scripted({
      'ip -json address show dev t0': JSON.stringify([
        {
          addr_info: [
            { family: 'inet', local: '10.9.0.2', prefixlen: 24, scope: 'global' },
            { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
            { family: 'inet', local: '10.77.0.2', prefixlen: 24, scope: 'global' },
          ],
        },
      ]),
    })
    const setup = {
      name: 't0',
      addresses: inner,
      routes: [cidr('0.0.0.0/1'), cidr('8000::/1')],
    }
    expect(await addressTun(run, setup)).toEqual({ routes: setup.routes, faults: [] })
    expect(calls).toEqual([
      'ip -json address show dev t0',
      'ip -4 address delete 10.9.0.2/24 dev t0',
      'ip address replace 10.77.0.2/24 dev t0',
      'ip address replace fd00::2/64 dev t0 nodad',
      'ip -json -4 route show exact 0.0.0.0/1',
      'ip -4 route replace 0.0.0.0/1 dev t0',
      'ip -json -6 route show exact 8000::/1',
      'ip -6 route replace 8000::/1 dev t0',
    ])
  })

  it.each([
    ['an uplink has', [{ dst: '192.0.2.0/24', dev: 'eth0', flags: [] }], 'eth0'],
    [
      'several share',
      [{ dst: '192.0.2.0/24', nexthops: [{ dev: 'eth0' }, { dev: 'eth1' }] }],
      'eth0 and eth1',
    ],
    ['nobody is to have', [{ type: 'blackhole', dst: '192.0.2.0/24' }], 'blackhole'],
  ])('leaves a route alone that %s', async (_, found, holder) => {
    const route = cidr('192.0.2.0/24')
    const { run, calls } = scripted({
      'ip -json -4 route show exact 192.0.2.0/24': JSON.stringify(found),
    })
    const state = await addressTun(run, { name: 't0', addresses: [], routes: [route] })
    expect(state).toEqual({
      routes: [],
      faults: [expect.stringContaining(`192.0.2.0/24 is routed to ${holder} and stays so`)],
    })
    expect(calls.join()).not.toContain('replace')
  })

  it.each([
    ['its own of before', '192.0.2.0/24', { dev: 't0' }],
    ['one that gives way, of another metric', '192.0.2.0/24', { dev: 'eth0', metric: 100 }],
    ["one that the kernel's own goes before", '2001:db8::/64', { dev: 'eth0', metric: 256 }],
  ])('takes the place of %s', async (_, text, found) => {
    const route = cidr(text)
    const { run } = scripted({
      [`ip -json -${route.family} route show exact ${text}`]: JSON.stringify([found]),
    })
    const state = await addressTun(run, { name: 't0', addresses: [], routes: [route] })
    expect(state).toEqual({ routes: [route], faults: [] })
  })

  it('goes on without IPv6 where the kernel refuses that, and not without IPv4', async () => {
    const refused = new MptunError('MPTUN_E_SYSTEM_PROGRAM', 'refused')
    const setup = { name: 't0', addresses: inner, routes: [] }
    const [v4, v6] = [
      scripted({ 'ip address replace 10.77.0.2/24 dev t0': refused }),
      scripted({ 'ip address replace fd00::2/64 dev t0 nodad': refused }),
    ]
    await expect(addressTun(v4.run, setup)).rejects.toBe(refused)
    expect(await addressTun(v6.run, setup)).toEqual({ routes: [], faults: ['refused'] })
  })

  it('has no address where the server gave none', () => {
    const none = { ipv4: new Uint8Array(4), ipv4Prefix: 0, ipv6: new Uint8Array(16), ipv6Prefix: 0 }
    expect(innerCidrs(none)).toEqual([])
  })
})

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

describe('masquerading', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'mptun-nat-'))
    for (const each of ['sys/net/ipv4', 'sys/net/ipv6/conf/all', 'net']) {
      mkdirSync(join(dir, each), { recursive: true })
    }
    writeFileSync(join(dir, IPV4), '0\n')
    writeFileSync(join(dir, IPV6), '0\n')
  })
  afterEach(() => rmSync(dir, { recursive: true }))
  const IPV4 = 'sys/net/ipv4/ip_forward'
  const IPV6 = 'sys/net/ipv6/conf/all/forwarding'
  const forward = () => readFileSync(join(dir, IPV4), 'utf8').trim()
  const natOf = (run: ReturnType<typeof scripted>['run']) =>
    new Nat({
      run,
      tun: 'tun.1',
      pools: [cidr('10.77.0.0/24'), cidr('fd00::/64')],
      memoPath: join(dir, 'memo'),
      procDir: dir,
    })

  it('replaces its table in one transaction and puts forwarding back', async () => {
    const { run, calls } = scripted({})
    const nat = natOf(run)
    expect(await nat.install()).toEqual([expect.stringContaining('IPv6 is not forwarded')])
    expect(calls[0]).toMatch(
      /^nft add table inet mptun_tun_1\ndelete table inet mptun_tun_1\ntable/,
    )
    expect(calls[0]).toContain('ip saddr 10.77.0.0/24 oifname != "tun.1" masquerade')
    expect(calls[0]).toContain('ip6 saddr fd00::/64 oifname != "tun.1" masquerade')
    expect(forward()).toBe('1')
    await nat.remove()
    expect(calls).toContain('nft delete table inet mptun_tun_1')
    expect(forward()).toBe('0')
  })

  it('masquerades on a client whatever goes into the tunnel', async () => {
    const { run, calls } = scripted({})
    const paths = { memoPath: join(dir, 'memo'), procDir: dir }
    await new Nat({ run, tun: 'tun.1', ...paths }).install()
    expect(calls[0]).toContain('\n    oifname "tun.1" masquerade\n')
    expect(calls[0]).not.toContain('saddr')
    expect(forward()).toBe('1')
  })

  it('puts forwarding back also after a daemon that was killed', async () => {
    const { run } = scripted({})
    await natOf(run).install()
    const next = natOf(run)
    await next.install()
    await next.remove()
    expect(forward()).toBe('0')
  })

  it('leaves forwarding on while another tunnel needs it, and puts it back with the last', async () => {
    const first = natOf(scripted({ 'nft list tables': 'table inet mptun_other\n' }).run)
    const last = natOf(scripted({}).run)
    await first.install()
    await last.install()
    await first.remove()
    expect(forward()).toBe('1')
    await last.remove()
    expect(forward()).toBe('0')
  })

  describe('beside a firewall', () => {
    const chains = (family: string, policy: string, hook = 'forward') =>
      `table inet mptun_tun_1 {\n\tchain forward {\n\t\ttype filter hook forward priority mangle; policy accept;\n\t}\n}\ntable ${family} filter {\n\tchain FORWARD {\n\t\ttype filter hook ${hook} priority filter; policy ${policy};\n\t}\n}\ntable bridge other {\n\tchain all {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n`
    const told = async (listing: string, rules = '') => {
      writeFileSync(join(dir, IPV6), '1\n')
      const { run } = scripted({
        'nft list chains': listing,
        'nft list table ip filter': rules,
      })
      return natOf(run).install()
    }

    it.each(['ip', 'ip6', 'inet'])(
      'tells of a chain of %s that forwards nothing',
      async (family) => {
        expect(await told(chains(family, 'drop'))).toEqual([
          expect.stringContaining(`nft insert rule ${family} filter FORWARD iifname tun.1 accept`),
        ])
      },
    )

    it('is content with one that forwards, or is no firewall of forwarding', async () => {
      expect(await told(chains('ip', 'accept'))).toEqual([])
      expect(await told(chains('ip', 'drop', 'input'))).toEqual([])
      expect(await told('')).toEqual([])
    })

    it.each(['tun.1', 'tun*'])('leaves it to whoever has made a rule for %s', async (name) => {
      const rules = `\t\tiifname "${name}" counter accept\n`
      expect(await told(chains('ip', 'drop'), rules)).toEqual([])
      expect(await told(chains('ip', 'drop'), rules.replace(name, 'tun.10'))).toHaveLength(1)
    })

    describe('that is older than nftables', () => {
      const DROPS = '-P FORWARD DROP\n-A FORWARD -i docker0 -j ACCEPT\n'
      const toldOf = (rules: string, tables = 'nat\nfilter\n') => {
        writeFileSync(join(dir, IPV6), '1\n')
        writeFileSync(join(dir, 'net/ip_tables_names'), tables)
        const { run, calls } = scripted({ 'iptables-legacy -S FORWARD': rules })
        return { calls, faults: natOf(run).install() }
      }

      it('tells of a chain that forwards nothing', async () => {
        expect(await toldOf(DROPS).faults).toEqual([
          expect.stringContaining(
            'or without ufw iptables-legacy -I FORWARD -i tun.1 -j ACCEPT; iptables-legacy -I FORWARD -o tun.1 -j ACCEPT',
          ),
        ])
      })

      it.each(['tun.1', 'tun+'])('leaves it to whoever has made a rule for %s', async (name) => {
        const rules = `${DROPS}-A FORWARD -i ${name} -m comment --comment x -j ACCEPT\n`
        expect(await toldOf(rules).faults).toEqual([])
        expect(await toldOf(rules.replace(name, 'tun.10')).faults).toHaveLength(1)
      })

      it('is content with one that forwards, and does not ask where that would load its tables', async () => {
        expect(await toldOf('-P FORWARD ACCEPT\n').faults).toEqual([])
        const { faults, calls } = toldOf(DROPS, 'nat\n')
        expect(await faults).toEqual([])
        expect(calls.join()).not.toContain('legacy')
      })
    })

    it('does not speak of IPv6 where that is not forwarded at all', async () => {
      const nat = natOf(scripted({ 'nft list chains': chains('ip6', 'drop') }).run)
      expect(await nat.install()).toEqual([expect.stringContaining('IPv6 is not forwarded')])
    })
  })

  it('leaves forwarding on where it was on', async () => {
    writeFileSync(join(dir, IPV4), '1\n')
    const nat = natOf(scripted({}).run)
    await nat.install()
    await nat.remove()
    expect(forward()).toBe('1')
  })

  it('refuses IPv6 while the host does not forward it', async () => {
    const { run, calls } = scripted({})
    const unforwarded = new Unforwarded({ run, tun: 'tun.1', procDir: dir })
    const changes = async (forwards: string) => {
      writeFileSync(join(dir, IPV6), forwards)
      calls.length = 0
      await unforwarded.settle()
      return [...calls]
    }
    const rule = (verb: string) => `ip -6 rule ${verb} iif tun.1 unreachable`
    // What a daemon that was killed has left is taken away first.
    expect(await changes('0\n')).toEqual([rule('delete'), rule('add')])
    expect(await changes('0\n')).toEqual([])
    expect(await changes('1\n')).toEqual([rule('delete')])
    expect(await changes('1\n')).toEqual([])
    expect(await changes('0\n')).toEqual([rule('add')])
    calls.length = 0
    await unforwarded.end()
    expect(calls).toEqual([rule('delete')])
  })
})

describe('the name of a server', () => {
  const ask = async (host: string) => {
    if (host === 'vps.example.org') return ['192.0.2.1', '2001:db8::1', '192.0.2.1']
    throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
  }
  const resolve = async (...hosts: string[]) => {
    const names = hosts.map((host) => ({ host, port: 5000 }))
    const { endpoints, faults } = await resolveEndpoints(names, ask)
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
})
