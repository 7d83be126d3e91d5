import { abbreviate } from '#base'
import { type Context, formatRows, size } from '#cli/kit'
import type {
  HiddenPathJson,
  ImageFilesHeadJson,
  ImageFilesLineJson,
  ImageFilesTotalsJson,
  PathOriginJson,
} from '#wire'
import { printable } from './diff-text.ts'
import { checked } from './stream.ts'

const COLUMNS = {
  Layer: 'LAYER',
  Size: 'SIZE',
  Path: 'PATH',
  Type: 'TYPE',
  Hidden: 'HIDDEN',
  HiddenSize: 'HIDDEN SIZE',
}
const SHOWN = ['Layer', 'Size', 'Path', 'Hidden']

export interface FilesWanted {
  readonly paths: readonly string[]
  readonly format: string | undefined
  /** Whole digests. */
  readonly whole: boolean
  /** Only what hides something, or is hidden. */
  readonly wasted: boolean
  /** Percent of the layers' bytes that must be seen. */
  readonly least: number | undefined
}

/** `mica layers --files`: which layer each path comes from, and what it hides. */
export async function showFiles({ client, io }: Context, name: string, wanted: FilesWanted): Promise<number> {
  const path = wanted.paths.length === 0 ? {} : { path: wanted.paths }
  const lines = client.lines<ImageFilesLineJson>('GET', `/x/images/${encodeURIComponent(name)}/files`, { query: path })
  const rows: ReturnType<typeof rowOf>[] = []
  let names: readonly string[] = []
  let totals: ImageFilesTotalsJson['Totals'] | undefined
  let found = false
  for await (const line of checked(lines)) {
    if ('Layers' in line) names = namesOf(line, wanted.whole)
    else if ('Totals' in line) totals = line.Totals
    else {
      found = true
      if (wanted.wasted && line.Hidden.every(({ Size }) => Size === 0)) continue
      if (wanted.format === undefined) io.stdout.write(`${textOf(line, names)}\n`)
      else rows.push(rowOf(line, names))
    }
  }
  if (wanted.format !== undefined)
    io.stdout.write(formatRows(rows, { columns: COLUMNS, shown: SHOWN, format: wanted.format }))
  else if (totals) io.stdout.write(totalsText(totals, names.length))
  if (!found && wanted.paths.length > 0) {
    io.stderr.write(`Error: no layer of ${name} has ${wanted.paths.join(' or ')}\n`)
    return 1
  }
  return verdict(io.stderr, totals?.Efficiency ?? 1, wanted.least)
}

function verdict(stderr: Context['io']['stderr'], efficiency: number, least: number | undefined): number {
  if (least === undefined || efficiency * 100 >= least) return 0
  stderr.write(`Error: only ${percent(efficiency)} of the layers' bytes are seen, ${least}% are wanted\n`)
  return 1
}

function namesOf({ Layers }: ImageFilesHeadJson, whole: boolean): readonly string[] {
  return Layers.map(({ DiffId }) => (whole ? DiffId : abbreviate(DiffId)))
}

const SIZE_WIDTH = 9

function textOf(line: PathOriginJson, names: readonly string[]): string {
  const { Path, Layer, Type, Size = 0 } = line
  const width = names[0]?.length ?? 0
  const layer = (Layer === undefined ? '-' : (names[Layer] ?? '')).padEnd(width)
  const shown = Type === 'file' ? size(Size) : ''
  const hidden = line.Hidden.filter((entry) => entry.Type !== 'directory')
  const tail = hidden.length === 0 ? '' : `  (${hiddenText(line, hidden, names)})`
  return `${layer} ${shown.padStart(SIZE_WIDTH)}  ${printable(Path)}${Type === 'directory' ? '/' : ''}${tail}`
}

/** «hides 1.2kB of 0123456789ab»; for what is gone «10MB of 0123456789ab, removed by ba9876543210». */
function hiddenText({ Layer }: PathOriginJson, hidden: readonly HiddenPathJson[], names: readonly string[]): string {
  const parts = hidden.map((entry) => `${size(entry.Size)} of ${names[entry.Layer]}`).join(', ')
  if (Layer !== undefined) return `hides ${parts}`
  return `${parts}, removed by ${names[hidden.at(-1)?.By ?? 0]}`
}

function totalsText(totals: ImageFilesTotalsJson['Totals'], layers: number): string {
  const { Files, Bytes, HiddenFiles, HiddenBytes, Efficiency } = totals
  const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
  const seen = `${count(Files, 'file')} seen (${size(Bytes)}) in ${count(layers, 'layer')}`
  return `${seen}, ${HiddenFiles} hidden (${size(HiddenBytes)}): ${percent(Efficiency)} of the bytes are seen\n`
}

function percent(share: number): string {
  // rounded down: nothing is whole that is not
  return `${Math.floor(share * 1000) / 10}%`
}

function rowOf(
  { Path, Layer, Type, Size, Hidden }: PathOriginJson,
  names: readonly string[],
): Readonly<Record<keyof typeof COLUMNS, string>> {
  return {
    Layer: Layer === undefined ? '' : (names[Layer] ?? ''),
    Size: Size === undefined ? '' : String(Size),
    Path,
    Type: Type ?? '',
    Hidden: Hidden.map((entry) => names[entry.Layer]).join(','),
    HiddenSize: String(Hidden.reduce((sum, entry) => sum + entry.Size, 0)),
  }
}
