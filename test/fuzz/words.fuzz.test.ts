/**
 * What people and programs give in text: never anything but a value or a coded refusal.
 * Deterministic: a fixed seed, and a corpus of inputs that once mattered.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromCommandLine, fromFile } from '../../src/config/file.js'
import { optionsOf, type Role } from '../../src/config/options.js'
import { readSetting, SETTINGS } from '../../src/config/setting.js'
import { resolveConfig, type TunnelConfig } from '../../src/config/tunnel.js'
import { controlPath, parseRequest } from '../../src/control.js'
import { MptunError } from '../../src/errors.js'
import { parseDevices } from '../../src/net/devices.js'
import { Store } from '../../src/store.js'

const FUZZ = { seed: 20_260, numRuns: 400 }
const ROLES: readonly Role[] = ['server', 'client']

function corpus(name: string): string[] {
  const folder = fileURLToPath(new URL(`corpus/${name}`, import.meta.url))
  return readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))
}

async function read(role: Role, text: string): Promise<TunnelConfig | MptunError> {
  try {
    const given = await fromFile(role, 'x.toml', text)
    return role === 'server' ? await resolveConfig(role, given) : await resolveConfig(role, given)
  } catch (error) {
    expect(error).toBeInstanceOf(MptunError)
    expect((error as MptunError).family).toBe('config')
    expect((error as MptunError).message).not.toBe('')
    return error as MptunError
  }
}

/** Text as a user might mistype it: a good line with a part cut out, doubled or replaced. */
function mistyped(good: readonly string[]): fc.Arbitrary<string> {
  return fc
    .record({
      text: fc.constantFrom(...good),
      at: fc.nat(1000),
      length: fc.nat(6),
      by: fc.oneof(
        fc.string({ maxLength: 4 }),
        fc.constantFrom('"', '[', '\n', ',', '=', '.', '{'),
      ),
    })
    .map(({ text, at, length, by }) => {
      const start = at % (text.length + 1)
      return text.slice(0, start) + by + text.slice(start + length)
    })
}

const WORDS = [...new Set(ROLES.flatMap((role) => optionsOf(role).map(({ word }) => word)))]
const tomlValue = fc.oneof(
  fc.string().map((text) => JSON.stringify(text)),
  fc.integer().map(String),
  fc.double({ noNaN: true }).map((value) => String(value)),
  fc.constantFrom(
    'true',
    'false',
    '[]',
    '{}',
    '[1, 2]',
    '["a"]',
    '[[1]]',
    '2020-01-01',
    'inf',
    'nan',
  ),
)
const tomlLine = fc
  .tuple(fc.constantFrom(...WORDS, 'slaves', 'bond_mode', 'lacp_rate', 'nonsense'), tomlValue)
  .map(([word, value]) => `${word} = ${value}`)

describe('the configuration file', () => {
  it('of the corpus is understood or refused', async () => {
    for (const text of corpus('toml')) for (const role of ROLES) await read(role, text)
  })

  it.each([
    ['any text', fc.string({ maxLength: 200 })],
    ['any words and values', fc.array(tomlLine, { maxLength: 6 }).map((lines) => lines.join('\n'))],
    ['mistyped text', mistyped(corpus('toml'))],
  ])('of %s is understood or refused', async (_what, arbitrary) => {
    await fc.assert(
      fc.asyncProperty(arbitrary, fc.constantFrom(...ROLES), async (text, role) => {
        const config = await read(role, text)
        if (config instanceof MptunError) return
        expect(config.role).toBe(role)
        expect(config.mtuBytes ?? 1280).toBeGreaterThanOrEqual(1280)
      }),
      FUZZ,
    )
  })
})

describe('the command line', () => {
  it('of any words is understood or refused', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...WORDS), fc.oneof(fc.string(), fc.array(fc.string()))),
        async (options) => {
          const error = await resolveConfig('client', fromCommandLine(options)).catch((e) => e)
          if (error instanceof Error) expect((error as MptunError).family).toBe('config')
        },
      ),
      FUZZ,
    )
  })
})

describe('a setting', () => {
  const attempt = (words: readonly string[]) => {
    try {
      expect(readSetting(words).kind).toMatch(/^(policy|uplink|add-uplink|remove-uplink)$/)
    } catch (error) {
      expect(error).toBeInstanceOf(MptunError)
      expect((error as MptunError).family).toBe('config')
    }
  }

  it('of the corpus is understood or refused', () => {
    for (const text of corpus('setting')) attempt(text.trimEnd().split(' '))
  })

  it('of any words is understood or refused', () => {
    const word = fc.oneof(
      fc.constantFrom(...Object.keys(SETTINGS), 'eth0', 'weight=3', 'standby', '__proto__', ''),
      fc.string({ maxLength: 20 }),
    )
    fc.assert(fc.property(fc.array(word, { maxLength: 6 }), attempt), FUZZ)
  })
})

describe('a control request', () => {
  const attempt = (line: string) => {
    const request = parseRequest(line)
    if (typeof request === 'string') return
    expect(['status', 'refresh', 'reload', 'down', 'set']).toContain(request.verb)
  }

  it('of the corpus is understood or refused', () => {
    for (const line of corpus('control')) attempt(line)
  })

  it('of any text or JSON is understood or refused', () => {
    fc.assert(fc.property(fc.string(), attempt), FUZZ)
    fc.assert(fc.property(fc.json(), attempt), FUZZ)
    fc.assert(fc.property(mistyped(corpus('control')), attempt), FUZZ)
  })

  it('comes to no socket outside of its directory', () => {
    const tun = fc.stringMatching(/^[^\s/:,=%"'\\]{1,15}$/)
    fc.assert(
      fc.property(tun, (name) => {
        expect(controlPath('/run/mptun', name)).toBe(`/run/mptun/${name}.sock`)
      }),
      FUZZ,
    )
  })
})

describe('what other programs wrote', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mptun-fuzz-'))
  const store = new Store(dir)
  beforeAll(async () => {
    await sodium.ready
    store.prepare()
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  const attempt = (read: () => unknown) => {
    try {
      read()
    } catch (error) {
      expect(error).toBeInstanceOf(MptunError)
      expect((error as MptunError).family).toBe('system')
    }
  }

  it('into the state directory is understood or refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        for (const name of ['key', 'pool6', 'server.json', 'peers/a.json', 'invites/a.json']) {
          writeFileSync(join(dir, name), text)
        }
        attempt(() => store.readKey())
        attempt(() => store.readPool6())
        attempt(() => store.readServer())
        attempt(() => store.readPeer('a'))
        attempt(() => store.readInvite('a'))
      }),
      { ...FUZZ, numRuns: 200 },
    )
  })

  it('of the devices of this machine is understood or refused', () => {
    const info = fc.record({ local: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()) })
    const device = fc.record({
      ifname: fc.string(),
      ifindex: fc.integer(),
      flags: fc.array(fc.constantFrom('UP', 'LOWER_UP')),
      addr_info: fc.array(info),
    })
    const text = fc.oneof(
      fc.json(),
      fc.array(device).map((list) => JSON.stringify(list)),
    )
    fc.assert(
      fc.property(text, (listing) => attempt(() => parseDevices(listing))),
      FUZZ,
    )
  })
})
