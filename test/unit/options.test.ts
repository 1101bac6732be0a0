import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { givenWords, withConfig } from '../../src/commands/options.js'
import type { Role } from '../../src/config/options.js'

const givenBy = (...line: string[]) => {
  const command = withConfig(new Command(), 'server')
  command.parse(line, { from: 'user' })
  const given = Object.entries(givenWords(command, 'server'))
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}

describe('a command line', () => {
  it('gives what stands on it and nothing else', () => {
    expect(givenBy()).toEqual({})
    expect(givenBy('--nat', '--probe-interval', '50')).toEqual({
      nat: true,
      'probe-interval': '50',
    })
  })

  it('collects what may be repeated', () => {
    expect(givenBy('--listen', 'a:1', '--listen', 'b:2')).toEqual({ listen: ['a:1', 'b:2'] })
  })

  it('turns off what is on by itself', () => {
    expect(givenBy('--no-offload')).toEqual({ offload: false })
  })
})

describe('the help', () => {
  const saying = (role: Role) =>
    new Map(
      withConfig(new Command(), role).options.map(({ long, description }) => [long, description]),
    )

  it('says that a server which leaves a wish open follows each client', () => {
    const wishes = ['mode', 'xmit-hash-policy', 'primary-reselect', 'updelay', 'downdelay']
    for (const word of wishes) {
      expect(saying('server').get(`--${word}`)).toContain('(default what each client wishes)')
      expect(saying('client').get(`--${word}`)).toMatch(/\(default [\w+-]+\)$/)
    }
    expect(saying('server').get('--keepalive')).toContain('(default 20)')
  })
})
