import { describe, expect, it } from 'vitest'
import { fromCommandLine, fromFile } from '../../src/config/file.js'
import { optionsOf } from '../../src/config/options.js'
import { readSetting } from '../../src/config/setting.js'
import { resolveConfig } from '../../src/config/tunnel.js'
import { DEFAULT_UPLINK } from '../../src/core/terms.js'
import { formatCidr } from '../../src/net/address.js'

const client = async (text: string, line: Record<string, unknown> = {}) =>
  resolveConfig('client', await fromFile('client', 'c.toml', text), fromCommandLine(line))
const server = async (text: string, line: Record<string, unknown> = {}) =>
  resolveConfig('server', await fromFile('server', 's.toml', text), fromCommandLine(line))
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => 'accepted',
    (error: Error & { code?: string }) => `${error.code} ${error.message}`,
  )

describe('a configuration', () => {
  it('of a server works with nothing at all', async () => {
    expect(await server('')).toMatchObject({
      role: 'server',
      tun: 'mptun0',
      mtuBytes: undefined,
      stateDir: '/var/lib/mptun',
      runDir: '/run/mptun',
      logFormat: 'text',
      probeIntervalUs: 100_000,
      keepaliveUs: 20_000_000,
      listen: [],
      nat: false,
      offload: true,
      pool6: undefined,
      policy: { mode: undefined },
    })
    expect(formatCidr((await server('')).pool)).toBe('10.77.0.0/24')
  })

  it('of a client says the same in a file as on the command line', async () => {
    const file = await client(`
      uplink = ["wwan0,weight=3", "eth1,tier=1,standby"]
      mode = "active-backup"
      primary = "wwan0"
      primary-reselect = "better"
      updelay = 500
      downdelay = 100
      probe-interval = 50
      keepalive = 15
      route = "default"
      mtu = 1400
      offload = false
      aead = "aes-256-gcm"
      server = "vps.example.org:5000"
      log-format = "json"
    `)
    const line = await client('', {
      uplink: ['wwan0,weight=3', 'eth1,tier=1,standby'],
      mode: 'active-backup',
      primary: 'wwan0',
      'primary-reselect': 'better',
      updelay: '500',
      downdelay: '100',
      'probe-interval': '50',
      keepalive: '15',
      route: ['default'],
      mtu: '1400',
      offload: false,
      aead: 'aes-256-gcm',
      server: 'vps.example.org:5000',
      'log-format': 'json',
    })
    expect(file).toEqual(line)
    expect(file.uplinks).toEqual([
      { ...DEFAULT_UPLINK, name: 'wwan0', weight: 3 },
      { ...DEFAULT_UPLINK, name: 'eth1', tier: 1, intent: 'standby' },
    ])
    expect(file.routes.map(formatCidr)).toEqual(['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1'])
    expect(file.policy.updelayUs).toBe(500_000)
    expect(file.offload).toBe(false)
    expect(file.server).toEqual({ host: 'vps.example.org', port: 5000 })
  })

  it('takes the word of the command line before that of the file', async () => {
    const config = await client('uplink = ["a"]\nmode = "broadcast"', {
      mode: 'balance-xor',
      uplink: ['b'],
    })
    expect(config.policy.mode).toBe('balance-xor')
    expect(config.uplinks.map(({ name }) => name)).toEqual(['b'])
  })

  it('takes uplinks as tables', async () => {
    const config = await client(`
      [[uplink]]
      name = "wwan0"
      weight = 3

      [[uplink]]
      name = "eth1"
      standby = true
    `)
    expect(config.uplinks).toEqual([
      { ...DEFAULT_UPLINK, name: 'wwan0', weight: 3 },
      { ...DEFAULT_UPLINK, name: 'eth1', intent: 'standby' },
    ])
  })

  it('takes all that may be said of an uplink, in a table as in a word', async () => {
    const [inTable] = (
      await client(`
        [[uplink]]
        name = "wwan0"
        metered = true
        budget-day = "500MB"
        budget-month = "10 GB"
        reset-day = 15
        over-budget = "standby"
        rate-up = "2.5Mbit"
        rate-down = "20 Mbit/s"
        target = "15ms"
        intent = "standby"
      `)
    ).uplinks
    const words =
      'wwan0,metered,budget-day=500MB,budget-month=10GB,reset-day=15,over-budget=standby,rate-up=2.5Mbit,rate-down=20Mbit,target=15,standby'
    const [inWord] = (await client('', { uplink: [words] })).uplinks
    expect(inTable).toEqual({
      name: 'wwan0',
      intent: 'standby',
      tier: 0,
      weight: 1,
      metered: true,
      budgetDayBytes: 500e6,
      budgetMonthBytes: 10e9,
      resetDay: 15,
      overBudget: 'standby',
      rateUpBytesPerS: 312_500,
      rateDownBytesPerS: 2_500_000,
      targetUs: 15_000,
    })
    expect(inWord).toEqual(inTable)
  })

  it('has every option in its schema', async () => {
    for (const role of ['server', 'client'] as const) {
      for (const { word } of optionsOf(role)) {
        const found = await refusal(
          resolveConfig(role as 'client', fromCommandLine({ [word]: { bad: true } })),
        )
        expect(found, word).toMatch(/^MPTUN_E_CONFIG_VALUE --/)
      }
    }
  })
})

