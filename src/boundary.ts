/**
 * The contract between the two halves of one process: TypeScript decides, C carries.
 * Commands go down and events come up as fixed-size records (some commands with a payload behind them).
 * contract.ts prints all of it as native/contract.h; a digest of both is compared when the addon loads.
 */

import type { Layout, RecordOf } from './layout.js'

/** Sizes and depths of the crossing itself. */
export const CROSSING = {
  peers: { value: 1024, doc: 'peers of one engine' },
  ports: { value: 32, doc: 'UDP sockets of one engine' },
  epochs: { value: 3, doc: 'keys that one peer can hold: previous, current, next' },
  commandSlots: { value: 1024, doc: 'depth of the command ring; a power of two' },
  eventSlots: { value: 4096, doc: 'depth of the event ring; a power of two' },
  eventSlotBytes: { value: 384, doc: 'size of a slot of the event ring' },
  commandSlotBytes: { value: 128, doc: 'size of a slot of the command ring' },
  planChoices: { value: 4, doc: 'ranked paths of one bucket in a plan of kind buckets' },
  planSlots: { value: 1024, doc: 'most slots of a plan of kind slots' },
  noPath: { value: 255, doc: 'stands for no path' },
} as const

/** Where a datagram goes or came from. */
const ENDPOINT = [
  { name: 'port', type: 'u8', doc: 'our UDP socket' },
  { name: 'family', type: 'u8', doc: '4 or 6' },
  { name: 'remotePort', type: 'u16', doc: 'UDP port, host order' },
  { name: 'remote', type: 'bytes', length: 16, doc: 'address; IPv4 in the first four octets' },
  { name: 'scope', type: 'u32', doc: 'IPv6 scope id, else 0' },
  { name: 'local', type: 'bytes', length: 16, doc: 'our address, all zero: the kernel chooses' },
] as const

const OF_PEER = [
  { name: 'kind', type: 'u16', doc: 'which record this is' },
  { name: 'peer', type: 'u16', doc: 'slot chosen by TypeScript, below CROSSING.peers' },
] as const

const OF_PATH = [...OF_PEER, { name: 'path', type: 'u8', doc: 'path id' }] as const

export const COMMAND = {
  peerAdd: {
    value: 1,
    doc: 'a peer with nothing yet, or other inner addresses for one that exists',
    layout: [
      ...OF_PEER,
      {
        name: 'everything',
        type: 'u8',
        doc: '1: all inner destinations go to this peer and all sources are its own',
      },
      { name: 'ipv4', type: 'bytes', length: 4, doc: "the peer's inner address, zero: none" },
      { name: 'ipv6', type: 'bytes', length: 16, doc: "the peer's inner address, zero: none" },
    ],
  },
  peerRemove: { value: 2, doc: 'forget the peer, erase its keys', layout: OF_PEER },
  keysInstall: {
    value: 4,
    doc: 'keys of a new epoch',
    layout: [
      ...OF_PEER,
      { name: 'localIndex', type: 'u16', doc: 'what the peer writes into HEADER.receiver' },
      { name: 'remoteIndex', type: 'u16', doc: 'what we write there' },
      { name: 'aead', type: 'u8', doc: 'wire AEAD' },
      {
        name: 'confirmed',
        type: 'u8',
        doc: '1: send with it at once; 0: from the first datagram that it opens',
      },
      {
        name: 'fresh',
        type: 'u8',
        doc: '1: the peer began anew; when these keys come into use, older keys, order and path measurements are forgotten',
      },
      { name: 'features', type: 'u8', doc: 'wire FEATURE bits that both sides have' },
      { name: 'sendKey', type: 'bytes', length: 32, doc: 'erased after use' },
      { name: 'receiveKey', type: 'bytes', length: 32, doc: 'erased after use' },
    ],
  },
  keysDrop: {
    value: 5,
    doc: 'erase the keys of one epoch',
    layout: [...OF_PEER, { name: 'localIndex', type: 'u16', doc: 'which' }],
  },
  pathAdd: {
    value: 6,
    doc: 'a path, or a new endpoint for one that exists',
    layout: [...OF_PATH, ...ENDPOINT],
  },
  pathRemove: { value: 7, doc: 'forget a path', layout: OF_PATH },
  pathAllow: {
    value: 8,
    doc: 'lets data use a path again, or takes it out; C takes a path out by itself and says so, but never lets it in',
    layout: [...OF_PATH, { name: 'allowed', type: 'u8', doc: '1 or 0' }],
  },
  probing: {
    value: 9,
    doc: 'how often to probe the paths of a peer, and when silence means loss',
    layout: [
      ...OF_PEER,
      {
        name: 'intervalUs',
        type: 'u32',
        unit: 'us',
        doc: 'between probes while the peer is in use',
      },
      { name: 'keepaliveUs', type: 'u32', unit: 'us', doc: 'between probes while it is idle' },
      {
        name: 'silenceUs',
        type: 'u32',
        unit: 'us',
        doc: 'a path in use that is not heard for so long is taken out',
      },
      {
        name: 'idleAfterUs',
        type: 'u32',
        unit: 'us',
        doc: 'a peer without data for so long is idle',
      },
      {
        name: 'initiator',
        type: 'u8',
        doc: '1: keeps idle paths alive; the other side then only answers',
      },
    ],
  },
  planPublish: { value: 10, doc: 'payload: PLAN, then its table', layout: OF_PEER },
  portOpen: {
    value: 11,
    doc: 'C takes the socket over and closes it',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'port', type: 'u8', doc: 'below CROSSING.ports' },
      { name: 'family', type: 'u8', doc: '4 or 6' },
      { name: 'fd', type: 'i32', doc: 'a non-blocking UDP socket; unused in the simulation' },
    ],
  },
  portClose: {
    value: 12,
    doc: 'closes the socket; paths that use it fall silent',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'port', type: 'u8', doc: 'which' },
    ],
  },
  datagramSend: {
    value: 13,
    doc: 'payload: a handshake message, sent as it is',
    layout: [{ name: 'kind', type: 'u16', doc: 'which record this is' }, ...ENDPOINT],
  },
  controlSend: {
    value: 14,
    doc: 'payload: a control body, sealed on this path, or on the best when noPath',
    layout: OF_PATH,
  },
  probeNow: { value: 15, doc: 'probes all paths of the peer at once', layout: OF_PEER },
  statsRequest: {
    value: 16,
    doc: 'answered by pathStats, peerStats and counter events, then statsEnd',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'token', type: 'u32', doc: 'copied into each answer' },
    ],
  },
} as const

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

