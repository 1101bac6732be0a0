import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Aeads } from '../../src/engine.js'

const ADDON = fileURLToPath(new URL('../../build/mptun.node', import.meta.url))

/** The library that mptun may find, with one thing about it changed. */
const source = (version: string, functions: string) => `
  #include <stdlib.h>
  #include <stdint.h>
  #include <string.h>
  unsigned imb_get_version(void) { return ${version}; }
  void *alloc_mb_mgr(uint64_t flags) { (void)flags; return calloc(1, 4096); }
  void free_mb_mgr(void *manager) { free(manager); }
  ${functions}
`

/** Takes any of the calls of native/seal_ipsec_mb.c and leaves all as it is. */
const DOES_NOTHING = `
  static void nothing(void) {}
  void init_mb_mgr_auto(void *manager, int *architecture) {
    void (*work)(void) = nothing;
    for (int i = 0; i < 128; i++) memcpy((char *)manager + 64 + 8 * i, &work, sizeof work);
    *architecture = 5;
  }
`

/** Would end the process if it were ever called. */
const MUST_NOT_RUN =
  'void init_mb_mgr_auto(void *manager, int *a) { (void)manager; (void)a; abort(); }'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mptun-sealing-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What a fresh process says when this is the libipsec-mb that it finds. */
function aeadsWith(library: string): Aeads {
  writeFileSync(join(folder, 'library.c'), library)
  execFileSync('gcc', [
    ...['-shared', '-fPIC', '-o', join(folder, 'libIPSec_MB.so.1')],
    join(folder, 'library.c'),
  ])
  const program = `process.dlopen(module, ${JSON.stringify(ADDON)});
    console.log(JSON.stringify(module.exports.aeads()))`
  const env = { ...process.env, LD_LIBRARY_PATH: folder }
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }))
}

describe('a libipsec-mb that cannot be used leaves all to OpenSSL and says why', () => {
  const cases: [string, string, RegExp][] = [
    [
      'an older layout',
      source('0x10200', MUST_NOT_RUN),
      /\(libipsec-mb 1\.2\.0 is not used: .*1\.3/,
    ],
    [
      'a newer layout',
      source('0x10503', MUST_NOT_RUN),
      /\(libipsec-mb 1\.5\.3 is not used: .*1\.3/,
    ],
    [
      'something of its name',
      'int imb;',
      /\(libIPSec_MB\.so\.1 is not used: it is not libipsec-mb\)/,
    ],
    [
      'one that seals nothing',
      source('0x10300', DOES_NOTHING),
      /\(libipsec-mb is not used: .* fails /,
    ],
  ]

  it.each(cases)('%s', (_, library, reason) => {
    const { available, providers, why } = aeadsWith(library)
    expect(available).toBe(3)
    expect(why).toBe('')
    for (const provider of Object.values(providers)) {
      expect(provider).toMatch(/^OpenSSL 3/)
      expect(provider).toMatch(reason)
    }
  })
})
