/** What the demo says of the tunnel, and whether that was so. */

import type { Screen } from './screen.js'

/** Every claim decides about the exit code. */
export class Claims {
  readonly #screen: Screen
  #broken = 0

  constructor(screen: Screen) {
    this.#screen = screen
  }

  get areTrue(): boolean {
    return this.#broken === 0
  }

  /** @param found the figures behind it, for both cases. */
  check(isTrue: boolean, claim: string, found: string): void {
    if (!isTrue) this.#broken++
    const mark = isTrue ? this.#screen.paint('green', 'yes') : this.#screen.paint('red', 'NO ')
    this.#screen.line(`  ${mark}  ${claim}: ${found}`)
  }

  /** A figure that is aimed at and not promised: said when it is not reached. */
  aim(isReached: boolean, shortfall: string): void {
    if (!isReached) this.#screen.line(`  ${this.#screen.paint('yellow', '!  ')}  ${shortfall}`)
  }
}
