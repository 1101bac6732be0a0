import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PATH_LOST } from '../../src/boundary.js'
import { lossSentence, PathLife } from '../../src/core/path.js'
import { MS, SECOND } from './core_fixture.js'

const UPDELAY = 200 * MS

/** A path that is up since `nowUs`. */
function pathUp(nowUs = 0): PathLife {
  const life = new PathLife(nowUs)
  life.handleAlive(nowUs, UPDELAY)
  life.handleTimeout(nowUs)
  return life
}

/** The same, but not for the first time. */
function pathBack(): PathLife {
  const life = pathUp(-60 * SECOND)
  life.handleLost(-SECOND, '', 0)
  life.handleAlive(0, 0)
  life.handleTimeout(0)
  return life
}

/** How long it is held down when it comes alive at `nowUs`; it is up afterwards. */
function holdDown(life: PathLife, nowUs: number, updelayUs = UPDELAY): number {
  life.handleAlive(nowUs, updelayUs)
  const upAtUs = life.nextTimeout()
  expect(life.handleTimeout(upAtUs - 1)).toBe(false)
  expect(life.handleTimeout(upAtUs)).toBe(true)
  return upAtUs - nowUs
}

describe('the life of a path', () => {
  it('begins down, and is up at once the first time that it is alive', () => {
    const life = new PathLife(5)
    expect(life).toMatchObject({ state: 'down', sinceUs: 5 })
    expect(life.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
    life.handleAlive(9, 10 * SECOND)
    expect(life.state).toBe('probing')
    expect(life.nextTimeout()).toBe(9)
    expect(life.handleTimeout(9)).toBe(true)
    expect(life).toMatchObject({ state: 'up', sinceUs: 9, why: '' })
    expect(life.nextTimeout()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is down as soon as it is lost, and says why', () => {
    const life = pathUp()
    life.handleLost(60 * SECOND, 'a reason', UPDELAY)
    expect(life).toMatchObject({ state: 'down', sinceUs: 60 * SECOND, why: 'a reason' })
  })

  it('waits for updelay when it comes back after a stable time', () => {
    const life = pathUp()
    life.handleLost(60 * SECOND, '', UPDELAY)
    expect(holdDown(life, 61 * SECOND)).toBe(UPDELAY)
    life.handleLost(120 * SECOND, '', 0)
    expect(holdDown(life, 121 * SECOND, 0)).toBe(0)
  })

  it('begins its wait anew when it is lost meanwhile', () => {
    const life = pathUp()
    life.handleLost(60 * SECOND, '', UPDELAY)
    life.handleAlive(61 * SECOND, UPDELAY)
    life.handleLost(61 * SECOND + 100 * MS, 'again', UPDELAY)
    expect(life).toMatchObject({ state: 'down', why: 'again' })
    expect(life.handleTimeout(62 * SECOND)).toBe(false)
    expect(holdDown(life, 63 * SECOND)).toBe(UPDELAY)
  })

  it('waits no longer where it is lost soon after the session began', () => {
    const life = pathUp()
    life.handleLost(SECOND, '', UPDELAY)
    expect(holdDown(life, 2 * SECOND)).toBe(UPDELAY)
  })

  it('is held down twice as long each time that it is lost soon, up to 20 s, and forgiven when it was stable', () => {
    const life = pathBack()
    let nowUs = 0
    const holds = Array.from({ length: 8 }, () => {
      nowUs += SECOND
      life.handleLost(nowUs, '', UPDELAY)
      const hold = holdDown(life, nowUs)
      nowUs += hold
      return hold / MS
    })
    expect(holds).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000])
    expect(life.why).toBe('')
    nowUs += 11 * SECOND
    life.handleLost(nowUs, '', UPDELAY)
    expect(holdDown(life, nowUs)).toBe(UPDELAY)
  })

  it('starts doubling from updelay where that is longer', () => {
    const life = pathBack()
    life.handleLost(SECOND, '', 3 * SECOND)
    expect(holdDown(life, SECOND, 3 * SECOND)).toBe(3 * SECOND)
    life.handleLost(5 * SECOND, '', 3 * SECOND)
    expect(holdDown(life, 5 * SECOND, 3 * SECOND)).toBe(6 * SECOND)
  })

  it('tells a path that flaps from one that waits for updelay', () => {
    const fresh = new PathLife(0)
    fresh.handleAlive(SECOND, UPDELAY)
    expect(fresh.why).toBe('it has just been answered')
    const life = pathUp()
    life.handleLost(60 * SECOND, '', UPDELAY)
    life.handleAlive(60 * SECOND, UPDELAY)
    expect(life.why).toBe('alive again, held back for 0.2 s (updelay)')
    life.handleTimeout(61 * SECOND)
    life.handleLost(62 * SECOND, '', UPDELAY)
    life.handleAlive(62 * SECOND, UPDELAY)
    expect(life.why).toBe('it comes and goes: held back for 0.5 s')
  })

  it('can be let in early, which does not forgive it', () => {
    const life = pathBack()
    life.handleLost(SECOND, '', UPDELAY)
    life.handleAlive(SECOND, UPDELAY)
    life.release()
    expect(life.nextTimeout()).toBeLessThanOrEqual(SECOND + 1)
    expect(life.handleTimeout(SECOND + 1)).toBe(true)
    life.handleLost(2 * SECOND, '', UPDELAY)
    expect(holdDown(life, 2 * SECOND)).toBe(SECOND)
  })

  it('is not let in early when it is not alive', () => {
    const life = new PathLife(0)
    life.release()
    expect(life.handleTimeout(1)).toBe(false)
    expect(life.state).toBe('down')
  })

  it('does not care to hear twice that it is alive', () => {
    const life = pathUp()
    life.handleAlive(SECOND, UPDELAY)
    expect(life).toMatchObject({ state: 'up', sinceUs: 0 })
    life.handleLost(60 * SECOND, '', UPDELAY)
    life.handleAlive(61 * SECOND, UPDELAY)
    life.handleAlive(61 * SECOND + 50 * MS, UPDELAY)
    expect(life.nextTimeout()).toBe(61 * SECOND + UPDELAY)
  })

  it('forgets everything with a new session', () => {
    const life = pathUp()
    life.handleLost(SECOND, '', UPDELAY)
    holdDown(life, SECOND)
    life.restart(2 * SECOND)
    expect(life).toMatchObject({ state: 'down', sinceUs: 2 * SECOND })
    expect(life.why).toBe('a new session has begun')
    life.restart(2 * SECOND)
    expect(life.why).toBe('no answer from the other side yet')
    life.restart(2 * SECOND, 'the server was shut down')
    expect(life.why).toBe('the server was shut down')
    expect(holdDown(life, 3 * SECOND)).toBe(0)
  })

  it('is never up but by way of probing, whatever happens in which order', () => {
    const step = fc.tuple(
      fc.constantFrom('alive', 'lost', 'timeout', 'release', 'restart'),
      fc.nat({ max: 15 * SECOND }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const life = new PathLife(0)
        let nowUs = 0
        let isAlive = false
        for (const [what, waitUs] of steps) {
          nowUs += waitUs
          const before = life.state
          if (what === 'alive') life.handleAlive(nowUs, UPDELAY)
          if (what === 'lost') life.handleLost(nowUs, '', UPDELAY)
          if (what === 'release') life.release()
          if (what === 'restart') life.restart(nowUs)
          if (what === 'timeout') {
            expect(life.handleTimeout(nowUs)).toBe(life.state === 'up' && before === 'probing')
            expect(life.nextTimeout()).toBeGreaterThan(nowUs)
          }
          if (what === 'alive') isAlive = true
          if (what === 'lost' || what === 'restart') isAlive = false
          expect(life.state !== 'down').toBe(isAlive)
          if (life.state === 'up' && before !== 'up')
            expect([before, what]).toEqual(['probing', 'timeout'])
          if (life.state === 'probing') {
            expect(life.nextTimeout()).toBeLessThanOrEqual(nowUs + 20 * SECOND)
          }
          if (life.state !== before) expect(life.sinceUs).toBe(nowUs)
        }
      }),
      { seed: 6 },
    )
  })
})

describe('why a path was lost', () => {
  it.each([
    [PATH_LOST.silent.value, 0, 'nothing was heard from the other side'],
    [PATH_LOST.unheard.value, 0, 'the other side does not hear us'],
    [PATH_LOST.closed.value, 0, 'its socket was closed'],
    [PATH_LOST.error.value, 101, 'sending failed: there is no route to the server on its device'],
    [PATH_LOST.error.value, 42, 'sending failed: errno 42'],
  ])('%d with errno %d is a sentence', (why, errno, sentence) => {
    expect(lossSentence(why, errno)).toBe(sentence)
  })
})
