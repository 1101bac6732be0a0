/** Reading the profiles of valgrind's callgrind ("Callgrind Format Specification"). */

/** Events that each function of some source files spent itself, by name; what it calls is not in it. */
export type Costs = ReadonlyMap<string, number>

const NAME = /^\((\d+)\)(?: (.*))?$/

/** @param isOurs whether a function of this source file counts, code inlined into it included. */
export function selfCosts(profile: string, isOurs: (file: string) => boolean): Costs {
  const files = new Map<string, string>()
  const functions = new Map<string, string>()
  const costs = new Map<string, number>()
  /** Names are written out once and then meant by their number. */
  const named = (names: Map<string, string>, text: string): string => {
    const [, id = '', name] = NAME.exec(text) ?? []
    if (name !== undefined) names.set(id, name)
    return names.get(id) ?? text
  }

  let file = ''
  let current: string | undefined
  let isCall = false
  for (const line of profile.split('\n')) {
    const at = line.indexOf('=')
    const key = at < 0 ? '' : line.slice(0, at)
    const value = line.slice(at + 1)
    if (key === 'fl') {
      file = named(files, value)
    } else if (key === 'fn') {
      const name = named(functions, value)
      current = isOurs(file) ? name : undefined
    } else if (key === 'fi' || key === 'fe' || key === 'cfi' || key === 'cfl') {
      named(files, value)
    } else if (key === 'cfn') {
      named(functions, value)
    } else if (key === 'calls') {
      isCall = true
    } else if (/^[\d+*-]/.test(line)) {
      // The line behind `calls` is what the callee spent.
      if (!isCall && current !== undefined) {
        const cost = Number(line.split(' ')[1])
        costs.set(current, (costs.get(current) ?? 0) + cost)
      }
      isCall = false
    }
  }
  return costs
}