describe("the bonding driver's words", () => {
  it('are taken in all their spellings', async () => {
    const config = await client(`
      bond_mode = 1
      bond-slaves = "eth0 eth1"
      primary = "eth0"
      primary_reselect = 2
      xmit_hash_policy = "layer2+3"
      miimon = 200
      updelay = 400
    `)
    expect(config).toMatchObject({
      probeIntervalUs: 200_000,
      policy: {
        mode: 'active-backup',
        hash: 'layer3',
        primary: 'eth0',
        reselect: 'failure',
        updelayUs: 400_000,
      },
    })
    expect(config.uplinks.map(({ name }) => name)).toEqual(['eth0', 'eth1'])
  })

  it.each([
    [0, 'balance-rr'],
    [1, 'active-backup'],
    [2, 'balance-xor'],
    [3, 'broadcast'],
  ])('mode %i is %s', async (number, name) => {
    expect((await server(`mode = ${number}`)).policy.mode).toBe(name)
  })

  it('adaptive is known by its name, which the driver has not', async () => {
    expect((await server('mode = "adaptive"')).policy.mode).toBe('adaptive')
    expect(readSetting(['mode', 'adaptive'])).toEqual({
      kind: 'policy',
      change: { mode: 'adaptive' },
    })
    expect(await refusal(server('mode = 7'))).toContain('broadcast, adaptive')
  })

  it.each([
    ['mode = 4', "s.toml:1: mode: the bonding driver's 802.3ad has no meaning here: no switch"],
    ['mode = "balance-alb"', 'both directions are scheduled by the sender'],
    ['lacp_rate = 1', "s.toml:1: the bonding driver's lacp_rate has no meaning here"],
    ['fail_over_mac = 1', 'there are no Ethernet frames in the tunnel'],
    ['xmit_hash_policy = "layer2"', 'accepted is layer3+4, layer3'],
    [
      'miimon = 100\narp_interval = 100',
      's.toml:2: arp_interval: miimon says the same; keep one of them',
    ],
  ])('%j is refused with a reason', async (text, reason) => {
    expect(await refusal(server(text))).toContain(reason)
  })
})

