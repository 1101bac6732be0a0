/** What two peers measure for each other, by probes and by feedback: sections 9 and 13 of PROTOCOL.md. */

/** Body of probe and echo, of equal length, so that no answer is larger than its question. */
export const PROBE = [
  { name: 'id', type: 'u32', doc: 'counts probes of one path; an echo copies it' },
  {
    name: 'time',
    type: 'u64',
    unit: 'us',
    doc: "the prober's clock when it sent the probe; an echo copies it",
  },
  {
    name: 'hold',
    type: 'u32',
    unit: 'us',
    doc: 'echo: time between receiving the probe and sending the echo',
  },
  {
    name: 'owd',
    type: 'u32',
    unit: 'us',
    doc: 'echo: arrival of the probe on the clock of the echoing side minus `time`, modulo 2^32',
  },
  {
    name: 'heard',
    type: 'u16',
    doc: 'bit p: the sender hears the other side on path p',
  },
  {
    name: 'carrying',
    type: 'u16',
    doc: "bit p: path p is in the sender's present plan, so that packets may be on it",
  },
  {
    name: 'expected',
    type: 'u32',
    doc: 'datagrams the sender of this message should have received on this path, modulo 2^32',
  },
  {
    name: 'received',
    type: 'u32',
    doc: 'datagrams it did receive and accept on this path, modulo 2^32',
  },
] as const

/** Body of a feedback message: this, then FEEDBACK_PATH and its FEEDBACK_GAPs for each path. */
export const FEEDBACK = [
  { name: 'paths', type: 'u8', doc: 'number of FEEDBACK_PATH that follow' },
] as const

export const FEEDBACK_PATH = [
  { name: 'path', type: 'u8', doc: 'path id' },
  {
    name: 'receiver',
    type: 'u16',
    doc: 'HEADER.receiver of the datagrams that are reported: path sequences begin anew with each epoch',
  },
  { name: 'newest', type: 'u32', doc: 'low 32 bits of the greatest path sequence accepted' },
  {
    name: 'hold',
    type: 'u32',
    unit: 'us',
    doc: 'time between its arrival and the sending of this message',
  },
  {
    name: 'delay',
    type: 'u32',
    unit: 'us',
    doc: "least arrival, on the clock of this message's sender, minus sendTime since the last report, modulo 2^32",
  },
  {
    name: 'octets',
    type: 'u32',
    unit: 'bytes',
    doc: 'UDP payload accepted on the path, modulo 2^32',
  },
  { name: 'datagrams', type: 'u32', doc: 'accepted on the path, modulo 2^32' },
  { name: 'gaps', type: 'u8', doc: 'number of FEEDBACK_GAP that follow, the newest first' },
] as const

/** Path sequences that have not been accepted, in front of the newest. */
export const FEEDBACK_GAP = [
  {
    name: 'received',
    type: 'u16',
    doc: 'accepted without a gap behind this one, down from the newest or from the gap before',
  },
  { name: 'missing', type: 'u16', doc: 'sequences of the gap' },
] as const
