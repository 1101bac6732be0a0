/**
 * The network contract: everything that two peers must agree on. PROTOCOL.md says it in words and a test keeps the two equal.
 * Bodies and their values are in wire/, and everybody imports them from here.
 * A change that an old peer would misread bumps WIRE.version.
 */

export * from './wire/control.js'
export * from './wire/datagram.js'
export * from './wire/feedback.js'
export * from './wire/handshake.js'

export const WIRE = {
  /** Carried by every handshake message; another value is refused. */
  version: 2,
  /** The Noise protocol, as in revision 34 of its specification. */
  noise: 'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b',
  /** Noise prologue, ASCII. */
  prologue: 'mptun 2',
  /** Key derivation labels of mac1 and of the cookie (WireGuard paper, 5.4.4 and 5.4.7), ASCII. */
  mac1Label: 'mptun mac1',
  cookieLabel: 'mptun cookie',
} as const

/** First octet of every datagram. Numbers are never used again for something else. */
export const MESSAGE = {
  initiation: { value: 1, doc: 'first handshake message, client to server' },
  response: { value: 2, doc: 'second handshake message, server to client' },
  cookie: { value: 3, doc: 'answer of a loaded server to an initiation' },
  data: { value: 4, doc: 'sealed: an inner IP packet' },
  probe: { value: 5, doc: 'sealed: asks for an echo on the same path, at once' },
  echo: { value: 6, doc: 'sealed: answers a probe' },
  control: { value: 7, doc: 'sealed: agreement between the cores (policy, close)' },
  feedback: { value: 8, doc: 'sealed: what arrived of the data that asked for it' },
  sizeProbe: {
    value: 9,
    doc: 'sealed: asks for a sizeEcho of its own length on the same path; needs FEATURE.sizes',
  },
  sizeEcho: { value: 10, doc: 'sealed: answers a sizeProbe' },
  context: {
    value: 11,
    doc: 'sealed: an inner IP packet whose header the receiver is to keep, for those that follow; needs FEATURE.compression',
  },
  compressed: {
    value: 12,
    doc: 'sealed: an inner IP packet without what its context says; needs FEATURE.compression',
  },
  kept: { value: 13, doc: 'sealed: answers a context that is kept' },
} as const

export const LIMIT = {
  paths: { value: 16, doc: 'paths of one peer' },
  buckets: { value: 1024, doc: 'flow buckets of one direction of one peer' },
  replayBits: { value: 4096, doc: 'anti-replay window per path and epoch; a power of two' },
  weight: { value: 256, doc: 'largest weight of a path' },
  leastMtu: { value: 1280, doc: 'smallest inner MTU, which is that of IPv6' },
  packetBytes: { value: 1968, doc: 'largest inner packet' },
  feedbackGaps: { value: 32, doc: 'most FEEDBACK_GAP of one path' },
  feedbackBytes: { value: 1200, doc: 'largest body of a feedback message' },
  controlBytes: { value: 256, doc: 'largest control body, CONTROL included' },
  nameBytes: { value: 15, doc: 'longest name of a path' },
} as const

export const TIMER = {
  rekeyAfterUs: { value: 120_000_000, doc: 'the client shakes hands again' },
  rejectAfterUs: { value: 180_000_000, doc: 'keys of this age are erased' },
  cookieLifetimeUs: { value: 120_000_000, doc: 'a cookie is worth nothing after it' },
  keepaliveUs: { value: 20_000_000, doc: 'an idle path is probed so often' },
  probeUs: { value: 100_000, doc: 'a path in use is probed so often' },
  idleAfterUs: { value: 10_000_000, doc: 'a peer without data for so long is idle' },
} as const
