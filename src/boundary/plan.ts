/** What C executes of a mode: the table behind planPublish. */

/**
 * Head of the payload of planPublish. Kind slots: `slots` path ids follow; kind buckets: planChoices ids for each bucket;
 * kind arrival: `slots` PLAN_PATH.
 */
export const PLAN = [
  { name: 'kind', type: 'u8', doc: 'PLAN_KIND' },
  { name: 'hash', type: 'u8', doc: 'wire XMIT_HASH: what makes the bucket' },
  {
    name: 'carrying',
    type: 'u16',
    doc: 'bit p: path p carries data under this plan; others of `order` only when none of these works',
  },
  { name: 'slots', type: 'u16', doc: 'entries of the table of kinds slots and arrival, else 0' },
  {
    name: 'order',
    type: 'bytes',
    length: 16,
    doc: 'paths of the plan, best first, then those in reserve, then noPath: the way out when the table names none that works',
  },
  {
    name: 'resting',
    type: 'u16',
    doc: 'bit p: while others work path p is probed as rarely as an idle one',
  },
] as const

export const PLAN_KIND = {
  slots: { value: 0, doc: 'packet k takes slot k modulo their number' },
  buckets: { value: 1, doc: 'a packet takes the first working choice of its bucket' },
  order: { value: 2, doc: 'a packet takes the first working path of `order`' },
  all: { value: 3, doc: 'a packet takes every working path of `carrying`' },
  arrival: {
    value: 4,
    doc: 'a packet takes the path where it arrives first, within the windows; bulk takes those of `carrying`, thin flows those of the table',
  },
} as const

/** What C must know of a path under a plan of kind arrival. */
export const PLAN_PATH = [
  { name: 'path', type: 'u8', doc: 'path id' },
  { name: 'flags', type: 'u8', doc: 'PLAN_PATH_FLAG' },
  {
    name: 'targetUs',
    type: 'u32',
    unit: 'us',
    doc: 'queue to aim at on the uplink; 0: from the round trip',
  },
  { name: 'capBytesPerS', type: 'u64', unit: 'bytes/s', doc: 'never faster than this; 0: no cap' },
] as const

export const PLAN_PATH_FLAG = {
  metered: { value: 1, doc: 'costs money: no copies, and probes only every five seconds' },
  duplicate: {
    value: 2,
    doc: 'thin packets go on this path too, as copies, when the best is in doubt',
  },
} as const
