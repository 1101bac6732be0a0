/** Agreement between the deciding halves: section 10 of PROTOCOL.md. */

/** Body of a control message: this, then the body of its kind. */
export const CONTROL = [
  {
    name: 'id',
    type: 'u32',
    doc: 'counts the control messages of one side in one session; an ack copies it',
  },
  { name: 'kind', type: 'u8', doc: 'CONTROL_KIND' },
] as const

export const CONTROL_KIND = {
  ack: { value: 1, doc: 'empty: the message with this id was taken' },
  policy: {
    value: 2,
    doc: 'POLICY and then POLICY_PATH for each path: how the sender wishes both directions to be scheduled',
  },
  close: { value: 3, doc: 'CLOSE: the sender ends the session' },
  mtu: { value: 4, doc: 'MTU: the largest inner packet that the sender is to be sent' },
  names: { value: 5, doc: 'text: what the sender calls its paths, for people' },
} as const

export const POLICY = [
  { name: 'mode', type: 'u8', doc: 'MODE' },
  { name: 'hash', type: 'u8', doc: 'XMIT_HASH, for balance-xor' },
  { name: 'primary', type: 'u8', doc: 'path id for active-backup, 255 for none' },
  { name: 'reselect', type: 'u8', doc: 'PRIMARY_RESELECT' },
  {
    name: 'updelay',
    type: 'u32',
    unit: 'us',
    doc: 'a path must be alive for so long before it is used again',
  },
  {
    name: 'downdelay',
    type: 'u32',
    unit: 'us',
    doc: 'a path that fell silent is used for so long after it was noticed',
  },
  { name: 'paths', type: 'u8', doc: 'number of POLICY_PATH that follow' },
] as const

export const POLICY_PATH = [
  { name: 'path', type: 'u8', doc: 'path id' },
  { name: 'intent', type: 'u8', doc: 'INTENT' },
  { name: 'tier', type: 'u8', doc: 'smaller is used first' },
  { name: 'weight', type: 'u16', doc: '1 to LIMIT.weight' },
  { name: 'flags', type: 'u8', doc: 'POLICY_PATH_FLAG' },
  {
    name: 'rate',
    type: 'u32',
    unit: 'bytes/s',
    doc: 'the receiver sends no faster on this path, in the mode adaptive; 0: no cap',
  },
  {
    name: 'target',
    type: 'u24',
    unit: 'us',
    doc: 'queue to aim at on this path, in the mode adaptive; 0: as the receiver thinks best',
  },
] as const

export const POLICY_PATH_FLAG = {
  metered: {
    value: 1,
    doc: 'each octet costs money: no copies, and no probes but the needed ones',
  },
  spent: { value: 2, doc: 'its budget is used up: carry nothing on it' },
} as const

export const MODE = {
  'balance-rr': { value: 0, doc: 'smooth weighted round-robin, per packet' },
  'active-backup': { value: 1, doc: 'one path carries all' },
  'balance-xor': { value: 2, doc: 'flow hash to path, by weight' },
  broadcast: { value: 3, doc: 'every packet on every path, the first copy wins' },
  adaptive: {
    value: 7,
    doc: 'each packet on the path where it arrives first, of those that have room for it; what is lost is sent again',
  },
} as const

export const XMIT_HASH = {
  'layer3+4': { value: 0, doc: 'addresses, protocol and ports' },
  layer3: { value: 1, doc: 'addresses only' },
} as const

export const PRIMARY_RESELECT = {
  always: { value: 0, doc: 'the primary takes over whenever it is up' },
  better: { value: 1, doc: 'the primary takes over when it is better than the active path' },
  failure: { value: 2, doc: 'the primary takes over only when the active path fails' },
} as const

export const INTENT = {
  up: { value: 0, doc: 'use it' },
  standby: { value: 1, doc: 'use it when no path of intent up is left' },
  down: { value: 2, doc: 'do not use it' },
} as const

export const MTU = [
  { name: 'mtu', type: 'u16', unit: 'bytes', doc: 'LIMIT.leastMtu to LIMIT.packetBytes' },
] as const

export const CLOSE = [{ name: 'reason', type: 'u8', doc: 'CLOSE_REASON' }] as const

export const CLOSE_REASON = {
  shutdown: { value: 1, doc: 'the sender stops; shake hands again when it is wanted back' },
  revoked: { value: 2, doc: 'this key is no longer welcome' },
} as const
