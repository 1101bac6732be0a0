/** Figures in the pages of the repository: made from results, put between two marks, never written by hand. */

import { readFileSync, writeFileSync } from 'node:fs'
import { repositoryPath } from '../lab/repository.js'

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

/** Puts it into a page of the repository, and says so. */
export function writeFragment(page: readonly string[], command: string, fragment: string): void {
  const path = repositoryPath(...page)
  writeFileSync(path, replaceFragment(readFileSync(path, 'utf8'), command, fragment))
  console.log(`written: ${path}`)
}
