import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sodium from 'libsodium-wrappers'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatAddress, parseAddress, parseCidr } from '../../src/net/address.js'
import { StoreRegistry } from '../../src/registry.js'
import { Store } from '../../src/store.js'

beforeAll(() => sodium.ready)

let dir: string
let store: Store
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'mptun-store-')), 'state')
  store = new Store(dir)
  store.prepare()
})
afterEach(() => rmSync(join(dir, '..'), { recursive: true }))

const filled = (octet: number, count = 32) => new Uint8Array(count).fill(octet)
const peer = (octet: number) => ({
  publicKey: filled(octet),
  ipv4: parseAddress(`10.77.0.${octet}`)!,
  ipv6: parseAddress(`fd00::${octet.toString(16)}`)!,
  created: 1_700_000_000,
})

describe('the state directory', () => {
  it('keeps what metered uplinks have used', () => {
    expect(store.readUsage()).toEqual({})
    const usage = {
      wwan0: { day: '2026-03-05', dayBytes: 500, month: '2026-03-01', monthBytes: 70_000 },
    }
    store.writeUsage(usage)
    expect(new Store(dir).readUsage()).toEqual(usage)
    writeFileSync(join(dir, 'usage.json'), '{"wwan0": {"day": "today"}}')
    expect(() => store.readUsage()).toThrow('usage.json cannot be understood')
  })

  it('keeps how far the handshakes have come, and never less', () => {
    expect(store.readTimestamp()).toBeUndefined()
    store.keepTimestamp(2_000_000_000_000_000)
    store.keepTimestamp(1_000_000_000_000_000)
    expect(new Store(dir).readTimestamp()).toBe(2_000_000_000_000_000)
    for (const damage of ['', 'soon', '-5', '1e15', '9007199254740990', '17000000000000000000']) {
      writeFileSync(join(dir, 'timestamp'), damage)
      expect(() => store.readTimestamp()).toThrow('timestamp cannot be understood: expected')
      store.keepTimestamp(7)
      expect(store.readTimestamp()).toBe(7)
    }
    expect(statSync(join(dir, 'timestamp')).mode & 0o777).toBe(0o600)
  })

  it('gives back what it was given', () => {
    store.writePeer('barge', peer(2))
    store.writeInvite('ab'.repeat(16), { name: 'van', secret: filled(7), expires: 1_800_000_000 })
    store.writeServer({
      publicKey: filled(9),
      endpoints: [{ host: '2001:db8::1', port: 5000 }],
      name: 'barge',
      secret: filled(3),
    })
    const again = new Store(dir)
    expect(again.peerNames()).toEqual(['barge'])
    expect(again.readPeer('barge')).toEqual(peer(2))
    expect(again.inviteIds()).toEqual(['ab'.repeat(16)])
    expect(again.readInvite('ab'.repeat(16))).toEqual({
      name: 'van',
      secret: filled(7),
      expires: 1_800_000_000,
    })
    expect(again.readServer()).toEqual({
      publicKey: filled(9),
      endpoints: [{ host: '2001:db8::1', port: 5000 }],
      name: 'barge',
      secret: filled(3),
    })
  })

  it('is rid of what a killed writer left, and of nothing else, at the next start', () => {
    store.writePeer('barge', peer(2))
    const living = `.key.${process.ppid}`
    for (const name of ['.timestamp.999999999', 'peers/.van.json.999999999', living, '.hidden']) {
      writeFileSync(join(dir, name), 'half')
    }
    store.prepare()
    expect(readdirSync(dir).sort()).toEqual(['.hidden', living, 'invites', 'peers'].sort())
    expect(readdirSync(join(dir, 'peers'))).toEqual(['barge.json'])
  })

  it('has nothing at first', () => {
    expect(store.readKey()).toBeUndefined()
    expect(store.readServer()).toBeUndefined()
    expect(store.readPeer('x')).toBeUndefined()
    expect(store.removePeer('x')).toBe(false)
    expect(new Store(join(dir, 'nowhere')).peerNames()).toEqual([])
  })

  it('is for its owner alone and leaves no draft behind', () => {
    store.keepKey(filled(1))
    store.writePeer('barge', peer(2))
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    expect(statSync(join(dir, 'key')).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'peers', 'barge.json')).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir).sort()).toEqual(['invites', 'key', 'peers'])
    expect(readdirSync(join(dir, 'peers'))).toEqual(['barge.json'])
  })

  it('keeps the first key', () => {
    expect(store.keepKey(filled(1))).toEqual(filled(1))
    expect(store.keepKey(filled(2))).toEqual(filled(1))
  })

  it('that cannot be made is refused at once', () => {
    // The kernel says ENOENT of a directory here although the one above it is there.
    const nowhere = new Store('/proc/mptun/state')
    expect(() => nowhere.prepare()).toThrow('cannot make /proc/mptun/state: ENOENT')
    const inFile = new Store(join(dir, 'key', 'state'))
    store.keepKey(filled(1))
    expect(() => inFile.prepare()).toThrow(/cannot make .*ENOTDIR.*--state-dir/)
  })

  it('keeps no part of what finds no room', () => {
    const path = join(dir, 'usage.json')
    mkdirSync(join(path, 'occupied'), { recursive: true })
    expect(() => store.writeUsage({})).toThrow('cannot write')
    expect(readdirSync(dir).sort()).toEqual(['invites', 'peers', 'usage.json'])
  })

  it('is refused when others may look into it', () => {
    chmodSync(dir, 0o755)
    expect(() => store.prepare()).toThrow(/has mode 755, .* run chmod 700/)
  })

  it('says what is in its way', () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    for (const path of [file, join(file, 'below')]) {
      expect(() => new Store(path).prepare()).toThrow(
        /; a file is where a directory is to be: move it away, or choose another --state-dir/,
      )
    }
    mkdirSync(join(dir, 'key'))
    expect(() => store.readKey()).toThrow(/; a directory is where a file is to be: move it away/)
  })

  it('ignores what a writer that was killed left behind', () => {
    writeFileSync(join(dir, 'peers', '.peers-barge.json.99'), '{')
    store.writePeer('barge', peer(2))
    expect(store.peerNames()).toEqual(['barge'])
  })

  it.each([
    ['', 'not JSON'],
    ['{}', 'publicKey: missing'],
    ['{"colour": 1}', 'publicKey: missing'],
    ['7', 'the whole: expected Object'],
    [JSON.stringify({ publicKey: 'secret-looking' }), 'publicKey: key: found 14 characters'],
  ])('names a file with %j and does not quote it', (content, reason) => {
    writeFileSync(join(dir, 'peers', 'barge.json'), content)
    const refusal = () => store.readPeer('barge')
    expect(refusal).toThrow(join(dir, 'peers', 'barge.json'))
    expect(refusal).toThrow(reason)
    expect(refusal).not.toThrow(/secret-looking/)
    expect(refusal).toThrow(expect.objectContaining({ code: 'MPTUN_E_SYSTEM_STATE' }))
  })

  it('names an unreadable key and pool', () => {
    writeFileSync(join(dir, 'key'), 'short\n')
    writeFileSync(join(dir, 'pool6'), '10.0.0.0/8\n')
    expect(() => store.readKey()).toThrow(/key cannot be understood: key: found 5 characters/)
    expect(() => store.readPool6()).toThrow(/pool6 cannot be understood: found "10.0.0.0\/8"/)
  })

  it('writes keys as people see them', () => {
    store.writePeer('barge', peer(2))
    const { publicKey, ipv4 } = JSON.parse(readFileSync(join(dir, 'peers', 'barge.json'), 'utf8'))
    expect(publicKey).toMatch(/^[\w-]{43}$/)
    expect(ipv4).toBe('10.77.0.2')
  })
})

