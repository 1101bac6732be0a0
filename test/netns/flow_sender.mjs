#!/usr/bin/env node
// Sends flows that differ by their source port alone.
//
//   flow_sender.mjs HOST PORT COUNT BYTES   for each line `FIRST` on stdin: COUNT datagrams of BYTES payload
//                                           from UDP port FIRST, then the line `sent FIRST`

import { createSocket } from 'node:dgram'
import { createInterface } from 'node:readline'

const [host, port, count, bytes] = process.argv.slice(2)
const payload = Buffer.alloc(Number(bytes))

for await (const line of createInterface({ input: process.stdin })) {
  const socket = createSocket('udp4')
  await new Promise((bound) => socket.bind(Number(line), bound))
  for (let i = 0; i < Number(count); i++) {
    await new Promise((sent) => socket.send(payload, Number(port), host, sent))
  }
  await new Promise((closed) => socket.close(closed))
  console.log(`sent ${line}`)
}
