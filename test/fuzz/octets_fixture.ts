import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'

/** Inputs that are kept, by file name: replayed in every run, and where mutations begin. */
export function readCorpus(name: string): ReadonlyMap<string, Uint8Array> {
  const folder = new URL(`./corpus/${name}/`, import.meta.url)
  const files = readdirSync(folder).sort()
  return new Map(files.map((file) => [file, new Uint8Array(readFileSync(new URL(file, folder)))]))
}

const octets = fc.uint8Array({ minLength: 1, maxLength: 16 })
/** What a change does to the octets in front of `at` and from it on. */
const change = fc.oneof(
  fc.constant((front: Uint8Array) => front),
  octets.map((added) => (front: Uint8Array, back: Uint8Array) => join(front, added, back)),
  octets.map(
    (over) => (front: Uint8Array, back: Uint8Array) =>
      join(front, over.subarray(0, back.length), back.subarray(over.length)),
  ),
  fc
    .nat({ max: 8 })
    .map((count) => (front: Uint8Array, back: Uint8Array) => join(front, back.subarray(count))),
)

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** Any octets at all, and those of the corpus cut, grown, overwritten and shortened. */
export function hostileOctets(corpus: ReadonlyMap<string, Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(fc.tuple(fc.nat({ max: 300 }), change), { maxLength: 3, size: 'max' })
  const mutated = fc.tuple(fc.constantFrom(...corpus.values()), edits).map(([input, list]) =>
    list.reduce((bytes, [at, edit]) => {
      const place = at % (bytes.length + 1)
      return edit(bytes.subarray(0, place), bytes.subarray(place))
    }, input),
  )
  return fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300, size: 'max' }) },
    { weight: 4, arbitrary: mutated },
  )
}
