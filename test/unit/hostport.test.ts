/** Where a server is, in a configuration and in an invitation: one grammar. */
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { hostPort, listen, peerName } from '../../src/config/values.js'
import { formatHostPort, parseHostPort } from '../../src/core/hostport.js'
import { parseInvite } from '../../src/core/invite.js'
import { formatKey } from '../../src/core/keys.js'

beforeAll(() => sodium.ready)

/** What an invitation is found to say; undefined when it is refused. */
function invited(endpoint: string, name = 'van') {
  const key = formatKey(new Uint8Array(32).fill(7))
  try {
    return parseInvite(`mptun://${endpoint}/${name}?key=${key}&secret=${key}&expires=1767225600`)
  } catch {
    return undefined
  }
}
const accepted = <T>(read: () => T) => {
  try {
    return read()
  } catch {
    return undefined
  }
}

describe('where a server is', () => {
  it.each([
    ['vps.example.org:5000', 'vps.example.org', 5000],
    ['my_vps_.lan.:1', 'my_vps_.lan.', 1],
    ['192.0.2.1:65535', '192.0.2.1', 65_535],
    ['[2001:db8::1]:5000', '2001:db8::1', 5000],
  ])('is taken as %s', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port })
    expect(hostPort(text)).toEqual({ host, port })
    expect(invited(text)?.endpoints).toEqual([{ host, port }])
    expect(formatHostPort({ host, port })).toBe(text)
  })

  it.each([
    ['vps:05000'],
    ['vps:0'],
    ['vps:65536'],
    ['vps:100000'],
    ['vps'],
    [':5000'],
    ['-vps:5000'],
    ['vps-:5000'],
    ['10.0.1:5000'],
    ['192.0.2.01:5000'],
    ['[192.0.2.1]:5000'],
    ['2001:db8::1:5000'],
    ['[fe80::1%eth0]:5000'],
    ['[vps]:5000'],
    [`${'a'.repeat(64)}:5000`],
  ])('is not taken as %s', (text) => {
    expect(parseHostPort(text)).toBeUndefined()
    expect(accepted(() => hostPort(text))).toBeUndefined()
    expect(invited(text)).toBeUndefined()
    expect(accepted(() => listen(text))).toBeUndefined()
  })
})

it.each([
  ['van', true],
  ['_van-2.x', true],
  ['a'.repeat(32), true],
  ['a'.repeat(33), false],
  ['.van', false],
  ['-van', false],
  ['vän', false],
])('the name %s is one of a peer: %s', (name, isOne) => {
  expect(accepted(() => peerName(name)) === name).toBe(isOne)
  expect(invited('vps:5000', name)?.name === name).toBe(isOne)
})
