import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeQuestion, readAnswer } from '../../src/net/dns.js'
import { parseNameServers } from '../../src/net/nameservers.js'
import { answerTo, messageOf, recordOf } from './dns_fixture.js'

const CNAME = 5
const question = encodeQuestion(0x1234, 'vps.example.org', 4)
const changed = (message: Uint8Array, at: number, octet: number) =>
  Uint8Array.from(message, (before, i) => (i === at ? octet : before))

describe('a question for a name', () => {
  it('is what RFC 1035 says', () => {
    const text = '\x03vps\x07example\x03org\0'
    expect([...question]).toEqual([
      ...[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0],
      ...Buffer.from(text, 'latin1'),
      ...[0, 1, 0, 1],
    ])
    expect(encodeQuestion(0x1234, 'vps.example.org.', 6).slice(-4)).toEqual(
      Uint8Array.of(0, 28, 0, 1),
    )
  })
})

describe('its answer', () => {
  it('tells all addresses of its family, also those of the name behind the name', () => {
    const message = messageOf(question, [
      recordOf(CNAME, [1, 97, 0]),
      [1, 97, 0, ...recordOf(1, [192, 0, 2, 1]).slice(2)],
      recordOf(28, Array(16).fill(1)),
      recordOf(1, [192, 0, 2, 2]),
    ])
    expect(readAnswer(message, question, 4)).toEqual(['192.0.2.1', '192.0.2.2'])
    const six = encodeQuestion(7, 'a.example', 6)
    const address = [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 5]
    expect(readAnswer(messageOf(six, [recordOf(28, address)]), six, 6)).toEqual(['2001:db8::5'])
  })

  it('may tell none', () => {
    expect(readAnswer(answerTo(question), question, 4)).toEqual([])
  })

  const good = answerTo(question, [192, 0, 2, 1])
  it.each([
    ['of another question', changed(good, 0, 0x13)],
    ['about another name', changed(good, 13, 120)],
    ['that is none', changed(good, 2, 1)],
    ['that refuses', changed(good, 3, 0x85)],
    ['with two questions', changed(good, 5, 2)],
    ['that is cut off', good.slice(0, 20)],
  ])('%s is not taken', (_, message) => {
    expect(readAnswer(message, question, 4)).toBeUndefined()
  })

  it('is read as far as it goes', () => {
    const two = answerTo(question, [192, 0, 2, 1], [192, 0, 2, 2])
    expect(readAnswer(two.slice(0, -1), question, 4)).toEqual(['192.0.2.1'])
    expect(readAnswer(changed(two, 7, 200), question, 4)).toEqual(['192.0.2.1', '192.0.2.2'])
    const otherClass = changed(good, question.length + 5, 3)
    expect(readAnswer(otherClass, question, 4)).toEqual([])
  })

  it('may be anything', () => {
    const rest = fc.uint8Array({ maxLength: 200 })
    fc.assert(
      fc.property(rest, fc.nat(255), (octets, records) => {
        const head = changed(messageOf(question, []), 7, records)
        const message = Uint8Array.from([...head, ...octets])
        for (const text of readAnswer(message, question, 4) ?? []) {
          expect(text).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
        }
      }),
      { seed: 11, numRuns: 1000 },
    )
  })
})

describe('the name servers of this machine', () => {
  it('are those that are not on it', () => {
    const text = [
      '# nameserver 192.0.2.7',
      'nameserver 127.0.0.53',
      'nameserver\t192.0.2.53',
      'nameserver 2001:db8::53 # of the line',
      'nameserver fe80::1%eth0',
      'options edns0',
    ].join('\n')
    expect(parseNameServers(text)).toEqual(['192.0.2.53', '2001:db8::53'])
  })
})
