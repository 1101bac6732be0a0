/** Charts in SVG 1.1: a white sheet with a title, a caption and what is drawn below. */

export interface Sheet {
  /** In pixels, as all lengths here. */
  readonly width: number
  readonly height: number
  /** Left of title and caption. */
  readonly margin: number
  readonly title: string
  readonly caption: string
  /** SVG elements, from 60 downwards. */
  readonly body: string
}

export function sheet({ width, height, margin, title, caption, body }: Sheet): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, -apple-system, 'Segoe UI', sans-serif" font-size="13" fill="#0f172a">
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
<text x="${margin}" y="32" font-size="17" font-weight="600">${xml(title)}</text>
<text x="${margin}" y="50" font-size="11" fill="#475569">${xml(caption)}</text>
${body}
</svg>
`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** Text as it may stand in an element. */
export const xml = (text: string) => text.replace(/[&<>]/g, (each) => ENTITIES[each] ?? each)
