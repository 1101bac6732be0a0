#!/usr/bin/env node
// Measured UDP between namespaces. Both ends share the machine's monotonic clock, so that the time of
// sending, which each datagram carries, gives one-way delays.
//
//   datagrams.mjs receive PORT                           `listening`, at the end of stdin a JSON array of
//                                                        {sequence, delayUs, atUs, from, port}
//   datagrams.mjs send HOST PORT COUNT BYTES INTERVAL_US `sending`, then sends COUNT datagrams of BYTES payload,
//                                                        fewer when SIGTERM comes, and says how many: `sent N`

import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** Timers wake up to so much late: what is due sooner is waited for awake. */
const TIMER_SLACK_US = 1500

const nowUs = () => Number(process.hrtime.bigint() / 1000n)

function receive(port) {
  const arrivals = []
  const socket = createSocket({ type: 'udp6', recvBufferSize: 4 << 20 })
  socket.on('message', (datagram, { address, port: from }) => {
    const atUs = nowUs()
    const delayUs = atUs - Number(datagram.readBigUInt64LE(4))
    const sequence = datagram.readUInt32LE(0)
    arrivals.push({ sequence, delayUs, atUs, from: address.replace('::ffff:', ''), port: from })
  })
  socket.on('error', (error) => {
    throw error // dgram keeps it to itself where bind has a callback
  })
  socket.bind(port, () => console.log('listening'))
  process.stdin.resume().on('end', () => {
    process.stdout.write(JSON.stringify(arrivals))
    socket.close()
  })
}

function send(host, port, count, bytes, intervalUs) {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  socket.on('error', () => {}) // a link without a device is what some tests are about
  const startUs = nowUs()
  let sequence = 0
  let isStopped = false
  process.on('SIGTERM', () => {
    isStopped = true
  })
  console.log('sending')
  const sendDue = () => {
    const dueUs = () => startUs + sequence * intervalUs
    for (; !isStopped && sequence < count && dueUs() <= nowUs(); sequence++) {
      const datagram = Buffer.alloc(bytes)
      datagram.writeUInt32LE(sequence, 0)
      datagram.writeBigUInt64LE(BigInt(nowUs()), 4)
      socket.send(datagram, port, host)
    }
    if (isStopped || sequence === count) {
      console.log(`sent ${sequence}`)
      setImmediate(() => socket.close())
      return
    }
    const spareUs = dueUs() - nowUs() - TIMER_SLACK_US
    if (spareUs > 0) setTimeout(sendDue, spareUs / 1000)
    else setImmediate(sendDue)
  }
  sendDue()
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'receive') receive(Number(rest[0]))
else send(rest[0], ...rest.slice(1).map(Number))
