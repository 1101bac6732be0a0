import { describe, expect, it } from 'vitest'
import type { PathSnapshot, PeerSnapshot } from '../../src/core/snapshot.js'
import { reportCounts, reportPeer } from '../../src/daemon/report.js'
import { renderStatus } from '../../src/rendering.js'
import type {
  PathMeasured,
  PathReport,
  PeerReport,
  RepairReport,
  StatusReport,
  WindowReport,
} from '../../src/status.js'
import { policyOf } from './core_fixture.js'

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
  window: undefined,
}

const PATH: PathReport = {
  path: 0,
  label: 'eth0',
  endpoint: '192.0.2.1:5000',
  state: 'up',
  sinceS: 125,
  inUse: true,
  why: '',
  notes: [],
  intent: 'up',
  tier: 0,
  weight: 3,
  metered: false,
  capBytesPerS: 0,
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
      modeInUse: 'balance-rr',
      addresses: [],
      warning: '',
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
      repair: undefined,
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

  it('says so when there is a session and no path that works', () => {
    const down = { ...PATH, state: 'down' as const, inUse: false, why: 'the device eth0 is down' }
    const shown = (changes: Partial<PeerReport>) =>
      renderStatus({ ...REPORT, peers: [{ ...REPORT.peers[0]!, ...changes }] }, false)
    const told = 'balance-rr\n  no path works: nothing gets through\n  path '
    expect(shown({ paths: [down, down] })).toContain(told)
    expect(shown({ paths: [down, PATH] })).not.toContain('no path works')
    expect(shown({ paths: [] })).not.toContain('no path works')
    expect(shown({ paths: [down], sessionS: undefined })).not.toContain('no path works')
  })

  it('knows no round trip of a path that was never answered', () => {
    const silent = { ...PATH, state: 'down' as const, measured: { ...MEASURED, smoothedRttMs: 0 } }
    const [peer] = REPORT.peers
    const peers = [{ ...peer!, paths: [silent] }]
    expect(renderStatus({ ...REPORT, peers }, false)).toMatch(
      /eth0 +down +2 min 5 s +- +- +1\.2% 0%/,
    )
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

describe('the text of a status in the mode adaptive', () => {
  const window: WindowReport = {
    suspect: false,
    suspicions: 2,
    windowBytes: 61_000,
    inflightBytes: 34_400,
    canBytesPerS: 2_275_000,
    queueMs: 4.3,
    targetMs: 10,
    lost: 0.01,
  }
  const repair: RepairReport = {
    backlogBytes: 12_000,
    backlogMs: 3.5,
    queueDropped: 7,
    queueMarked: 1,
    resent: 20,
    resentBytes: 28_000,
    copied: 3,
    givenUp: 0,
    resentShare: 0.02,
    copiedShare: 0.003,
    droppedShare: 0.001,
    feedbackBytes: 9_000,
    feedbackBytesPerS: 2_500,
    compressed: 800,
    savedBytes: 24_000,
  }
  const path = (label: string, changes: Partial<WindowReport>, ...notes: string[]): PathReport => ({
    ...PATH,
    label,
    notes,
    measured: { ...MEASURED, window: { ...window, ...changes } },
  })
  const [peer] = REPORT.peers
  const text = (changes: Partial<PeerReport>) =>
    renderStatus({ ...REPORT, peers: [{ ...peer!, mode: 'adaptive', ...changes }] }, false)

  it('shows what each path can, what is under way, and its queue', () => {
    const shown = text({
      modeInUse: 'adaptive',
      paths: [path('dsl', {}), path('lte', { canBytesPerS: 0 }), { ...PATH, measured: undefined }],
      repair,
    })
    expect(shown).toMatch(/ {2}can +under way +queue +use/)
    expect(shown).toMatch(/^ {2}dsl +up .* 18\.2 Mbit\/s +34\/61 kB +4\/10 ms +- +192/m)
    expect(shown).toMatch(/^ {2}lte +up .* - +34\/61 kB +4\/10 ms/m)
    expect(shown).toContain('  queue 12 kB, 3.50 ms old; dropped 7 (0.1%), marked 1\n')
    expect(shown).toContain(
      '  sent again 20 (2.0%), copied 3 (0.3%), given up 0; feedback 20.0 kbit/s\n',
    )
    expect(shown).toContain('  headers of 800 packets compressed, 24 kB saved\n')
  })

  it('shows caps and what costs money, and no weights', () => {
    const paths = [{ ...path('lte', {}), tier: 1, metered: true, capBytesPerS: 250_000 }]
    expect(text({ modeInUse: 'adaptive', paths })).toContain(
      '  tier 1 metered at most 2.00 Mbit/s  ',
    )
    expect(text({ modeInUse: 'balance-rr', paths })).toContain('  weight 3 tier 1 metered  ')
  })

  it('shows a suspect path as such, and says what became of its packets', () => {
    const note = 'is suspect: no answer since 40 ms; its packets were sent again on others'
    const shown = text({ modeInUse: 'adaptive', paths: [path('lte', { suspect: true }, note)] })
    expect(shown).toMatch(/^ {2}lte +suspect /m)
    expect(shown).toContain(`  lte ${note}\n`)
  })

  it('says when another mode is carried out', () => {
    expect(text({ modeInUse: 'balance-rr' })).toContain(
      '  mode adaptive needs a newer mptun on the other side: balance-rr is used\n',
    )
    expect(text({ modeInUse: 'adaptive' })).not.toContain('needs a newer')
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
    notes: [],
    intent: 'up',
    tier: 0,
    weight: 1,
    metered: false,
    capBytesPerS: 0,
    measurements: {
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
      recentTxBytesPerS: 900,
      txBytes: 5,
      rxBytes: 6,
      txDataInWindow,
      rxDataInWindow: 0,
      txErrors: 7,
      rxLoss: { expected: 0, lost: 0 },
      txLoss: { expected: 200, lost: 1 },
      rxLossTotal: { expected: 3, lost: 1 },
      txLossTotal: { expected: 0, lost: 0 },
      suspect: true,
      suspicions: 4,
      suspicionsInWindow: 1,
      windowBytes: id * 50_000,
      inflightBytes: 20_000,
      deliveryBytesPerS: 2_500_000,
      wasFull: true,
      queueUs: 4_500,
      targetUs: 10_000,
      reported: { expected: 100, lost: 3 },
    },
  })
  const peer: PeerSnapshot = {
    name: 'barge',
    aead: 'aes-256-gcm',
    sessionSinceUs: 2_000_000,
    inUse: true,
    policy: policyOf({}),
    mode: 'balance-rr',
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

  it('has windows where there are some, and repairs in the mode that makes them', () => {
    const measurements: PeerSnapshot['measurements'] = {
      inUse: true,
      held: 1,
      txPackets: 1000,
      rxPackets: 2,
      heldTotal: 3,
      provedLost: 4,
      deadlinePassed: 5,
      late: 6,
      duplicates: 7,
      backlogBytes: 8,
      backlogUs: 9_000,
      queueDropped: 10,
      queueMarked: 11,
      resent: 12,
      resentBytes: 13,
      copied: 14,
      givenUp: 15,
      txFeedbackBytes: 16,
      compressed: 18,
      savedBytes: 540,
      inWindow: {
        txPackets: 90,
        queueDropped: 10,
        resent: 9,
        copied: 45,
        givenUp: 0,
        feedbackBytesPerS: 17.4,
      },
      recentResentBytesPerS: 0,
    }
    const adaptive: PeerSnapshot = { ...peer, mode: 'adaptive', measurements }
    const report = reportPeer(5_500_000, adaptive, [])
    expect(report).toMatchObject({ mode: 'balance-rr', modeInUse: 'adaptive' })
    expect(report.order).toMatchObject({ outPackets: 1000, inPackets: 2, duplicates: 7 })
    expect(report.order).not.toHaveProperty('resent')
    expect(report.repair).toMatchObject({
      backlogMs: 9,
      resent: 12,
      resentShare: 0.1,
      copiedShare: 0.5,
      droppedShare: 0.1,
      feedbackBytes: 16,
      feedbackBytesPerS: 17,
      compressed: 18,
      savedBytes: 540,
    })
    const [without, windowed] = report.paths.map(({ measured }) => measured?.window)
    expect(without).toBeUndefined()
    expect(windowed).toEqual({
      suspect: true,
      suspicions: 4,
      windowBytes: 50_000,
      inflightBytes: 20_000,
      canBytesPerS: 2_500_000,
      queueMs: 4.5,
      targetMs: 10,
      lost: 0.03,
    })
    expect(reportPeer(0, { ...peer, measurements }, []).repair).toBeUndefined()
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