export const EVENT = {
  handshake: {
    value: 1,
    doc: 'a handshake message of right length came',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'length', type: 'u16', doc: 'octets of `bytes`' },
      ...ENDPOINT,
      { name: 'bytes', type: 'bytes', length: 256, doc: 'the message' },
    ],
  },
  control: {
    value: 2,
    doc: 'a control body came, authenticated',
    layout: [
      ...OF_PATH,
      { name: 'length', type: 'u16', doc: 'octets of `bytes`' },
      { name: 'bytes', type: 'bytes', length: 256, doc: 'the body' },
    ],
  },
  pathSeen: {
    value: 3,
    doc: 'an authenticated datagram came on a path id that was unknown; the path now exists and is not allowed yet',
    layout: [...OF_PATH, ...ENDPOINT],
  },
  pathMoved: {
    value: 4,
    doc: 'the newest authenticated datagram of a path came from elsewhere',
    layout: [...OF_PATH, ...ENDPOINT],
  },
  pathLost: {
    value: 5,
    doc: 'C has taken the path out',
    layout: [
      ...OF_PATH,
      { name: 'why', type: 'u8', doc: 'PATH_LOST' },
      { name: 'errorNumber', type: 'i32', doc: 'errno of sendmsg, when why is error' },
    ],
  },
  pathAlive: {
    value: 6,
    doc: 'a path that is not allowed works in both directions again',
    layout: OF_PATH,
  },
  peerUse: {
    value: 7,
    doc: 'data began to flow, or has been absent for idleAfterUs',
    layout: [...OF_PEER, { name: 'inUse', type: 'u8', doc: '1 or 0' }],
  },
  epochConfirmed: {
    value: 8,
    doc: 'the peer has sent the first datagram under these keys, which are used for sending now',
    layout: [...OF_PEER, { name: 'localIndex', type: 'u16', doc: 'which' }],
  },
  pathStats: {
    value: 9,
    doc: 'measurements of one path',
    layout: [
      ...OF_PATH,
      { name: 'usable', type: 'u8', doc: '1: data may use it now' },
      { name: 'heard', type: 'u8', doc: '1: not silent' },
      { name: 'heardByPeer', type: 'u8', doc: '1: the peer says so of its side' },
      { name: 'token', type: 'u32', doc: 'of the request' },
      { name: 'rttUs', type: 'u32', unit: 'us', doc: 'latest sample' },
      { name: 'srttUs', type: 'u32', unit: 'us', doc: 'RFC 6298; 0: no sample yet' },
      { name: 'rttvarUs', type: 'u32', unit: 'us', doc: 'RFC 6298' },
      { name: 'minRttUs', type: 'u32', unit: 'us', doc: 'since the path exists' },
      {
        name: 'jitterUs',
        type: 'u32',
        unit: 'us',
        doc: 'RFC 3550 interarrival jitter of what we receive',
      },
      {
        name: 'rxSkewUs',
        type: 'u32',
        unit: 'us',
        doc: "one-way delay towards us above the quickest path's",
      },
      {
        name: 'txSkewUs',
        type: 'u32',
        unit: 'us',
        doc: "one-way delay away from us above the quickest path's",
      },
      { name: 'silentUs', type: 'u32', unit: 'us', doc: 'since the last authenticated datagram' },
      { name: 'txDatagrams', type: 'u64', doc: 'sealed datagrams sent' },
      { name: 'txBytes', type: 'u64', unit: 'bytes', doc: 'UDP payload' },
      { name: 'txData', type: 'u64', doc: 'of txDatagrams: data' },
      { name: 'txErrors', type: 'u64', doc: 'refused by the kernel' },
      { name: 'rxDatagrams', type: 'u64', doc: 'accepted' },
      { name: 'rxBytes', type: 'u64', unit: 'bytes', doc: 'UDP payload' },
      { name: 'rxData', type: 'u64', doc: 'of rxDatagrams: data' },
      {
        name: 'rxExpected',
        type: 'u64',
        doc: 'by path sequence; rxExpected - rxDatagrams were lost on the way to us',
      },
      { name: 'peerExpected', type: 'u64', doc: 'as the peer counts for the other direction' },
      { name: 'peerReceived', type: 'u64', doc: 'as the peer counts for the other direction' },
      { name: 'suspect', type: 'u8', doc: '1: no progress; carries nothing until it is heard of' },
      {
        name: 'windowBytes',
        type: 'u64',
        unit: 'bytes',
        doc: 'most that may be under way; 0: no window',
      },
      { name: 'inflightBytes', type: 'u64', unit: 'bytes', doc: 'under way now' },
      {
        name: 'deliveryRate',
        type: 'u64',
        unit: 'bytes/s',
        doc: 'what arrives; smoothed while the window is full, and otherwise only rising; 0: not known',
      },
      { name: 'queueUs', type: 'u32', unit: 'us', doc: 'standing queue on the uplink' },
      { name: 'targetUs', type: 'u32', unit: 'us', doc: 'queue aimed at' },
      { name: 'lostDatagrams', type: 'u64', doc: 'of txData: reported missing' },
      { name: 'suspicions', type: 'u64', doc: 'times that it was put aside for lack of progress' },
    ],
  },
  peerStats: {
    value: 10,
    doc: 'measurements of one peer',
    layout: [
      ...OF_PEER,
      { name: 'token', type: 'u32', doc: 'of the request' },
      { name: 'inUse', type: 'u8', doc: '1 or 0' },
      { name: 'held', type: 'u32', doc: 'packets in reorder now' },
      { name: 'txPackets', type: 'u64', doc: 'inner packets sent' },
      { name: 'rxPackets', type: 'u64', doc: 'inner packets delivered' },
      { name: 'heldTotal', type: 'u64', doc: 'packets that had to wait for others' },
      { name: 'provedLost', type: 'u64', doc: 'gaps passed because every path had overtaken them' },
      { name: 'deadlinePassed', type: 'u64', doc: 'gaps passed because time was up' },
      { name: 'late', type: 'u64', doc: 'delivered behind their turn' },
      { name: 'duplicates', type: 'u64', doc: 'copies dropped' },
      { name: 'backlogBytes', type: 'u64', unit: 'bytes', doc: 'in the ingress queue now' },
      { name: 'backlogUs', type: 'u32', unit: 'us', doc: 'time that its oldest packet has waited' },
      { name: 'queueDropped', type: 'u64', doc: 'packets dropped by the ingress queue' },
      { name: 'queueMarked', type: 'u64', doc: 'packets marked by it (ECN)' },
      { name: 'resent', type: 'u64', doc: 'packets sent again' },
      { name: 'resentBytes', type: 'u64', unit: 'bytes', doc: 'inner octets of resent' },
      { name: 'copied', type: 'u64', doc: 'deliberate copies of thin packets' },
      {
        name: 'givenUp',
        type: 'u64',
        doc: 'lost packets that were not sent again: too old, too often',
      },
      { name: 'txFeedbackBytes', type: 'u64', unit: 'bytes', doc: 'UDP payload of feedback sent' },
    ],
  },
  counter: {
    value: 11,
    doc: 'one counter that is not zero',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'counter', type: 'u16', doc: 'COUNTER' },
      { name: 'token', type: 'u32', doc: 'of the request' },
      { name: 'count', type: 'u64', doc: 'since the engine opened' },
    ],
  },
  statsEnd: {
    value: 12,
    doc: 'all answers to a request have been given',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'token', type: 'u32', doc: 'of the request' },
    ],
  },
  linksChanged: {
    value: 13,
    doc: 'rtnetlink told of a change of a link, an address or a route: look again',
    layout: [{ name: 'kind', type: 'u16', doc: 'which record this is' }],
  },
  failed: {
    value: 14,
    doc: 'the engine cannot go on',
    layout: [
      { name: 'kind', type: 'u16', doc: 'which record this is' },
      { name: 'errorNumber', type: 'i32', doc: 'errno of the system call' },
      { name: 'syscall', type: 'bytes', length: 16, doc: 'its name, ASCII, zero-padded' },
    ],
  },
} as const

