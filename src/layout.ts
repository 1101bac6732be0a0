/**
 * Byte layouts as plain data, and the one codec that reads and writes them.
 * wire.ts uses packed layouts (what strangers see), boundary.ts uses naturally aligned ones (what the C compiler sees);
 * contract.ts prints both as C, with static asserts on every offset computed here.
 */

/** Integer kinds are little-endian; `u64` is read as a JavaScript number and must stay below 2^53. */
export type Scalar = 'u8' | 'u16' | 'u24' | 'u32' | 'i32' | 'u64'

export interface Field {
  readonly name: string
  readonly doc: string
  readonly type: Scalar | 'bytes'
  /** Number of octets; only and always with `bytes`. */
  readonly length?: number
  readonly unit?: string
}

export type Layout = readonly Field[]

/** The JavaScript shape of a record with layout `L`. */
export type RecordOf<L extends Layout> = {
  [F in L[number] as F['name']]: F['type'] extends 'bytes' ? Uint8Array : number
}

const SIZE: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u24: 3, u32: 4, i32: 4, u64: 8 }

export interface PlacedField extends Field {
  readonly offset: number
  readonly size: number
}

export interface PlacedLayout {
  readonly fields: readonly PlacedField[]
  readonly size: number
}

export type Packing = 'packed' | 'aligned'

/** Computes offsets; `aligned` follows the System V ABI for the scalar kinds (a struct's size is a multiple of 8). */
export function place(layout: Layout, packing: Packing): PlacedLayout {
  let offset = 0
  const fields: PlacedField[] = []
  for (const field of layout) {
    const size = fieldSize(field)
    const alignment = packing === 'packed' || field.type === 'bytes' ? 1 : size
    offset = Math.ceil(offset / alignment) * alignment
    fields.push({ ...field, offset, size })
    offset += size
  }
  return { fields, size: packing === 'packed' ? offset : Math.ceil(offset / 8) * 8 }
}

function fieldSize(field: Field): number {
  if (field.type !== 'bytes') return SIZE[field.type]
  if (field.length === undefined) throw new TypeError(`layout: ${field.name} has no length`)
  return field.length
}

/** Reads and writes records of one layout. Lengths are exact: a buffer that is too short is a RangeError. */
export class Codec<const L extends Layout> {
  readonly size: number
  readonly fields: readonly PlacedField[]

  constructor(layout: L, packing: Packing) {
    const placed = place(layout, packing)
    this.size = placed.size
    this.fields = placed.fields
  }

  /** Encodes into a new buffer; fields left out are zero. RangeError when a value does not fit its field. */
  encode(record: Partial<RecordOf<L>>): Uint8Array {
    const out = new Uint8Array(this.size)
    this.encodeInto(out, record)
    return out
  }

  /** Encodes at the start of `out`, which must be zeroed where fields are left out. */
  encodeInto(out: Uint8Array, record: Partial<RecordOf<L>>): void {
    const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
    const values = record as Readonly<Record<string, number | Uint8Array | undefined>>
    for (const field of this.fields) {
      const value = values[field.name]
      if (value === undefined) continue
      if (typeof value === 'number') writeScalar(view, field, value)
      else writeBytes(out, field, value)
    }
  }

  /** Decodes the first `size` octets of `bytes`; `bytes` fields are copies. */
  decode(bytes: Uint8Array): RecordOf<L> {
    if (bytes.byteLength < this.size) {
      throw new RangeError(`layout: ${bytes.byteLength} octets where ${this.size} are needed`)
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const record: Record<string, number | Uint8Array> = {}
    for (const field of this.fields) {
      record[field.name] =
        field.type === 'bytes'
          ? bytes.slice(field.offset, field.offset + field.size)
          : readScalar(view, field.type, field.offset)
    }
    return record as RecordOf<L>
  }
}

function writeBytes(out: Uint8Array, field: PlacedField, value: Uint8Array): void {
  if (value.byteLength > field.size) {
    throw new RangeError(
      `layout: ${field.name} takes ${field.size} octets, got ${value.byteLength}`,
    )
  }
  out.set(value, field.offset)
}

function writeScalar(view: DataView, field: PlacedField, value: number): void {
  const bits = field.size * 8
  const low = field.type === 'i32' ? -(2 ** 31) : 0
  const high = field.type === 'i32' ? 2 ** 31 : Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)
  if (!Number.isInteger(value) || value < low || value >= high) {
    throw new RangeError(`layout: ${field.name} is ${field.type}, got ${value}`)
  }
  switch (field.type) {
    case 'u8':
      view.setUint8(field.offset, value)
      break
    case 'u16':
      view.setUint16(field.offset, value, true)
      break
    case 'u24':
      view.setUint16(field.offset, value & 0xffff, true)
      view.setUint8(field.offset + 2, value >>> 16)
      break
    case 'u32':
      view.setUint32(field.offset, value, true)
      break
    case 'i32':
      view.setInt32(field.offset, value, true)
      break
    default:
      view.setBigUint64(field.offset, BigInt(value), true)
      break
  }
}

function readScalar(view: DataView, type: Scalar, offset: number): number {
  switch (type) {
    case 'u8':
      return view.getUint8(offset)
    case 'u16':
      return view.getUint16(offset, true)
    case 'u24':
      return view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16)
    case 'u32':
      return view.getUint32(offset, true)
    case 'i32':
      return view.getInt32(offset, true)
    case 'u64':
      return Number(view.getBigUint64(offset, true))
  }
}
