import { createView, NIL_POINTER, parseTemplate, TemplateError } from '#cli/template'
import { CommandLineError } from './error.ts'
import { formatTable } from './table.ts'

/** Field name of a format template → heading of the table. */
type Columns = Readonly<Record<string, string>>

/** Null is a pointer to nothing. */
type Row = Readonly<Record<string, string | null>>

interface RowOptions {
  readonly columns: Columns
  /** Names of the columns that the plain table shows, in order. */
  readonly shown: readonly string[]
  /** Of the flag --format. */
  readonly format?: string | undefined
  /** The template that `raw` stands for. */
  readonly raw?: string
  /** What docker calls a row in errors: «*formatter.ContainerContext». */
  readonly type?: string
  /** Labels of each row, for `.Label "name"`; absent where rows have none. */
  readonly labels?: readonly Readonly<Record<string, string>>[]
  /** What comes before a template's complaint, where it is not «template parsing error». */
  readonly complaint?: Readonly<Record<'parse' | 'execution', string>>
}

/**
 * A list as docker prints it: the table, `json` (one object a line), a template a row, or `table TEMPLATE` with headings.
 * Throws a CommandLineError in docker's words where a template is wrong.
 */
export function formatRows(rows: readonly Row[], options: RowOptions): string {
  const { columns, shown } = options
  const asked = options.format ?? ''
  const format = asked === 'raw' ? (options.raw ?? asked) : asked
  if (format === '' || format === 'table')
    return formatTable(
      headings(shown, columns),
      rows.map((row) => cells(row, shown)),
    )
  if (format === 'json') return rows.map((row) => `${JSON.stringify(sorted(row))}\n`).join('')
  if (!format.startsWith('table'))
    return complaining(options, () => lines(format.replaceAll(/^ +| +$/g, ''), rows, options).join(''))
  const template = format.slice('table'.length).trim()
  const [first = [], ...others] = complaining(options, () => [
    heading(template, options),
    ...lines(template, rows, options).map((line) => line.slice(0, -1)),
  ]).map((line) => line.split('\t'))
  return formatTable(first, others)
}

function lines(format: string, rows: readonly Row[], { type = 'map[string]string', labels }: RowOptions): string[] {
  const template = parseTemplate(unescape(format))
  return rows.map((row, index) => {
    const own = labels?.[index] ?? {}
    const label = (name: string): string => (Object.hasOwn(own, name) ? (own[name] ?? '') : '')
    const fields = Object.entries(sorted(row)).map(([name, value]) => [name, value ?? NIL_POINTER])
    return `${template.execute(createView(type, Object.fromEntries(fields), labels === undefined ? {} : { Label: label }))}\n`
  })
}

/** Headings take the rows' place; a label's is the last part of its name. */
function heading(format: string, { columns, labels }: RowOptions): string {
  const label = (name: string): string => (name.split('.').at(-1) ?? '').replace(/[-_]/g, ' ')
  const view = createView('formatter.SubHeaderContext', columns, labels === undefined ? {} : { Label: label })
  return parseTemplate(unescape(format)).execute(view, { heading: true })
}

function unescape(template: string): string {
  return template.replaceAll('\\t', '\t').replaceAll('\\n', '\n')
}

function complaining<T>({ complaint }: RowOptions, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    throw new CommandLineError(`${complaint?.[error.during] ?? 'template parsing error'}: ${error.message}`, {
      exit: 1,
    })
  }
}

/** «a=1,b=2», by name. */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(sorted(labels))
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}

const sorted = <T>(row: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(row).toSorted(([one], [two]) => (one < two ? -1 : 1)))
const headings = (shown: readonly string[], columns: Columns): readonly string[] =>
  shown.map((name) => columns[name] ?? name)
const cells = (row: Row, shown: readonly string[]): readonly string[] => shown.map((name) => row[name] ?? '')
