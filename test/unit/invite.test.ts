import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatInvite, type Invite, inviteId, parseInvite } from '../../src/core/invite.js'
import { blake2b, formatKey, parseKey } from '../../src/core/keys.js'
import { MptunError } from '../../src/errors.js'
import { seeded } from './handshake_fixture.js'

const KEY = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA'
const SECRET = 'ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8'
const LINE = `mptun://vps.example.org:5000/laptop?key=${KEY}&secret=${SECRET}&expires=1767225600`

const faultOf = (line: string): MptunError => {
  try {
    parseInvite(line)
  } catch (error) {
    if (error instanceof MptunError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('an invitation', () => {
  it('is read into its parts', () => {
    const invite = parseInvite(`  ${LINE}\n`)
    expect(invite).toMatchObject({
      endpoints: [{ host: 'vps.example.org', port: 5000 }],
      name: 'laptop',
      expires: 1_767_225_600,
    })
    expect(invite.serverPublicKey).toEqual(Uint8Array.from({ length: 32 }, (_, i) => i + 1))
    expect(invite.secret).toEqual(Uint8Array.from({ length: 32 }, (_, i) => i + 32))
    expect(formatInvite(invite)).toBe(LINE)
  })

  it('may name several endpoints, of any kind', () => {
    const line = LINE.replace(
      'vps.example.org:5000',
      'a.b.:1,192.0.2.1:65535,[2001:db8::1]:5000,[::ffff:192.0.2.1]:7,localhost:9',
    )
    const { endpoints } = parseInvite(line)
    expect(endpoints).toEqual([
      { host: 'a.b.', port: 1 },
      { host: '192.0.2.1', port: 65_535 },
      { host: '2001:db8::1', port: 5000 },
      { host: '::ffff:192.0.2.1', port: 7 },
      { host: 'localhost', port: 9 },
    ])
    expect(formatInvite(parseInvite(line))).toBe(line)
  })

  it('may have its parameters in any order', () => {
    const line = `mptun://h:1/n?expires=9&secret=${SECRET}&key=${KEY}`
    expect(formatInvite(parseInvite(line))).toBe(
      `mptun://h:1/n?key=${KEY}&secret=${SECRET}&expires=9`,
    )
  })

  it('is known to the server by the hash of its secret', () => {
    const secret = seeded('secret')(32)
    expect(inviteId(secret)).toEqual(blake2b(64, secret).slice(0, 16))
  })
})

describe('a faulty invitation', () => {
  it.each([
    ['no invitation', 'hello', /does not begin with mptun:\/\//],
    ['another scheme', LINE.replace('mptun', 'https'), /does not begin with/],
    ['an end cut off before the query', LINE.slice(0, 32), /no "\?".*copy the whole line/],
    [
      'an end cut off in the secret',
      LINE.slice(0, 120),
      /invitation.expires: missing; copy the whole line/,
    ],
    ['a secret cut off', LINE.replace(SECRET, SECRET.slice(0, 20)), /secret: found 20 characters/],
    ['an end cut off before the expiry', LINE.replace(/&exp.*/, ''), /expires: missing/],
    ['no name', LINE.replace('/laptop', ''), /found 0 "\/"/],
    ['two names', LINE.replace('/laptop', '/a/b'), /found 2 "\/"/],
    ['a bad name', LINE.replace('laptop', '.x'), /name: found "\.x"/],
    ['a name that is too long', LINE.replace('laptop', 'n'.repeat(33)), /name: found "\*\*\*"/],
    ['no port', LINE.replace(':5000', ''), /endpoint: found "vps.example.org"/],
    ['port 0', LINE.replace('5000', '0'), /endpoint/],
    ['port 65536', LINE.replace('5000', '65536'), /endpoint/],
    ['a port that begins with 0', LINE.replace('5000', '05'), /endpoint/],
    [
      'an IPv6 address without brackets',
      LINE.replace('vps.example.org', '::1'),
      /found "::1:5000"/,
    ],
    ['an IPv4 address in brackets', LINE.replace('vps.example.org', '[192.0.2.1]'), /endpoint/],
    ['an IPv6 address with a zone', LINE.replace('vps.example.org', '[fe80::1%eth0]'), /endpoint/],
    ['an IPv4 address of three parts', LINE.replace('vps.example.org', '10.0.1'), /endpoint/],
    ['an address beyond 255', LINE.replace('vps.example.org', '10.0.0.256'), /endpoint/],
    ['a user', LINE.replace('vps', 'me@vps'), /endpoint: found "me@vps/],
    ['an empty endpoint', LINE.replace(':5000', ':5000,'), /endpoint: found ""/],
    ['nine endpoints', LINE.replace(':5000', ':5000,h:1'.repeat(9).slice(4)), /endpoint/],
    ['an unknown parameter', LINE.replace('expires', 'expiry'), /found "expiry="/],
    ['no parameter', LINE.replace('key=', ''), /found something else/],
    ['a parameter twice', `${LINE}&expires=1`, /expires: found twice/],
    ['a key that is too long', LINE.replace(KEY, `${KEY}A`), /key: found 44 characters, expected/],
    ['a key of the other base64', LINE.replace(KEY, `${KEY.slice(1)}/`), /outside A-Z/],
    ['a second spelling of the key', LINE.replace(KEY, `${KEY.slice(0, 42)}B`), /key: found 43/],
    ['an expiry in words', LINE.replace('1767225600', '24h'), /expires: found "24h"/],
    ['an expiry before all times', LINE.replace('1767225600', '0'), /expires/],
  ])('with %s is refused with the part and the remedy', (_, line, message) => {
    const fault = faultOf(line)
    expect(fault.message).toMatch(message)
    expect(fault.message).toMatch(/^invitation/)
    expect(fault.family).toBe('config')
    expect(fault.key).toMatch(/^invitation/)
  })

  it('is not written either', () => {
    const invite = parseInvite(LINE)
    expect(() => formatInvite({ ...invite, name: 'a/b' })).toThrow(MptunError)
    expect(() => formatInvite({ ...invite, endpoints: [] })).toThrow(/endpoint: found ""/)
    expect(() => formatInvite({ ...invite, expires: 1.5 })).toThrow(/expires: found "1.5"/)
    expect(() => formatInvite({ ...invite, secret: new Uint8Array(31) })).toThrow(/31 octets/)
  })
})

const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/)
const host = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
  fc.ipV4(),
  fc.ipV6(),
)
const octets = fc.uint8Array({ minLength: 32, maxLength: 32 })
const invites: fc.Arbitrary<Invite> = fc.record({
  endpoints: fc.array(fc.record({ host, port: fc.integer({ min: 1, max: 65_535 }) }), {
    minLength: 1,
    maxLength: 8,
  }),
  name: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,31}$/),
  serverPublicKey: octets,
  secret: octets,
  expires: fc.integer({ min: 1, max: 99_999_999_999 }),
})
const SEED = { seed: 20_090, numRuns: 500 }

describe('properties', () => {
  it('what is written is read again', () => {
    fc.assert(
      fc.property(invites, (invite) => {
        expect(parseInvite(formatInvite(invite))).toEqual(invite)
      }),
      SEED,
    )
  })

  it('a key is read again, and has one spelling', () => {
    fc.assert(
      fc.property(octets, (key) => {
        expect(parseKey(formatKey(key), 'key')).toEqual(key)
      }),
      SEED,
    )
    fc.assert(
      fc.property(fc.stringMatching(/^[\w-]{43}$/), (text) => {
        try {
          expect(formatKey(parseKey(text, 'key'))).toBe(text)
        } catch (error) {
          expect(error).toBeInstanceOf(MptunError)
        }
      }),
      SEED,
    )
  })

  it('no error tells the secret, wherever the line is cut, joined or mistyped', () => {
    const edits = fc.array(
      fc.record({
        at: fc.nat({ max: 200 }),
        remove: fc.nat({ max: 3 }),
        insert: fc.constantFrom('', '/', '?', '&', '=', ':', '[', ']', ',', ' ', '%3F', '@', 'x'),
      }),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(invites, edits, (invite, changes) => {
        const secret = formatKey(invite.secret)
        const line = changes.reduce(
          (text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove),
          formatInvite(invite),
        )
        try {
          parseInvite(line)
        } catch (error) {
          if (!(error instanceof MptunError)) throw error
          for (let at = 0; at + 20 <= secret.length; at += 1) {
            expect(error.message).not.toContain(secret.slice(at, at + 20))
          }
        }
      }),
      { ...SEED, numRuns: 2000 },
    )
  })

  it('any text is an invitation or a named fault', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((text) => `mptun://${text}`),
      fc.string().map((text) => LINE + text),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseInvite(text)
        } catch (error) {
          expect(error).toBeInstanceOf(MptunError)
        }
      }),
      { ...SEED, numRuns: 2000 },
    )
  })
})
