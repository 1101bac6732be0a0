// A name server with one IPv4 address for every name, which may change.
//
//   node name_server.mjs '{"at":"198.51.100.53","tells":"198.51.100.1"}'
//
// Prints {"ready":true}; a line {"tells":"198.51.100.2"} on standard input changes the address, and is answered with how
// many questions came so far: {"asked":3}. The end of standard input ends it.

import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'

let { at, tells } = JSON.parse(process.argv[2])
let asked = 0
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const QUESTION_AT = 12
const TYPE_A = 1

/** Behind the name: its type and class. */
function questionOf(message) {
  let end = QUESTION_AT
  while (message[end] !== 0) end += 1 + message[end]
  return message.subarray(QUESTION_AT, end + 5)
}

const socket = createSocket('udp4')
socket.on('message', (message, { address, port }) => {
  asked++
  const question = questionOf(message)
  const isForIpv4 = question.at(-3) === TYPE_A
  const record = [0xc0, QUESTION_AT, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, ...tells.split('.')]
  const head = [message[0], message[1], 0x81, 0x80, 0, 1, 0, isForIpv4 ? 1 : 0, 0, 0, 0, 0]
  const answer = [...head, ...question, ...(isForIpv4 ? record.map(Number) : [])]
  socket.send(Uint8Array.from(answer), port, address)
})
socket.bind(53, at, () => say({ ready: true }))

createInterface({ input: process.stdin })
  .on('line', (line) => {
    tells = JSON.parse(line).tells
    say({ asked })
  })
  .on('close', () => socket.close())