export const PATH_LOST = {
  silent: { value: 0, doc: 'nothing heard for silenceUs' },
  unheard: { value: 1, doc: 'the peer says that it does not hear us' },
  error: { value: 2, doc: 'the kernel refused to send' },
  closed: { value: 3, doc: 'its socket was closed' },
} as const

/** Named places where a datagram or a packet ends, and a few totals. Numbers are never used again for something else. */
export const COUNTER = {
  tunReadPackets: { value: 0, doc: 'inner packets read from the TUN' },
  tunReadBatches: { value: 1, doc: 'wake-ups that read from the TUN' },
  tunWrittenPackets: { value: 2, doc: 'inner packets written to the TUN' },
  udpReadDatagrams: { value: 3, doc: 'datagrams read' },
  udpReadBatches: { value: 4, doc: 'recvmmsg calls that returned something' },
  udpSentDatagrams: { value: 5, doc: 'datagrams sent' },
  udpSentBatches: { value: 6, doc: 'outboxes sent' },
  tunReadRuns: { value: 7, doc: 'super-packets read from the TUN' },
  tunWrittenRuns: { value: 8, doc: 'super-packets written to the TUN' },
  udpReadRuns: { value: 9, doc: 'runs of datagrams read as one' },
  udpSentRuns: { value: 45, doc: 'runs of datagrams sent as one' },
  dropOutMalformed: { value: 10, doc: 'TUN: not an IP packet of matching length' },
  dropOutNoPeer: { value: 11, doc: 'TUN: no peer has this destination' },
  dropOutNoKeys: { value: 12, doc: 'TUN: the peer has no session' },
  dropOutNoPath: { value: 13, doc: 'TUN: no path of the peer may carry data' },
  dropOutTooBig: { value: 14, doc: 'TUN: larger than LIMIT.packetBytes' },
  dropOutQueueFull: { value: 17, doc: 'TUN: the ingress queue was full' },
  dropOutQueueDelay: { value: 18, doc: 'TUN: it stood in the ingress queue for too long (CoDel)' },
  dropSendFull: { value: 15, doc: 'UDP: the socket buffer was full' },
  dropSendError: { value: 16, doc: 'UDP: the kernel refused' },
  dropShort: { value: 20, doc: 'datagram: shorter than its type allows' },
  dropLong: { value: 21, doc: 'datagram: longer than its type allows' },
  dropType: { value: 22, doc: 'datagram: unknown type' },
  dropIndex: { value: 23, doc: 'datagram: unknown receiver index' },
  dropPath: { value: 24, doc: 'datagram: path id out of range' },
  dropReplay: { value: 25, doc: 'datagram: replayed, or older than the window' },
  dropAuth: { value: 26, doc: 'datagram: the tag is wrong' },
  dropHandshakeFull: {
    value: 27,
    doc: 'datagram: a handshake message that found no room on the way to TypeScript',
  },
  dropInnerMalformed: { value: 30, doc: 'data: not an IP packet of matching length' },
  dropInnerSource: { value: 31, doc: "data: inner source address that is not the peer's" },
  dropDuplicate: { value: 32, doc: 'data: another copy was delivered before' },
  dropLate: { value: 33, doc: 'data: too old to tell whether it was delivered' },
  dropTunFull: { value: 34, doc: 'data: the TUN refused it' },
  dropBody: { value: 35, doc: 'probe, echo or control: wrong length or content' },
  eventsLost: { value: 40, doc: 'events other than handshakes that found the ring full' },
} as const

type Fields<L extends Layout> = Omit<RecordOf<L>, 'kind'>

/** What TypeScript asks of C. Fields left out are zero. */
export type EngineCommand = {
  [K in keyof typeof COMMAND]: {
    readonly kind: K
    readonly fields: Partial<Fields<(typeof COMMAND)[K]['layout']>>
    readonly payload?: Uint8Array
  }
}[keyof typeof COMMAND]

/** What C tells TypeScript, by the name of its kind. */
export type EngineEvent = {
  [K in keyof typeof EVENT]: { readonly kind: K } & Fields<(typeof EVENT)[K]['layout']>
}[keyof typeof EVENT]

/** The event of one kind. */
export type EventOf<K extends keyof typeof EVENT> = Extract<EngineEvent, { kind: K }>

/** Where a datagram goes or came from, as records carry it. */
export type Endpoint = RecordOf<typeof ENDPOINT>
