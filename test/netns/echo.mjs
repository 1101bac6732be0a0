#!/usr/bin/env node
// UDP datagrams of given sizes, there and back.
//
//   echo.mjs answer PORT            `listening`, then gives every datagram back
//   echo.mjs ask HOST PORT SIZE...  sends one of each size, one after the other, and prints `same N` for the
//                                   sizes that came back as they were sent

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

const PATIENCE_MS = 5000

function answer(port) {
  const socket = createSocket('udp6')
  socket.on('message', (datagram, { address, port: from }) => socket.send(datagram, from, address))
  socket.bind(port, () => console.log('listening'))
}

async function ask(host, port, sizes) {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const comesBack = (datagram) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), PATIENCE_MS)
      socket.removeAllListeners('message').on('message', (back) => {
        if (!back.equals(datagram)) return
        clearTimeout(timer)
        resolve(true)
      })
      socket.send(datagram, port, host)
    })
  let same = 0
  for (const size of sizes) {
    if (await comesBack(randomBytes(size))) same++
    else console.log(`lost ${size}`)
  }
  console.log(`same ${same}`)
  socket.close()
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'answer') answer(Number(rest[0]))
else await ask(rest[0], Number(rest[1]), rest.slice(2).map(Number))