describe('a refusal', () => {
  it.each([
    ['mod = "x"', 'MPTUN_E_CONFIG_KEY c.toml:1: unknown key "mod" (did you mean "mode"?)'],
    ['\nmode = "balance-rrr"', 'c.toml:2: mode: found "balance-rrr", accepted is balance-rr,'],
    ['mode = "balance-rrr"', '(did you mean "balance-rr"?)'],
    ['uplink = ["a", "b,wieght=3"]', 'c.toml:1: uplink[1]: found "wieght=3", accepted is weight=N'],
    ['uplink = ["a,weight=0"]', 'weight: found "0", accepted is a whole number from 1 to 256'],
    ['uplink = ["a,tier=1,tier=2"]', 'tier is given twice'],
    [
      'uplink = ["a,over-budget=slow"]',
      'found "slow", accepted is stop, standby, or a rate such as 512kbit',
    ],
    ['uplink = ["a,up,standby"]', 'intent is given twice'],
    [
      '[[uplink]]\nname = "a"\n[[uplink]]\nname = "b"\nwieght = 3',
      'c.toml:3: uplink[1]: unknown key',
    ],
    ['[[uplink]]\nweight = 2', 'c.toml:1: uplink[0]: it has no name; give one, such as name ='],
    ['[[uplink]]\nname = "a"\nstandby = "no"', 'uplink[0]: standby: found "no", accepted is true'],
    [
      '[[uplink]]\nname = "a"\nroute = "default"',
      'uplink[0]: "route" is said of the tunnel, not of an uplink; put it above the first [[uplink]]',
    ],
    [
      'uplink = "a"\nbudget-day = "1GB"',
      'c.toml:2: "budget-day" is said of an uplink; put it into the table [[uplink]]',
    ],
    ['uplink = ["a", "a"]', 'MPTUN_E_CONFIG_UPLINK c.toml:1: uplink[1]: a is given twice'],
    ['uplink = ["a", "mptun0"]', "c.toml:1: uplink[1]: mptun0 is the tunnel's own device"],
    ['uplink = "a"\nroute = ["10.0.0.0"]', 'accepted is default, or a network such as'],
    [
      'uplink = "a"\nprimary = "b"',
      'c.toml:2: primary: found "b", accepted is one of the uplinks: a',
    ],
    ['', 'no uplink is given'],
    ['uplink = "a"\nmtu = 9000', 'accepted is a whole number of bytes from 1280 to 1968'],
    ['uplink = "a"\nroute = ["10.0.0.1/24"]', 'this address lies in 10.0.0.0/24'],
    ['uplink = "a"\nserver = "vps"', 'accepted is HOST:PORT such as'],
    ['uplink = "a"\nserver = "1.2.3:5000"', 'accepted is HOST:PORT such as'],
    [
      'uplink = "a"\npool = "10.0.0.0/24"',
      'c.toml:2: "pool" belongs to a server, this is a client',
    ],
    ['uplink = "a"\nmode = []', 'c.toml:2: mode: found a list'],
    ['uplink = ', 'MPTUN_E_CONFIG_SYNTAX c.toml:1:'],
    ['uplink = "a"\n[mode]\nx = 1', 'c.toml:2: mode: found a table'],
  ])('of %j says where, what and the remedy', async (text, part) => {
    expect(await refusal(client(text))).toContain(part)
  })

  it.each([
    [{ listen: ['5000'] }, '--listen: found "5000", accepted is ADDRESS:PORT'],
    [{ listen: ['[::]:0'] }, 'accepted is ADDRESS:PORT'],
    [{ pool: 'fd00::/64' }, '--pool: found "fd00::/64", accepted is an IPv4 network'],
    [{ pool: '10.0.0.0/31' }, 'from /8 to /30'],
    [{ pool6: 'fd00::/32' }, 'from /48 to /120'],
    [
      { pool: '224.0.0.0/24' },
      '--pool: found "224.0.0.0/24", accepted is an IPv4 network of unicast',
    ],
    [{ pool6: 'fe80::/64' }, '--pool6: found "fe80::/64", accepted is an IPv6 network of unicast'],
    [{ tun: 'a/b' }, '--tun: found "a/b", accepted is the name of a network device'],
    [
      { tun: 'üüüüüüüü' },
      '--tun: found "üüüüüüüü", accepted is the name of a network device: 1 to 15 octets',
    ],
    [{ tun: 'a\u001b' }, '--tun: found "a\\u001b", accepted is the name of a network device'],
    [{ updelay: '1.5' }, 'a whole number of milliseconds'],
  ])('of %j names the option', async (line, part) => {
    expect(await refusal(server('', line))).toContain(part)
  })
})
