/** A hundred daemons on two cores take a quarter of it from their start until they carry. */
const START_MS = 60_000
const POLL_MS = 50

/** Asks until the answer is yes. Rejects, with what is told of it then, when that takes too long. */
export async function until(what: string, isSo: () => Promise<boolean>, tell = () => '') {
  const deadlineMs = performance.now() + START_MS
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for ${what}\n${tell()}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
