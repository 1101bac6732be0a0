import { describe, expect, it } from 'vitest'
import { DEFAULT_POLICY } from '../../src/core/policy.js'
import type { PathSnapshot, PeerSnapshot } from '../../src/core/snapshot.js'
import { reportCounts, reportPeer } from '../../src/daemon/report.js'
import {
  bitRate,
  duration,
  type PathMeasured,
  type PathReport,
  renderStatus,
  type StatusReport,
} from '../../src/status.js'

const MEASURED: PathMeasured = {
  rttMs: 48.2,
  smoothedRttMs: 48.21,
  rttVariationMs: 2,
  leastRttMs: 40,
  jitterMs: 3.25,
  outSkewMs: 0,
  inSkewMs: 1,
  outLoss: 0.0123,
  inLoss: 0,
  outLossTotal: 0.5,
  inLossTotal: 0,
  outBytesPerS: 1_537_500,
  inBytesPerS: 10,
  outBytes: 1,
  inBytes: 1,
  outShare: 0.6667,
  inShare: 1,
  sendErrors: 0,
}

const PATH: PathReport = {
  path: 0,
  label: 'eth0',
  endpoint: '192.0.2.1:5000',
  state: 'up',
  sinceS: 125,
  inUse: true,
  why: '',
  intent: 'up',
  tier: 0,
  weight: 3,
  measured: MEASURED,
}

const REPORT: StatusReport = {
  version: '0.1.0',
  role: 'client',
  tun: 'mptun0',
  mtuBytes: 1420,
  addresses: ['10.77.0.2/24'],
  uptimeS: 3_725,
  endpoints: ['vps.example.org:5000'],
  sealing: { 'aes-256-gcm': 'OpenSSL 3.0' },
  peers: [
    {
      name: 'server',
      sessionS: 60,
      aead: 'aes-256-gcm',
      inUse: true,
      mode: 'balance-rr',
      addresses: [],
      paths: [
        PATH,
        {
          ...PATH,
          label: 'wwan0',
          state: 'down',
          inUse: false,
          why: 'the device wwan0 does not exist yet: waiting for it',
          intent: 'standby',
          tier: 1,
          endpoint: undefined,
          measured: undefined,
        },
      ],
      order: undefined,
    },
  ],
  counters: { dropAuth: 3 },
  refusals: { mac1: 12 },
}

describe('the text of a status', () => {
  const text = renderStatus(REPORT, false)

  it('shows the tunnel, its peer and each path', () => {
    expect(text).toContain('mptun0  client  10.77.0.2/24  mtu 1420  running 1 h 2 min')
    expect(text).toContain('server at vps.example.org:5000')
    expect(text).toContain('server  session 1 min  aes-256-gcm  balance-rr')
    const [row] = text.match(/^ {2}eth0 .*$/m) ?? []
    expect(row?.split(/ {2,}/)).toEqual([
      '',
      'eth0',
      'up',
      '2 min 5 s',
      '48.2 ms',
      '3.25 ms',
      '1.2% 0%',
      '50% 0%',
      '12.3 Mbit/s',
      '80 bit/s',
      '67% 100%',
      'weight 3',
      '192.0.2.1:5000',
    ])
  })

  it('says in a sentence why a path is not in use', () => {
    expect(text).toContain(
      'wwan0 is not in use: the device wwan0 does not exist yet: waiting for it',
    )
    expect(text).toMatch(/wwan0 .* weight 3 tier 1 standby/)
  })

  it('names what was dropped and refused', () => {
    expect(text).toMatch(/dropAuth\s+3 {2}datagram: the tag is wrong/)
    expect(text).toMatch(/refused mac1\s+12 {2}handshake: made without knowledge/)
  })

  it('has escape sequences only where they are asked for', () => {
    expect(text).not.toContain('\u001b')
    expect(renderStatus({ ...REPORT, peers: [] }, false)).toContain('no peers')
  })
})

describe("people's units", () => {
  it.each([
    [0, '0 s'],
    [59, '59 s'],
    [60, '1 min'],
    [3_601, '1 h'],
    [90_061, '1 d 1 h'],
  ])('%i seconds are %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text)
  })

  it.each([
    [0, '0 bit/s'],
    [124.9, '999 bit/s'],
    [125, '1.00 kbit/s'],
    [124_950, '1.00 Mbit/s'],
    [1.25e9, '10.0 Gbit/s'],
    [1.25e13, '100000 Gbit/s'],
  ])('%d bytes a second are %s', (bytes, text) => {
    expect(bitRate(bytes)).toBe(text)
  })
})

describe('a report', () => {
  const path = (id: number, txDataInWindow: number): PathSnapshot => ({
    path: id,
    label: `u${id}`,
    endpoint: {
      port: 0,
      family: 4,
      remotePort: 5000,
      remote: Uint8Array.of(192, 0, 2, 1, ...Array<number>(12).fill(0)),
      scope: 0,
      local: new Uint8Array(16),
    },
    state: 'up',
    sinceUs: 1_000_000,
    inPlan: true,
    why: '',
    intent: 'up',
    tier: 0,
    weight: 1,
    measurements: {
      usable: true,
      rttUs: 20_500,
      srttUs: 20_000,
      rttvarUs: 100,
      minRttUs: 19_000,
      jitterUs: 1_500,
      rxSkewUs: 0,
      txSkewUs: 250,
      silentUs: 0,
      txBytesPerS: 1000.4,
      rxBytesPerS: 0,
      txBytes: 5,
      rxBytes: 6,
      txDataInWindow,
      rxDataInWindow: 0,
      txErrors: 7,
      rxLoss: { expected: 0, lost: 0 },
      txLoss: { expected: 200, lost: 1 },
      rxLossTotal: { expected: 3, lost: 1 },
      txLossTotal: { expected: 0, lost: 0 },
    },
  })
  const peer: PeerSnapshot = {
    name: 'barge',
    aead: 'aes-256-gcm',
    sessionSinceUs: 2_000_000,
    inUse: true,
    policy: DEFAULT_POLICY,
    paths: [path(0, 30), path(1, 10)],
    measurements: undefined,
  }

  it('is in units that people read', () => {
    const { sessionS, paths, order } = reportPeer(5_500_000, peer, ['10.77.0.2'])
    expect(sessionS).toBe(3)
    expect(order).toBeUndefined()
    expect(paths.map(({ measured }) => measured?.outShare)).toEqual([0.75, 0.25])
    expect(paths[0]).toMatchObject({
      endpoint: '192.0.2.1:5000',
      sinceS: 4,
      measured: {
        rttMs: 20.5,
        jitterMs: 1.5,
        outSkewMs: 0.25,
        outLoss: 0.005,
        inLoss: 0,
        inLossTotal: 0.3333,
        inShare: 0,
        outBytesPerS: 1000,
        sendErrors: 7,
      },
    })
  })

  it('leaves counters out that are zero', () => {
    const counts = reportCounts({
      peers: [],
      counters: { dropAuth: 0, dropReplay: 2 },
      refusals: { mac1: 1 },
    })
    expect(counts).toEqual({ counters: { dropReplay: 2 }, refusals: { mac1: 1 } })
  })
})
