/** Answers of a name server, put together octet by octet (RFC 1035, section 4.1). */

/** What points to the name in the question. */
const SAME_NAME = [0xc0, 12]

/** A record of class IN, of that name, good for a minute. */
export function recordOf(type: number, data: readonly number[]): number[] {
  return [...SAME_NAME, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length, ...data]
}

/** The answer to a question for IPv4 addresses; an empty one where it is for others. */
export function answerTo(question: Uint8Array, ...addresses: (readonly number[])[]): Uint8Array {
  const type = question.at(-3)
  const records = type === 1 ? addresses.map((address) => recordOf(1, address)) : []
  return messageOf(question, records)
}

export function messageOf(question: Uint8Array, records: readonly (readonly number[])[]) {
  const head = [...question.subarray(0, 2), 0x81, 0x80, 0, 1, 0, records.length, 0, 0, 0, 0]
  return Uint8Array.from([...head, ...question.subarray(12), ...records.flat()])
}
