import { readFileSync } from 'node:fs'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { keyPairOf } from '../../src/core/keys.js'
import { NoiseHandshake, type Pattern, type SplitResult } from '../../src/core/noise.js'

interface Vector {
  protocol_name: string
  init_prologue: string
  init_static: string
  init_ephemeral: string
  init_remote_static: string
  init_psks?: string[]
  resp_prologue: string
  resp_static: string
  resp_ephemeral: string
  handshake_hash?: string
  messages: { payload: string; ciphertext: string }[]
}

const vectorsOf = (file: string): { file: string; vector: Vector }[] => {
  const text = readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8')
  return (JSON.parse(text) as { vectors: Vector[] }).vectors
    .filter((vector) => vector.protocol_name.endsWith('_BLAKE2b'))
    .map((vector) => ({ file, vector }))
}
const VECTORS = ['noise-ik-cacophony.json', 'noise-ik-snow.json'].flatMap(vectorsOf)

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))
const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString('hex')

/** Transport messages: the keys of split() under the cipher's own counter. */
function transport(key: Uint8Array, counter: number, payload: string): string | undefined {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, BigInt(counter), true)
  return hex(
    sodium.crypto_aead_chacha20poly1305_ietf_encrypt(bytes(payload), null, null, nonce, key),
  )
}

const sides = (vector: Vector) => {
  const pattern = vector.protocol_name.split('_')[1] as Pattern
  return {
    psk: vector.init_psks?.[0] === undefined ? undefined : bytes(vector.init_psks[0]),
    initiator: new NoiseHandshake({
      pattern,
      prologue: bytes(vector.init_prologue),
      staticKey: keyPairOf(bytes(vector.init_static)),
      remoteStatic: bytes(vector.init_remote_static),
    }),
    responder: new NoiseHandshake({
      pattern,
      prologue: bytes(vector.resp_prologue),
      staticKey: keyPairOf(bytes(vector.resp_static)),
    }),
  }
}

beforeAll(() => sodium.ready)

it('runs every vector of our hash', () => {
  expect(VECTORS.map(({ vector }) => vector.protocol_name)).toEqual([
    'Noise_IK_25519_ChaChaPoly_BLAKE2b',
    'Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b',
    'Noise_IK_25519_ChaChaPoly_BLAKE2b',
  ])
})

describe.each(VECTORS)('$file: $vector.protocol_name', ({ vector }) => {
  const [first, second, ...later] = vector.messages
  const expectTransport = (initiator: SplitResult, responder: SplitResult) => {
    const messages = later.map(({ payload }, index) => {
      const sender = index % 2 === 0 ? initiator : responder
      const receiver = index % 2 === 0 ? responder : initiator
      expect(hex(sender.sendKey)).toBe(hex(receiver.receiveKey))
      return transport(sender.sendKey, index >> 1, payload)
    })
    expect(messages).toEqual(later.map(({ ciphertext }) => ciphertext))
  }

  it('writes and reads the messages of both sides, the hash and the transport keys', () => {
    const { initiator, responder, psk } = sides(vector)
    const firstMessage = initiator.writeMessage(
      bytes(first!.payload),
      bytes(vector.init_ephemeral),
      psk,
    )
    expect(hex(firstMessage)).toBe(first!.ciphertext)
    expect(hex(responder.readMessage(firstMessage!, psk))).toBe(first!.payload)
    expect(hex(responder.remoteStatic)).toBe(hex(keyPairOf(bytes(vector.init_static)).publicKey))

    const secondMessage = responder.writeMessage(
      bytes(second!.payload),
      bytes(vector.resp_ephemeral),
      psk,
    )
    expect(hex(secondMessage)).toBe(second!.ciphertext)
    expect(hex(initiator.readMessage(secondMessage!, psk))).toBe(second!.payload)

    const [ofInitiator, ofResponder] = [initiator.split(), responder.split()]
    expect(hex(ofInitiator.handshakeHash)).toBe(hex(ofResponder.handshakeHash))
    if (vector.handshake_hash !== undefined) {
      expect(hex(ofInitiator.handshakeHash)).toBe(vector.handshake_hash)
    }
    expectTransport(ofInitiator, ofResponder)
  })

  it('is not spoilt by forgeries of either message', () => {
    const { initiator, responder, psk } = sides(vector)
    initiator.writeMessage(bytes(first!.payload), bytes(vector.init_ephemeral), psk)
    for (const [reader, message] of [
      [responder, first],
      [initiator, second],
    ] as const) {
      const genuine = bytes(message!.ciphertext)
      for (let position = 0; position < genuine.length; position += 1) {
        const forged = genuine.slice()
        forged[position]! ^= 0x01
        expect(reader.readMessage(forged, psk), `octet ${position}`).toBeUndefined()
        expect(reader.readMessage(genuine.subarray(0, position), psk)).toBeUndefined()
      }
      expect(hex(reader.readMessage(genuine, psk))).toBe(message!.payload)
      if (reader === responder) {
        responder.writeMessage(bytes(second!.payload), bytes(vector.resp_ephemeral), psk)
      }
    }
    expectTransport(initiator.split(), responder.split())
  })
})

// Montgomery u-coordinates of small order on curve25519 and its twist, as https://cr.yp.to/ecdh.html lists them
// ("contributory behaviour"), each with and without the ignored high bit.
const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].flatMap((point) => {
  const high = bytes(point)
  high[31]! |= 0x80
  return [point, hex(high)!]
})

describe.each(LOW_ORDER)('the low-order point %s', (point) => {
  const prologue = new Uint8Array(0)
  const staticKey = () => keyPairOf(new Uint8Array(32).fill(7))

  it('is refused as the static key of the responder', () => {
    const noise = new NoiseHandshake({
      pattern: 'IKpsk2',
      prologue,
      staticKey: staticKey(),
      remoteStatic: bytes(point),
    })
    const ephemeral = new Uint8Array(32).fill(9)
    expect(noise.writeMessage(new Uint8Array(1), ephemeral)).toBeUndefined()
  })

  it('is refused as the ephemeral key of an initiator', () => {
    const noise = new NoiseHandshake({ pattern: 'IKpsk2', prologue, staticKey: staticKey() })
    const message = new Uint8Array(32 + 48 + 16)
    message.set(bytes(point))
    expect(noise.readMessage(message)).toBeUndefined()
  })
})

describe('order of use', () => {
  const initiator = () =>
    new NoiseHandshake({
      pattern: 'IKpsk2',
      prologue: new Uint8Array(0),
      staticKey: keyPairOf(new Uint8Array(32).fill(7)),
      remoteStatic: keyPairOf(new Uint8Array(32).fill(8)).publicKey,
    })
  const ephemeral = () => new Uint8Array(32).fill(9)

  it('is kept', () => {
    expect(() => initiator().readMessage(new Uint8Array(96))).toThrow(/nothing to read/)
    expect(() => initiator().split()).toThrow(/split after message 0/)
    const noise = initiator()
    noise.writeMessage(new Uint8Array(0), ephemeral())
    expect(() => noise.writeMessage(new Uint8Array(0), ephemeral())).toThrow(/nothing to write/)
  })

  it('ends with erased secrets', () => {
    const noise = initiator()
    const secret = ephemeral()
    noise.writeMessage(new Uint8Array(0), secret)
    noise.erase()
    expect(secret).toEqual(new Uint8Array(32))
    expect(() => noise.readMessage(new Uint8Array(48), new Uint8Array(32))).toThrow(/nothing/)
  })
})
