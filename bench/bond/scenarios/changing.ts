/** Links that change, come and go while traffic flows. */

import { type BondLink, type Happening, link, type Scenario } from './scenario.js'

const QUEUE = ',queue=300ms'

const at = (atS: number, name: string, what: Happening['what']): Happening => ({
  atS,
  link: name,
  what,
})

/** Down to a twentieth and back, as on a way out of the cell. */
const FADE_MBIT = [20, 14, 10, 7, 5, 3, 2, 1, 1, 1, 1, 1, 2, 3, 5, 7, 10, 14, 20]
const FADE_FROM_S = 6

/** Satellites change every 15 s, and with them the delay. */
const STARLINK_DELAYS_MS = [25, 45, 25, 45]
const STARLINK_SLOT_S = 15

export const VARYING: readonly Scenario[] = [
  {
    id: 'fade',
    title: '20 @20 ms + one that fades 20, 1, 20 @30 ms',
    group: 'varying',
    links: [link('a', 20, 20, QUEUE), link('b', 20, 30, QUEUE)],
    happenings: FADE_MBIT.map((mbit, step) => at(FADE_FROM_S + step, 'b', `set rate=${mbit}`)),
    leastS: 32,
    isCourseOfLink: true,
  },
  {
    id: 'starlink',
    title: '20 @40 ms + 50 @25 ms that steps by 20 ms every 15 s',
    group: 'varying',
    links: [link('lte', 20, 40, QUEUE), link('sat', 50, 25, QUEUE)],
    happenings: STARLINK_DELAYS_MS.slice(1).map((ms, index) =>
      at((index + 1) * STARLINK_SLOT_S, 'sat', `set delay=${ms}`),
    ),
    leastS: STARLINK_DELAYS_MS.length * STARLINK_SLOT_S,
    isCourseOfLink: true,
  },
  {
    id: 'flaps',
    title: '20 @20 ms + 20 @20 ms that is gone one second of three',
    group: 'varying',
    links: [link('a', 20, 20, QUEUE), link('b', 20, 20, QUEUE)],
    happenings: [6, 9, 12, 15, 18, 21].flatMap((atS) => [
      at(atS, 'b', 'cut'),
      at(atS + 1, 'b', 'restore'),
    ]),
    leastS: 26,
    isCourseOfLink: true,
  },
]

const CUT_FROM_S = 8
const CUT_S = 4
const WHOLE_S = 6

/** Each link in turn, with time to come back before the next. */
function inTurn(
  links: readonly BondLink[],
  away: Happening['what'],
  back: Happening['what'],
): Pick<Scenario, 'links' | 'happenings' | 'leastS'> {
  const turnS = CUT_S + WHOLE_S
  return {
    links,
    happenings: links.flatMap(({ name }, index) => [
      at(CUT_FROM_S + index * turnS, name, away),
      at(CUT_FROM_S + index * turnS + CUT_S, name, back),
    ]),
    leastS: CUT_FROM_S + links.length * turnS,
  }
}

const TWO = [link('a', 20, 10, QUEUE), link('b', 20, 25, QUEUE)]

export const CUTS: readonly Scenario[] = [
  {
    id: 'cut',
    title: '20 @10 ms + 20 @25 ms, each cut in turn without a sign',
    group: 'cuts',
    loads: ['tcp', 'udp', 'mix'],
    ...inTurn(TWO, 'cut', 'restore'),
  },
  {
    id: 'unplug',
    title: '20 @10 ms + 20 @25 ms, each pulled out in turn',
    group: 'cuts',
    loads: ['tcp', 'udp', 'mix'],
    ...inTurn(TWO, 'unplug', 'plug'),
  },
  {
    id: 'cut-three',
    title: '20 @10 ms + 10 @30 ms + 5 @50 ms, each cut in turn',
    group: 'cuts',
    loads: ['tcp', 'mix'],
    ...inTurn(
      [link('a', 20, 10, QUEUE), link('b', 10, 30, QUEUE), link('c', 5, 50, QUEUE)],
      'cut',
      'restore',
    ),
  },
  {
    id: 'cut-fast',
    title: '300 @10 ms + 80 @30 ms, each cut in turn',
    group: 'cuts',
    ...inTurn([link('a', 300, 10), link('b', 80, 30)], 'cut', 'restore'),
  },
]
