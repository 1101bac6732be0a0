import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { givenWords, withConfig } from '../../src/commands/options.js'

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
