const MIN_WIDTH = 10
const PADDING = 3

/**
 * Rows under their headings as docker prints them (Go's tabwriter with minimal width 10 and padding 3): every cell but
 * the last is filled up to its column's width, and the last is written as it is.
 */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows]
  const widths = headings.map((_, column) =>
    Math.max(MIN_WIDTH, ...all.map((row) => width(row[column] ?? '') + PADDING)),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - width(cell)),
      )
      .join('')
  return all.map((row) => `${line(row)}\n`).join('')
}

/** Go counts code points. */
function width(text: string): number {
  return Array.from(text).length
}

/** Cut to `length` code points, the last of them an ellipsis. */
export function ellipsis(text: string, length: number): string {
  const points = Array.from(text)
  return points.length <= length ? text : `${points.slice(0, length - 1).join('')}…`
}
