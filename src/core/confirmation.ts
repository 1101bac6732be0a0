/**
 * Whether a path still passes datagrams as large as it has passed (RFC 8899, section 4.3): mobile networks hand over to
 * others, routes change, and a tunnel may come into the way. It is asked while the path carries something, for
 * then it matters, and the question weighs nothing beside it.
 */

/** CONFIRMATION_TIMER of RFC 8899, section 5.1.1. */
const ASK_AFTER_US = 6_000_000
/** One question and its answer are less than 3 % of that. */
const ASK_AFTER_BYTES = 100_000
/** One is enough of an answer, however late. Where a tenth is lost each way, all of them are once in six hours. */
const MOST_QUESTIONS = 5
/** All of them are above every round trip that is worth it. */
const NEXT_QUESTION_US = 500_000

export class Confirmation {
  #sinceUs: number
  #carriedBytes = 0
  #askAtUs = Number.POSITIVE_INFINITY
  #questions = 0

  constructor(nowUs: number) {
    this.#sinceUs = nowUs
  }

  /** No question was answered, of so many that it is not by chance. */
  get isRefuted(): boolean {
    return this.#questions > MOST_QUESTIONS
  }

  /** The path has carried so many octets, in both directions together. */
  handleCarried(nowUs: number, bytes: number): void {
    this.#carriedBytes += bytes
    if (this.#questions > 0 || this.#carriedBytes < ASK_AFTER_BYTES) return
    this.#askAtUs = Math.max(nowUs, this.#sinceUs + ASK_AFTER_US)
  }

  /** It was confirmed, or cannot be at present. */
  restart(nowUs: number): void {
    this.#sinceUs = nowUs
    this.#carriedBytes = this.#questions = 0
    this.#askAtUs = Number.POSITIVE_INFINITY
  }

  /** Whether to ask now; look at `isRefuted` first. */
  poll(nowUs: number): boolean {
    if (nowUs < this.#askAtUs) return false
    this.#questions++
    this.#askAtUs = nowUs + NEXT_QUESTION_US
    return !this.isRefuted
  }

  nextTimeout(): number {
    return this.#askAtUs
  }
}
