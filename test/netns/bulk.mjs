#!/usr/bin/env node
// Much data over TCP, and its digest at both ends.
//
//   bulk.mjs receive PORT               `listening`, then `BYTES SHA256` of the first connection
//   bulk.mjs send HOST PORT BYTES       sends that much that cannot be guessed, then `BYTES SHA256`

import { createHash, randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:net'

const PIECE_BYTES = 1 << 16

function receive(port) {
  const server = createServer((socket) => {
    const digest = createHash('sha256')
    let bytes = 0
    socket.on('data', (data) => {
      bytes += data.length
      digest.update(data)
    })
    socket.on('end', () => {
      console.log(`${bytes} ${digest.digest('hex')}`)
      server.close()
    })
  })
  server.listen(port, '::', () => console.log('listening'))
}

async function send(host, port, total) {
  const digest = createHash('sha256')
  const socket = connect(port, host)
  for (let sent = 0; sent < total; sent += PIECE_BYTES) {
    const piece = randomBytes(Math.min(PIECE_BYTES, total - sent))
    digest.update(piece)
    if (!socket.write(piece)) await new Promise((drained) => socket.once('drain', drained))
  }
  socket.end(() => console.log(`${total} ${digest.digest('hex')}`))
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'receive') receive(Number(rest[0]))
else await send(rest[0], Number(rest[1]), Number(rest[2]))
