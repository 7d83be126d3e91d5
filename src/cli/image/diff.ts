import { invalid } from '#base'
import { type Command, command, type Context, flag, formatRows } from '#cli/kit'
import type { ChangeJson, ImageDiffHeadJson, ImageDiffLineJson, PathDifferenceJson } from '#wire'
import { configText, differenceText, LETTERS, totalsText } from './diff-text.ts'
import { checked } from './stream.ts'

const COLUMNS = {
  Kind: 'KIND',
  Path: 'PATH',
  Type: 'TYPE',
  Size: 'SIZE',
  SizeBefore: 'SIZE BEFORE',
  What: 'WHAT',
}
const SHOWN = ['Kind', 'Size', 'SizeBefore', 'Path', 'What']

const flags = {
  'exit-code': flag.switch('Exit with 1 where the images differ'),
  format: flag.text('Format output: table, json, or a template such as {{.Path}} (two images only)'),
  times: flag.switch('Also show files that differ by their time alone (two images only)'),
}

interface Wanted {
  readonly 'exit-code': boolean
  readonly format: string | undefined
  readonly times: boolean
}

/** `mica diff`: of a container as docker does, or of two images. */
export const diff = command({
  usage: '[OPTIONS] CONTAINER | IMAGE IMAGE',
  summary: "Inspect changes on a container's filesystem, or what two images differ in",
  flags,
  min: 1,
  max: 2,
  run: (context, input) => {
    const [one = '', other] = input.args
    return other === undefined ? ofContainer(context, one) : ofImages(context, [one, other], input.flags)
  },
})

export const diffImages: Command = command({
  usage: '[OPTIONS] IMAGE IMAGE',
  summary: 'Show what two images differ in: files added, changed and removed, from their layers alone',
  flags,
  min: 2,
  max: 2,
  run: (context, { flags: wanted, args: [one = '', other = ''] }) => ofImages(context, [one, other], wanted),
})

async function ofContainer({ client, io }: Context, name: string): Promise<number> {
  if (name.trim() === '') throw invalid('Container name cannot be empty')
  const changes = await client.get<readonly ChangeJson[] | null>(`/containers/${encodeURIComponent(name)}/changes`)
  io.stdout.write((changes ?? []).map(({ Kind, Path }) => `${LETTERS[Kind]} ${Path}\n`).join(''))
  return 0
}

async function ofImages(
  { client, io }: Context,
  [one, other]: readonly [string, string],
  { 'exit-code': tells, format, times }: Wanted,
): Promise<number> {
  const query = { to: other, ...(times && { times }) }
  const lines = client.lines<ImageDiffLineJson>('GET', `/x/images/${encodeURIComponent(one)}/diff`, { query })
  const rows: ReturnType<typeof rowOf>[] = []
  const write = (text: string): void => void (format === undefined && io.stdout.write(text))
  let head: ImageDiffHeadJson | undefined
  let differs = false
  for await (const line of checked(lines)) {
    if ('Totals' in line) {
      if (head) write(totalsText(head, line))
    } else if ('SharedLayers' in line) {
      head = line
      differs ||= line.Config.length > 0
      write(configText(line))
    } else {
      differs = true
      write(differenceText(line))
      if (format !== undefined) rows.push(rowOf(line))
    }
  }
  if (format !== undefined) io.stdout.write(formatRows(rows, { columns: COLUMNS, shown: SHOWN, format }))
  return tells && differs ? 1 : 0
}

function rowOf({
  Kind,
  Path,
  What,
  Before,
  After,
}: PathDifferenceJson): Readonly<Record<keyof typeof COLUMNS, string>> {
  return {
    Kind: LETTERS[Kind],
    Path,
    Type: (After ?? Before)?.Type ?? '',
    Size: String(After?.Size ?? ''),
    SizeBefore: String(Before?.Size ?? ''),
    What: (What ?? []).join(','),
  }
}
