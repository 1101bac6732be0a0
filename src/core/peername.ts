/** What a server calls a client: PROTOCOL.md, section 3. The store has a file of this name too. */
export const PEER_NAME = '1 to 32 of A-Z a-z 0-9 . _ - that do not begin with . or -'

export function isPeerName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,31}$/.test(text)
}
