/** Tables for terminals and for Markdown. */

export interface Table {
  readonly title: string
  readonly head: readonly string[]
  /** The first cell is a name, the others are numbers. */
  readonly rows: readonly (readonly string[])[]
}

/** For a terminal: names to the left, numbers to the right. */
export function asText({ title, head, rows }: Table): string {
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    widths
      .map((width, i) => (i === 0 ? (row[i] ?? '').padEnd(width) : (row[i] ?? '').padStart(width)))
      .join('  ')
      .trimEnd()
  return [title, ...all.map((row) => `  ${line(row)}`)].join('\n')
}

export function asMarkdown({ head, rows }: Table): string {
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  const rule = line(head.map((_, i) => (i === 0 ? '---' : '---:')))
  return [line(head), rule, ...rows.map(line)].join('\n')
}
