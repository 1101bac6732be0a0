#!/usr/bin/env node
// Measured TCP between namespaces, of octets that both ends know. Times are of CLOCK_MONOTONIC, in milliseconds. What is
// received comes from mptun-content (content.c).
//
//   transfers.mjs receive PORT          `listening`, at SIGTERM one line of JSON {binMs, bins, connections, faults}
//   transfers.mjs serve PORT BYTES      `listening`, then BYTES to each who asks, until SIGTERM
//   transfers.mjs fetch HOST PORT BYTES EVERY_MS
//                                       `fetching`, a connection of its own each time; at SIGTERM one line of
//                                       JSON [{atMs, tookMs, fault}], tookMs null for what is under way still
//
// `bins` holds the octets that arrived: a list of [number of the bin since the machine's start, octets].

import { connect, createServer } from 'node:net'

const BIN_MS = 100

/** As in content.c. Prime, so that octets which a packet of usual length displaces are never the same ones. */
const PATTERN_BYTES = 65_521
const PATTERN = Buffer.alloc(2 * PATTERN_BYTES)
let state = 1
for (let at = 0; at < PATTERN_BYTES; at++) {
  state = Math.imul(state, 1103515245) + 12345
  PATTERN[at] = PATTERN[at + PATTERN_BYTES] = state >>> 16
}

const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000

const isContent = (chunk, offset) => {
  for (let done = 0; done < chunk.length; ) {
    const from = (offset + done) % PATTERN_BYTES
    const part = chunk.subarray(done, done + PATTERN_BYTES)
    if (!part.equals(PATTERN.subarray(from, from + part.length))) return false
    done += part.length
  }
  return true
}

function listen(port, onSocket) {
  const server = createServer(onSocket)
  server.on('error', (error) => {
    throw error
  })
  server.listen(port, '::', () => console.log('listening'))
}

/** At SIGTERM the answer, then the end, whatever is open. */
function endWith(answer) {
  process.on('SIGTERM', () => {
    process.stdout.write(answer(), () => process.exit(0))
  })
}

function receive(port) {
  const bins = new Map()
  const faults = []
  let connections = 0
  listen(port, (socket) => {
    connections++
    let offset = 0
    socket.on('data', (chunk) => {
      if (!isContent(chunk, offset)) faults.push(`other octets than were sent, at ${offset}`)
      offset += chunk.length
      const bin = Math.floor(nowMs() / BIN_MS)
      bins.set(bin, (bins.get(bin) ?? 0) + chunk.length)
    })
    socket.on('error', (error) => faults.push(error.message))
  })
  endWith(() => JSON.stringify({ binMs: BIN_MS, bins: [...bins], connections, faults }))
}

function serve(port, bytes) {
  listen(port, (socket) => {
    socket.on('error', () => {}) // the other end sees it, too
    socket.once('data', () => socket.end(PATTERN.subarray(0, bytes)))
  })
  process.on('SIGTERM', () => process.exit(0))
}

function fetchOnce(host, port, bytes) {
  const fetched = { atMs: nowMs(), tookMs: null, fault: null }
  const socket = connect(port, host, () => socket.write('?'))
  let offset = 0
  socket.on('data', (chunk) => {
    if (!isContent(chunk, offset)) fetched.fault = `other octets than were sent, at ${offset}`
    offset += chunk.length
    if (offset === bytes) fetched.tookMs = nowMs() - fetched.atMs
  })
  socket.on('error', (error) => {
    fetched.fault = error.message
  })
  return fetched
}

function fetch(host, port, bytes, everyMs) {
  const fetched = []
  const next = () => fetched.push(fetchOnce(host, port, bytes))
  console.log('fetching')
  next()
  setInterval(next, everyMs)
  endWith(() => JSON.stringify(fetched))
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'receive') receive(Number(rest[0]))
else if (role === 'serve') serve(...rest.map(Number))
else fetch(rest[0], ...rest.slice(1).map(Number))
