/**
 * What a client calls its paths, told to the server for people alone (PROTOCOL.md, "Control"): nothing is decided by it,
 * and whatever a peer sends, what is shown can neither forge a line, control a terminal, nor pass for another path.
 */
import { place } from '../layout.js'
import { CONTROL, LIMIT } from '../wire.js'

export interface NamedPath {
  readonly path: number
  readonly name: string
}

const SEPARATOR = ' '
const MOST_BYTES = LIMIT.controlBytes.value - place(CONTROL, 'packed').size

/** Of sixteen paths with the longest names the last one is cut. */
export function encodeNames(paths: readonly NamedPath[]): Uint8Array {
  const names: string[] = []
  for (const { path, name } of paths) names[path] = readable(name)
  const text = names.join(SEPARATOR).slice(0, MOST_BYTES)
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** The label of each path that there can be: its name where it has one, its number where that is needed to know it. */
export function decodeNames(bytes: Uint8Array): readonly string[] {
  const told = String.fromCharCode(...bytes).split(SEPARATOR, LIMIT.paths.value)
  const names = Array.from({ length: LIMIT.paths.value }, (_, path) => readable(told[path] ?? ''))
  return names.map((name, path) => {
    if (name === '') return `path ${path}`
    const isShared = names.indexOf(name) !== names.lastIndexOf(name)
    return isShared ? `${name} (path ${path})` : name
  })
}

/** Before the client has spoken, and of one that tells no names. */
export const NO_NAMES = decodeNames(new Uint8Array())

function readable(name: string): string {
  return name.replace(/[^\w.-]/g, '?').slice(0, LIMIT.nameBytes.value)
}