describe('the registry', () => {
  const id = filled(0xab, 16)
  const hexId = 'ab'.repeat(16)
  let nowS = 1_000
  let faults: string[]
  let shortages: string[]
  const registryOf = (pool = '10.77.0.0/24') =>
    new StoreRegistry({
      store,
      pools: { ipv4: parseCidr(pool)!, ipv6: parseCidr('fd00::/64')! },
      nowS: () => nowS,
      onFault: (fault) => faults.push(fault.message),
      onShortage: (name, why) => shortages.push(`${name}: ${why}`),
    })
  const invite = (name: string, octet = 0xab) =>
    store.writeInvite(octet.toString(16).repeat(16), { name, secret: filled(7), expires: 2_000 })
  beforeEach(() => {
    nowS = 1_000
    faults = []
    shortages = []
  })

  it('has the first addresses itself', () => {
    const { server } = registryOf()
    expect([formatAddress(server.ipv4), server.ipv4Prefix]).toEqual(['10.77.0.1', 24])
    expect([formatAddress(server.ipv6), server.ipv6Prefix]).toEqual(['fd00::1', 64])
  })

  it('gives an invited client the next free addresses and keeps them', () => {
    store.writePeer('first', peer(2))
    invite('barge')
    const registry = registryOf()
    const found = registry.findInvite(id)!
    expect([found.name, formatAddress(found.ipv4), formatAddress(found.ipv6)]).toEqual([
      'barge',
      '10.77.0.3',
      'fd00::3',
    ])
    expect(registry.findInvite(id)).toEqual(found)
    expect(registry.enrol(id, filled(5))).toMatchObject({ name: 'barge', ipv4: found.ipv4 })
    expect(registryOf().findPeer(filled(5))).toMatchObject({ name: 'barge', ipv4: found.ipv4 })
  })

  it('lets an invitation be used once', () => {
    invite('barge')
    const registry = registryOf()
    expect(registry.enrol(id, filled(5))).toBeDefined()
    expect(registry.findInvite(id)).toBeUndefined()
    expect(registry.enrol(id, filled(6))).toBeUndefined()
    expect(registry.findPeer(filled(6))).toBeUndefined()
  })

  it('ends an invitation of this name and no other', () => {
    invite('barge')
    const registry = registryOf()
    registry.spend(id, 'van')
    expect(registry.findInvite(id)).toBeDefined()
    registry.spend(id, 'barge')
    expect(registry.findInvite(id)).toBeUndefined()
    expect(faults).toEqual([])
  })

  it('lets two invitations have two addresses', () => {
    invite('a', 0xaa)
    invite('b', 0xbb)
    const registry = registryOf()
    const addresses = [0xaa, 0xbb].map((octet) => registry.findInvite(filled(octet, 16))!.ipv4)
    expect(addresses.map(formatAddress)).toEqual(['10.77.0.2', '10.77.0.3'])
  })

  it('knows no expired invitation', () => {
    invite('barge')
    nowS = 2_000
    expect(registryOf().findInvite(id)).toBeUndefined()
  })

  it('gives a known name its addresses again, under its new key', () => {
    store.writePeer('barge', peer(9))
    invite('barge')
    const registry = registryOf()
    registry.enrol(id, filled(5))
    expect(registry.findPeer(filled(5))?.ipv4).toEqual(peer(9).ipv4)
    expect(registry.findPeer(filled(9))).toBeUndefined()
  })

  it('sees at once that a peer was removed', () => {
    store.writePeer('barge', peer(9))
    const registry = registryOf()
    expect(registry.findPeer(filled(9))?.name).toBe('barge')
    store.removePeer('barge')
    expect(registry.findPeer(filled(9))).toBeUndefined()
  })

  it('is full when the pool is, and says so', () => {
    store.writePeer('first', peer(2))
    invite('barge')
    expect(registryOf('10.77.0.0/30').findInvite(id)).toBeUndefined()
    expect(shortages).toEqual([
      expect.stringMatching(
        /^barge: 10\.77\.0\.0\/30 and fd00::\/64 have no address left: .*--pool$/,
      ),
    ])
  })

  it('gives nobody an address that may be of a peer whose file is damaged', () => {
    store.writePeer('van', peer(2))
    const file = join(dir, 'peers', 'van.json')
    const whole = readFileSync(file)
    writeFileSync(file, '{')
    invite('barge')
    const registry = registryOf()
    expect(registry.findInvite(id)).toBeUndefined()
    expect(shortages).toEqual([
      expect.stringMatching(/^barge: which addresses van has is not known: mend .* mptun revoke$/),
    ])
    expect(registry.welcome()).toEqual(new Set(['van', 'barge']))
    writeFileSync(file, whole)
    nowS += 1
    expect(formatAddress(registry.findInvite(id)!.ipv4)).toBe('10.77.0.3')
    expect(formatAddress(registry.findPeer(filled(2))!.ipv4)).toBe('10.77.0.2')
  })

  it('gives others an address while the file of a peer is damaged that it has read before', () => {
    store.writePeer('van', peer(2))
    const registry = registryOf()
    expect(registry.names()).toEqual(['van'])
    writeFileSync(join(dir, 'peers', 'van.json'), '{')
    for (const [octet, name, ipv4] of [
      [0xaa, 'barge', '10.77.0.3'],
      [0xbb, 'bus', '10.77.0.4'],
      [0xcc, 'van', '10.77.0.2'],
    ] as const) {
      invite(name, octet)
      registry.refresh()
      expect(formatAddress(registry.findInvite(filled(octet, 16))!.ipv4)).toBe(ipv4)
      expect(registry.enrol(filled(octet, 16), filled(octet))).toBeDefined()
    }
    expect(shortages).toEqual([])
    expect(registry.names()).toEqual(['barge', 'bus', 'van'])
  })

  it('reads damaged files once a second, however many ask', () => {
    store.writePeer('van', peer(2))
    const whole = readFileSync(join(dir, 'peers', 'van.json'))
    writeFileSync(join(dir, 'peers', 'van.json'), '{')
    const readPeer = vi.spyOn(store, 'readPeer')
    const registry = registryOf()
    for (let i = 0; i < 100; i++) registry.findPeer(filled(5))
    expect(readPeer).toHaveBeenCalledTimes(1)
    for (nowS = 1_001; nowS < 1_010; nowS += 0.1) registry.findPeer(filled(5))
    expect(readPeer.mock.calls.length).toBeLessThanOrEqual(10)
    writeFileSync(join(dir, 'peers', 'van.json'), whole)
    nowS = 900 // of a clock that was put back
    expect(registry.findPeer(filled(2))?.name).toBe('van')
  })

  it('lets a peer whose file is damaged come by a new invitation', () => {
    store.writePeer('first', peer(2))
    writeFileSync(join(dir, 'peers', 'barge.json'), '{')
    invite('barge')
    const registry = registryOf()
    expect(registry.enrol(id, filled(5))).toMatchObject({ name: 'barge', ipv4: peer(3).ipv4 })
    expect(registry.findPeer(filled(5))?.name).toBe('barge')
    expect(shortages).toEqual([])
  })

  it('moves peers into a new pool', () => {
    store.writePeer('barge', peer(9))
    const registry = registryOf('10.9.0.0/24')
    expect(registry.settle()).toEqual(['barge'])
    expect(formatAddress(registry.findPeer(filled(9))!.ipv4)).toBe('10.9.0.2')
    expect(registry.settle()).toEqual([])
  })

  it("moves peers that would have the server's address in a smaller pool, or its broadcast address", () => {
    const addressIn = (name: string) => formatAddress(registryOf().addressesOf(name)!.ipv4)
    store.writePeer('van', peer(9))
    store.writePeer('bus', peer(15))
    store.writePeer('car', peer(10))
    expect(registryOf('10.77.0.8/29').settle()).toEqual(['bus', 'van'])
    expect(['car', 'bus', 'van'].map(addressIn)).toEqual(['10.77.0.10', '10.77.0.11', '10.77.0.12'])
  })

  it('parts peers that have one address: the older keeps it', () => {
    store.writePeer('copy', { ...peer(5), ipv4: peer(2).ipv4, created: 1_700_000_001 })
    store.writePeer('van', peer(2))
    const registry = registryOf()
    expect(registry.settle()).toEqual(['copy'])
    expect(registry.findPeer(filled(2))?.ipv4).toEqual(peer(2).ipv4)
    expect(registry.findPeer(filled(5))?.ipv4).toEqual(peer(3).ipv4)
  })

  it('keeps an invitation whose use cannot be kept, and says so', () => {
    store.writePeer('barge', peer(9))
    invite('van')
    const registry = registryOf()
    const place = join(dir, 'peers', 'van.json')
    // Whatever cannot be replaced, also by root.
    mkdirSync(join(place, 'occupied'), { recursive: true })
    expect(registry.enrol(id, filled(5))).toBeUndefined()
    expect(faults.join()).toContain(`cannot write ${place}`)
    expect(registry.findPeer(filled(9))?.name).toBe('barge')
    rmSync(place, { recursive: true })
    expect(registry.enrol(id, filled(5))).toMatchObject({ name: 'van' })
  })

  it('knows its peers also while their directory is gone, and says so', () => {
    store.writePeer('barge', peer(9))
    const registry = registryOf()
    expect(registry.names()).toEqual(['barge'])
    rmSync(join(dir, 'peers'), { recursive: true })
    expect(registry.names()).toEqual(['barge'])
    expect(faults.join()).toContain('cannot look at')
  })

  it('lets the others in when one file cannot be understood, and says so', () => {
    store.writePeer('barge', peer(9))
    writeFileSync(join(dir, 'peers', 'broken.json'), '{')
    writeFileSync(join(dir, 'invites', `${hexId}.json`), '{')
    const registry = registryOf()
    expect(registry.findPeer(filled(9))?.name).toBe('barge')
    expect(registry.findInvite(id)).toBeUndefined()
    expect(faults).toEqual([
      expect.stringContaining('broken.json cannot be understood'),
      expect.stringContaining(`${hexId}.json cannot be understood`),
    ])
  })
})
