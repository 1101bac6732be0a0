/** What TypeScript asks of C. */
import { ENDPOINT, OF_KIND, OF_PATH, OF_PEER } from './record.js'

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
      ...OF_KIND,
      { name: 'port', type: 'u8', doc: 'below CROSSING.ports' },
      { name: 'family', type: 'u8', doc: '4 or 6' },
      { name: 'fd', type: 'i32', doc: 'a non-blocking UDP socket; unused in the simulation' },
    ],
  },
  portClose: {
    value: 12,
    doc: 'closes the socket; paths that use it fall silent',
    layout: [...OF_KIND, { name: 'port', type: 'u8', doc: 'which' }],
  },
  datagramSend: {
    value: 13,
    doc: 'payload: a handshake message, sent as it is',
    layout: [...OF_KIND, ...ENDPOINT],
  },
  controlSend: {
    value: 14,
    doc: 'payload: a control body, sealed on this path, or on the best when noPath',
    layout: OF_PATH,
  },
  sizeProbe: {
    value: 17,
    doc: 'probes on this path whether a datagram of this size passes whole; answered by sizeEchoed or by nothing',
    layout: [
      ...OF_PATH,
      { name: 'octets', type: 'u16', unit: 'bytes', doc: 'UDP payload, sealed' },
    ],
  },
  statsRequest: {
    value: 16,
    doc: 'answered by pathStats, peerStats and counter events, then statsEnd',
    layout: [
      ...OF_KIND,
      { name: 'first', type: 'u16', doc: 'of the peers with this slot and those after it' },
      { name: 'token', type: 'u32', doc: 'copied into each answer' },
    ],
  },
} as const
