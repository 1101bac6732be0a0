/** The place of the demo: a home with two lines, each behind a NAT, and a server on the Internet. */

import type { LabLink } from '../lab/lab.js'

export interface Line {
  /** Also of the network device. */
  name: string
  title: string
  mbit: number
  /** One way. */
  delayMs: number
}

export const DSL: Line = { name: 'dsl', title: 'DSL', mbit: 20, delayMs: 15 }
export const LTE: Line = { name: 'lte', title: 'LTE', mbit: 12, delayMs: 40 }
export const LINES = [DSL, LTE]

export const LINKS: readonly LabLink[] = LINES.map(({ name, mbit, delayMs }) => ({
  name,
  description: `rate=${mbit},delay=${delayMs}`,
}))

export function drawing(): string {
  const wire = ({ title, mbit, delayMs }: Line) =>
    `--- ${title} ${mbit} Mbit/s, ${delayMs} ms `.padEnd(28, '-')
  return `
     home                                                      data centre
  +--------+                                                  +------------+
  |        |${wire(DSL)}[ NAT ]-----.        |            |
  | mptun  |                                         +--------|   mptun    |
  | client |${wire(LTE)}[ NAT ]-----'        |   server   |
  |        |                                                  |            |
  |  mpc0 ===================== the tunnel ======================= mps0    |
  +--------+                                                  +------------+
`
}
