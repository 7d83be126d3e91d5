import { formatTable } from './table.ts'
import { formatTemplate } from './template.ts'

/** Field name of a format template → heading of the table. */
type Columns = Readonly<Record<string, string>>

type Row = Readonly<Record<string, string>>

interface RowOptions {
  readonly columns: Columns
  /** Names of the columns that the plain table shows, in order. */
  readonly shown: readonly string[]
  /** Of the flag --format. */
  readonly format?: string | undefined
}

/** A list as docker prints it: the table, `json` (one object a line), a template a row, or `table TEMPLATE` with headings. */
export function formatRows(rows: readonly Row[], { columns, shown, format }: RowOptions): string {
  if (format === undefined || format === 'table')
    return formatTable(
      headings(shown, columns),
      rows.map((row) => cells(row, shown)),
    )
  if (format === 'json') return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  if (!format.startsWith('table ')) return rows.map((row) => `${formatTemplate(format, row)}\n`).join('')
  const template = format.slice('table '.length).trim()
  const [first = [], ...others] = [columns, ...rows].map((row) => formatTemplate(template, row).split('\t'))
  return formatTable(first, others)
}

const headings = (shown: readonly string[], columns: Columns): readonly string[] =>
  shown.map((name) => columns[name] ?? name)
const cells = (row: Row, shown: readonly string[]): readonly string[] => shown.map((name) => row[name] ?? '')
