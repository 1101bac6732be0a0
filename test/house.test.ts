import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const NOT_OURS = new Set(['.git', 'node_modules', 'build', 'dist'])

/** Every file of the repository, relative to its root. */
function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (NOT_OURS.has(entry.name)) return []
    return entry.isDirectory() ? filesIn(path) : [path]
  })
}

const FILES = filesIn('.')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const isCode = (path: string) => /\.(ts|mjs|js|c|h|sh)$/.test(path)
const isGenerated = (path: string) => /\bgenerated from\b/i.test(read(path).slice(0, 300))

/** Code without comments, line numbers kept: a rule is about what runs, not about what is said. */
const code = (path: string) =>
  read(path)
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|\s)\/\/.*$/gm, '$1')

/** `path:line` of each line that matches. */
function places(path: string, pattern: RegExp, text = read(path)): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : []))
}

function expectNone(faults: string[], rule: string): void {
  expect(faults, rule).toEqual([])
}

describe('who imports whom in TypeScript', () => {
  const sources = FILES.filter((path) => path.startsWith('src/') && path.endsWith('.ts'))

  const FLOORS = [
    /^src\/((wire|boundary|errors|layout|octets)\.ts$|(boundary|wire)\/)/,
    /^src\/core\//,
    /^src\/(?!daemon|commands|cli|core|contract)/, // config engine net control log store ...
    /^src\/daemon/,
    /^src\/commands\//,
    /^src\/(cli|contract)\.ts$/,
  ]
  const floorOf = (path: string) => FLOORS.findIndex((floor) => floor.test(path))

  const IMPORT = /(?:^|[;\s}])(?:import|from)\s*\(?\s*'([^']+)'/g
  const importsOf = (path: string) =>
    [...code(path).matchAll(IMPORT)].map((match) => match[1] ?? '')
  const own = (path: string) =>
    importsOf(path)
      .filter((name) => name.startsWith('.'))
      .map((name) => join(dirname(path), name.replace(/\.js$/, '.ts')))

  it('keeps the order wire, core, services, daemon, commands, cli', () => {
    const faults = sources.flatMap((path) =>
      own(path)
        .filter((target) => floorOf(target) > floorOf(path))
        .map((target) => `${path} imports ${target}`),
    )
    expectNone(
      faults,
      'imports go down only: wire boundary errors <- core <- config engine net control log store <- daemon <- commands <- cli',
    )
  })

  it('has no circle', () => {
    const circles: string[] = []
    const visited = new Set<string>()
    const visit = (path: string, trail: string[]) => {
      if (trail.includes(path))
        circles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '))
      if (visited.has(path)) return
      visited.add(path)
      for (const target of own(path)) {
        if (existsSync(join(ROOT, target))) visit(target, [...trail, path])
      }
    }
    for (const path of sources) visit(path, [])
    expectNone(circles, 'two files that import each other are one file')
  })

  it('keeps core pure', () => {
    const core = sources.filter((path) => path.startsWith('src/core/'))
    const faults = core.flatMap((path) => [
      ...importsOf(path)
        .filter((name) => name.startsWith('node:'))
        .map((name) => `${path} imports ${name}`),
      ...places(path, /\b(Math\.random|process\.|console\.|globalThis\.)/, code(path)),
    ])
    expectNone(
      faults,
      'core has no node: module, no process, no console and no randomness of its own',
    )
  })

  it('lets only the daemon see a clock', () => {
    const clock =
      /\b(Date\.now|performance\.now|process\.hrtime|process\.uptime|setTimeout|setInterval|setImmediate)\b|new Date\(\)|node:timers/
    const faults = sources
      .filter((path) => !path.startsWith('src/daemon'))
      .flatMap((path) => places(path, clock, code(path)))
    expectNone(faults, 'time is an argument: only the daemon reads a clock or arms a timer')
  })

  it('lets only engine.ts load the addon', () => {
    const faults = sources
      .filter((path) => path !== 'src/engine.ts')
      .flatMap((path) => places(path, /\bcreateRequire\b|\bdlopen\b|\.node['"`]/))
    expectNone(faults, 'engine.ts is the only import of the addon')
  })

  it('keeps the independent peer independent', () => {
    const allowed = /^(node:crypto|node:dgram|libsodium-wrappers|\.\/\w+\.js)$/
    const faults = FILES.filter((path) => path.startsWith('test/peer/')).flatMap((path) =>
      importsOf(path)
        .filter((name) => !allowed.test(name))
        .map((name) => `${path} imports ${name}`),
    )
    expectNone(faults, 'test/peer is written from PROTOCOL.md: it knows nothing of src/')
  })

  it('runs no shell', () => {
    const faults = sources.flatMap((path) =>
      places(path, /\b(exec|execSync)\(|\bshell:\s*true/, code(path).replace(/\.exec\(/g, '')),
    )
    expectNone(
      faults,
      'external programs run with argument arrays (execFile, spawn), never a shell',
    )
  })
})

describe('who includes whom in C', () => {
  const sources = FILES.filter((path) => /^native\/.*\.[ch]$/.test(path))
  const room = (path: string) => basename(path, extname(path))

  const CORRIDORS = [
    ...['tunnel', 'command', 'corridor', 'out', 'in', 'handshake', 'health', 'probe', 'sizing'],
    'compression',
    ...['data', 'roaming', 'repair'],
    ...[
      'stats',
      'adaptive',
      'adaptive_corridor',
      'class',
      'far',
      'pump',
      'fly',
      'choice',
      'young',
      'again',
      'report',
      'reported',
      'doubt',
    ],
    'behind',
    'twin',
    'acks',
  ]
  const PORTS = ['udp', 'udp_open', 'tun', 'linkwatch', 'crossing']
  const ENGINE = ['engine', 'engine_state', 'engine_ports', 'engine_in', 'engine_out']
  /** The floor of each room that is not a leaf. */
  const FLOORS: Record<string, number> = {
    ...Object.fromEntries(['contract', 'ring', 'pool', 'le'].map((name) => [name, 0])),
    ...Object.fromEntries(CORRIDORS.map((name) => [name, 2])),
    ...Object.fromEntries(PORTS.map((name) => [name, 3])),
    ...Object.fromEntries(ENGINE.map((name) => [name, 4])),
    binding_arguments: 5,
    binding: 5,
  }
  const LEAF = 1
  const floorOf = (path: string) =>
    dirname(path) === 'native' ? (FLOORS[room(path)] ?? LEAF) : Number.POSITIVE_INFINITY

  const includesOf = (path: string, pattern: RegExp) =>
    [...read(path).matchAll(pattern)].map((match) => match[1] ?? '')
  const ownIncludes = (path: string) =>
    includesOf(path, /^#\s*include\s+"([^"]+)"/gm).map((name) =>
      name.startsWith('..') ? join(dirname(path), name) : join('native', name),
    )
  const systemIncludes = (path: string) => includesOf(path, /^#\s*include\s+<([^>]+)>/gm)

  it('keeps the order contract, leaves, corridors, ports, engine, binding', () => {
    const faults = sources.flatMap((path) =>
      ownIncludes(path)
        .filter((target) => dirname(target) === 'native' && floorOf(target) > floorOf(path))
        .map((target) => `${path} includes ${target}`),
    )
    expectNone(
      faults,
      `includes go down only: contract ring pool le <- leaves <- ${CORRIDORS.join(' ')} <- ${PORTS.join(' ')} <- engine <- binding`,
    )
  })

  it('keeps system calls and clocks out of leaves and corridors', () => {
    const computing =
      /^(assert|emmintrin|endian|errno|immintrin|inttypes|limits|math|stdalign|stdatomic|stdbool|stddef|stdint|stdlib|string|wmmintrin|x86intrin)\.h$/
    // Sealing looks once at what the process and the processor offer, before the first packet; loads ask
    // once for pages of a size.
    const atStart: Record<string, string[]> = {
      'native/load.c': ['sys/mman.h'],
      'native/seal.c': ['pthread.h', 'stdio.h', 'sys/auxv.h'],
      'native/seal_evp.c': ['dlfcn.h'],
      'native/seal_ipsec_mb.c': ['dlfcn.h', 'stdio.h'],
    }
    const faults = sources
      .filter((path) => floorOf(path) <= 2 && room(path) !== 'pool')
      .flatMap((path) =>
        systemIncludes(path)
          .filter((name) => !computing.test(name) && !atStart[path]?.includes(name))
          .map((name) => `${path} includes <${name}>`),
      )
    expectNone(
      faults,
      `leaves and corridors only compute: no system call, no clock, no thread; ports (${PORTS.join(', ')}) and engine do the rest`,
    )
  })

  it('lets only the bindings know Node', () => {
    const faults = sources
      .filter((path) => !room(path).startsWith('binding'))
      .filter((path) => systemIncludes(path).some((name) => /node_api|napi|^uv/.test(name)))
    expectNone(faults, 'the bindings are the only files that know Node')
  })

  it('lets the emulator share only the law of a link', () => {
    const faults = sources
      .filter((path) => path.startsWith('native/emulator/'))
      .flatMap((path) =>
        ownIncludes(path)
          .filter((target) => dirname(target) === 'native' && existsSync(join(ROOT, target)))
          .filter((target) => room(target) !== 'link')
          .map((target) => `${path} includes ${target}`),
      )
    expectNone(faults, 'the emulator knows links and nothing of the tunnel')
  })

  it('is laid out in spaces, 110 columns, no trailing blanks', () => {
    const faults = FILES.filter((path) => /\.[ch]$/.test(path) && !isGenerated(path)).flatMap(
      (path) => [
        ...places(path, /\t|[ \t]$|^.{111,}$/),
        ...(read(path).endsWith('\n') ? [] : [`${path}: no newline at the end`]),
      ],
    )
    expectNone(faults, 'C has two spaces, at most 110 columns (aim at 100) and no trailing blanks')
  })
})

describe('the tree', () => {
  it('has no file over 600 lines', () => {
    const faults = FILES.filter((path) => isCode(path) && !isGenerated(path))
      .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
      .filter(({ lines }) => lines > 600)
      .map(({ path, lines }) => `${path}: ${lines} lines`)
    expectNone(faults, 'a file has one duty: 300 lines are normal, over 600 are refused')
  })

  it('names rooms by their duty', () => {
    const empty = /^(utils?|helpers?|common|types?|misc|shared|lib)$/i
    const faults = FILES.filter((path) =>
      path.split('/').some((part) => empty.test(part.replace(/\..*$/, ''))),
    )
    expectNone(faults, 'rooms have nouns: nothing is called util, helpers, common, types or misc')
  })

  it('leaves nothing for later', () => {
    // Written so that this file does not find itself.
    const later = /\b(TO[D]O|FIX[M]E|X[X]X)\b|not (?:yet )?implement[e]d/
    const faults = FILES.filter((path) => path !== 'package-lock.json').flatMap((path) =>
      places(path, later),
    )
    expectNone(faults, 'what is here is whole; what is not done is not here')
  })

  it('knows no machine', () => {
    const machine = /(^|[\s"'`(=:])\/(home|root|work|Users)\/\w/
    expectNone(
      FILES.flatMap((path) => places(path, machine)),
      'paths are relative to the repository or belong to the system, never to a person',
    )
  })

  it('pins every package exactly and records no registry', () => {
    const manifest: Record<string, Record<string, string>> = JSON.parse(read('package.json'))
    const loose = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] })
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `${name} ${version}`)
    const hosts = read('package-lock.json').match(/"resolved": "[^"]+"/g) ?? []
    expectNone([...loose, ...hosts], 'the same packages everywhere, from whatever registry is used')
  })
})

it('finds the tree that it judges', () => {
  expect(relative(ROOT, fileURLToPath(import.meta.url))).toBe('test/house.test.ts')
  expect(FILES).toContain('src/wire.ts')
  expect(FILES).toContain('native/contract.h')
})
