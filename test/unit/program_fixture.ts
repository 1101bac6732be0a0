/** A Run that answers from a script and remembers what was asked. */
export function scripted(answers: Record<string, string | Error>) {
  const calls: string[] = []
  return {
    calls,
    run: async (program: string, args: readonly string[]) => {
      const call = [program, ...args].join(' ')
      calls.push(call)
      const answer = answers[call] ?? (args[0] === '-json' ? '[]' : '')
      if (answer instanceof Error) throw answer
      return answer
    },
  }
}
