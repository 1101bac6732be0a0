/**
 * Prints native/contract.h from wire.ts and boundary.ts.
 *   node dist/contract.js            writes it
 *   node dist/contract.js --check    fails when it is out of date
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as boundary from './boundary.js'
import { contractDigest } from './digest.js'
import { type Layout, type Packing, place } from './layout.js'
import * as wire from './wire.js'

type Named = Readonly<Record<string, { readonly value: number; readonly doc: string }>>

const snake = (name: string) =>
  name
    .replace(/[+-]/g, '_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
const upper = (name: string) => snake(name).toUpperCase()

function constants(prefix: string, named: Named): string {
  const lines = Object.entries(named).map(
    ([name, { value, doc }]) => `  MP_${prefix}_${upper(name)} = ${value}, /* ${doc} */`,
  )
  return `enum {\n${lines.join('\n')}\n};\n`
}

const C_TYPE = {
  u8: 'uint8_t',
  u16: 'uint16_t',
  u32: 'uint32_t',
  i32: 'int32_t',
  u64: 'uint64_t',
} as const

/** A struct whose offsets the compiler confirms. */
function struct(name: string, layout: Layout): string {
  const placed = place(layout, 'aligned')
  const tag = `mp_${name}`
  const members = placed.fields.map((field) => {
    const unit = field.unit ? `, ${field.unit}` : ''
    if (field.type === 'u24')
      throw new TypeError(`contract: ${field.name}: u24 is for the wire only`)
    return field.type === 'bytes'
      ? `  uint8_t ${snake(field.name)}[${field.size}]; /* ${field.doc}${unit} */`
      : `  ${C_TYPE[field.type]} ${snake(field.name)}; /* ${field.doc}${unit} */`
  })
  const last = placed.fields.at(-1)
  const pad = last ? placed.size - last.offset - last.size : 0
  if (pad > 0) members.push(`  uint8_t pad_[${pad}];`)
  const asserts = placed.fields.map(
    (field) =>
      `_Static_assert(offsetof(struct ${tag}, ${snake(field.name)}) == ${field.offset}, "${tag}");`,
  )
  asserts.push(`_Static_assert(sizeof(struct ${tag}) == ${placed.size}, "${tag}");`)
  return `struct ${tag} {\n${members.join('\n')}\n};\n${asserts.join('\n')}\n`
}

/** Offsets of a packed network layout: C reads it with le.h, never by casting. */
function offsets(prefix: string, layout: Layout): string {
  const placed = place(layout, 'packed' satisfies Packing)
  const lines = placed.fields.map(
    (field) =>
      `  MP_${prefix}_${upper(field.name)} = ${field.offset}, /* ${field.type}: ${field.doc} */`,
  )
  return `enum {\n${lines.join('\n')}\n  MP_${prefix}_BYTES = ${placed.size},\n};\n`
}

/** The text of native/contract.h. */
export function contractHeader(): string {
  const commands = Object.entries(boundary.COMMAND)
  const events = Object.entries(boundary.EVENT)
  const counters = Object.values(boundary.COUNTER).map(({ value }) => value)
  const sections = [
    '/* Generated from src/wire.ts and src/boundary.ts by src/contract.ts. Do not edit. */',
    '#ifndef MP_CONTRACT_H\n#define MP_CONTRACT_H\n\n#include <stddef.h>\n#include <stdint.h>\n',
    `#define MP_CONTRACT_DIGEST "${contractDigest()}"\n`,
    '/* The wire. */\n',
    `enum { MP_WIRE_VERSION = ${wire.WIRE.version} };\n`,
    constants('MSG', wire.MESSAGE),
    offsets('HEADER', wire.HEADER),
    `enum {\n${Object.entries(wire.SEAL)
      .map(([name, value]) => `  MP_SEAL_${upper(name)} = ${value},`)
      .join('\n')}\n};\n`,
    offsets('COMPRESSED', wire.COMPRESSED),
    constants('SAME', wire.SAME),
    offsets('KEPT', wire.KEPT),
    constants('FLOW', wire.FLOW_FLAG),
    offsets('PROBE', wire.PROBE),
    offsets('FEEDBACK', wire.FEEDBACK),
    offsets('FEEDBACK_PATH', wire.FEEDBACK_PATH),
    offsets('FEEDBACK_GAP', wire.FEEDBACK_GAP),
    constants('HASH', wire.XMIT_HASH),
    constants('AEAD', wire.AEAD),
    constants('FEATURE', wire.FEATURE),
    `enum {\n  MP_INITIATION_BYTES = ${place(wire.INITIATION, 'packed').size},\n  MP_RESPONSE_BYTES = ${
      place(wire.RESPONSE, 'packed').size
    },\n  MP_COOKIE_BYTES = ${place(wire.COOKIE, 'packed').size},\n};\n`,
    offsets('CONTROL', wire.CONTROL),
    constants('LIMIT', wire.LIMIT),
    '/* The boundary. */\n',
    constants('CROSSING', boundary.CROSSING),
    constants('CMD', Object.fromEntries(commands)),
    ...commands.map(([name, { layout }]) => struct(`cmd_${snake(name)}`, layout)),
    offsets('PLAN', boundary.PLAN),
    constants('PLAN_KIND', boundary.PLAN_KIND),
    offsets('PLAN_PATH', boundary.PLAN_PATH),
    constants('PLAN_PATH_FLAG', boundary.PLAN_PATH_FLAG),
    constants('EVENT', Object.fromEntries(events)),
    ...events.map(([name, { layout }]) => struct(`event_${snake(name)}`, layout)),
    constants('PATH_LOST', boundary.PATH_LOST),
    constants('COUNTER', boundary.COUNTER),
    `enum { MP_COUNTERS = ${Math.max(...counters) + 1} };\n`,
    `_Static_assert(${commands
      .map(([name]) => `sizeof(struct mp_cmd_${snake(name)}) <= MP_CROSSING_COMMAND_SLOT_BYTES`)
      .join(' &&\n                   ')},\n               "a command fits its slot");`,
    `_Static_assert(${events
      .map(([name]) => `sizeof(struct mp_event_${snake(name)}) <= MP_CROSSING_EVENT_SLOT_BYTES`)
      .join(' &&\n                   ')},\n               "an event fits its slot");\n`,
    '#endif',
  ]
  return `${sections.join('\n')}\n`
}

function main(): void {
  const file = fileURLToPath(new URL('../native/contract.h', import.meta.url))
  const wanted = contractHeader()
  if (!process.argv.includes('--check')) {
    writeFileSync(file, wanted)
    return
  }
  if (readFileSync(file, 'utf8') !== wanted) {
    console.error(
      'native/contract.h is not what src/wire.ts and src/boundary.ts say: run `npm run contract` and commit it',
    )
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
