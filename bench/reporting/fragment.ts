/** Figures in the pages of the repository: made from results, put between two marks, never written by hand. */

const markOf = (command: string, word: 'begin' | 'end') =>
  `<!-- figures of npm run ${command}: ${word} -->`

/** What stands between a command's marks; undefined without marks. */
export function readFragment(text: string, command: string): string | undefined {
  const mark = markOf(command, 'begin')
  const begin = text.indexOf(mark)
  const end = text.indexOf(markOf(command, 'end'))
  return begin < 0 || end < begin ? undefined : text.slice(begin + mark.length, end).trim()
}

/** The text with another fragment between the marks. @throws Error without marks. */
export function replaceFragment(text: string, command: string, fragment: string): string {
  const [begin, end] = [markOf(command, 'begin'), markOf(command, 'end')]
  if (readFragment(text, command) === undefined) {
    throw new Error(`the text has no lines ${begin} and ${end}; put them where the figures belong`)
  }
  const before = text.slice(0, text.indexOf(begin) + begin.length)
  return `${before}\n${fragment}\n${text.slice(text.indexOf(end))}`
}
