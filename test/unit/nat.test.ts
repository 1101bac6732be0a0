import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseCidr } from '../../src/net/address.js'
import { Nat } from '../../src/net/nat.js'
import { Unforwarded } from '../../src/net/unforwarded.js'
import { scripted } from './program_fixture.js'

const cidr = (text: string) => parseCidr(text)!

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
      /^nft add table inet mptun_tun\.1\ndelete table inet mptun_tun\.1\ntable/,
    )
    expect(calls[0]).toContain('ip saddr 10.77.0.0/24 oifname != "tun.1" masquerade')
    expect(calls[0]).toContain('ip6 saddr fd00::/64 oifname != "tun.1" masquerade')
    expect(forward()).toBe('1')
    await nat.remove()
    expect(calls).toContain('nft delete table inet mptun_tun.1')
    expect(forward()).toBe('0')
  })

  it.each([
    ['tun.1', 'mptun_tun.1'],
    ['tun_1', 'mptun_tun_1'],
    ['tun-1', 'mptun_tun-1'],
    ['tun+1', 'mptun_tun/2b1'],
    ['tün', 'mptun_t/c3/bcn'],
  ])('of %s has a table of its own, which nftables can name', async (tun, table) => {
    const { run, calls } = scripted({})
    await new Nat({ run, tun, memoPath: join(dir, 'memo'), procDir: dir }).remove()
    expect(calls[0]).toBe(`nft delete table inet ${table}`)
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
      `table inet mptun_tun.1 {\n\tchain forward {\n\t\ttype filter hook forward priority mangle; policy accept;\n\t}\n}\ntable ${family} filter {\n\tchain FORWARD {\n\t\ttype filter hook ${hook} priority filter; policy ${policy};\n\t}\n}\ntable bridge other {\n\tchain all {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n`
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
