/** Names of the numbers in the tables of wire.ts and boundary.ts. */

type Table = Readonly<Record<string, { readonly value: number }>>

/** Undefined for a number that this program does not know. */
export function nameOf<T extends Table>(table: T, value: number): keyof T | undefined {
  return Object.keys(table).find((name) => table[name]?.value === value)
}
