import { abbreviate } from '#base'
import { ago, command, CommandLineError, userSetting, flag, formatRows, parseFilterFlags, size } from '#cli/kit'
import { formatSize, type ImageSummaryJson, type ImageTreeRowJson } from '#wire'
import { treeText } from './image-tree.ts'

const COLUMNS = {
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
}

/** What `--format raw` shows of each. */
const rawOf = (digests: boolean): string => `repository: {{.Repository}}
tag: {{.Tag}}
${digests ? 'digest: {{.Digest}}\n' : ''}image_id: {{.ID}}
created_at: {{.CreatedAt}}
virtual_size: {{.Size}}
`

export const images = command({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  flags: {
    all: flag.switch('Show all images (default hides intermediate images)', { short: 'a' }),
    digests: flag.switch('Show digests'),
    filter: flag.list('Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    format: flag.text('Format output: table, json, or a template such as {{.Repository}}'),
    'no-trunc': flag.switch("Don't truncate output"),
    quiet: flag.switch('Only show image IDs', { short: 'q' }),
    tree: flag.switch('Show each image under the one whose layers it stands on'),
  },
  max: 1,
  async run(context, { flags, args: [name] }) {
    const { client, io, now } = context
    const filters = parseFilterFlags([...flags.filter, ...(name === undefined ? [] : [`reference=${name}`])])
    if (flags.tree) {
      if (flags.quiet || flags.format !== undefined)
        throw new CommandLineError('--tree goes with neither --quiet nor --format', { exit: 1 })
      const rows = await client.get<readonly ImageTreeRowJson[]>('/x/images/tree', {
        query: { all: flags.all, filters },
      })
      io.stdout.write(treeText(rows, flags['no-trunc']))
      return 0
    }
    const found = await client.get<readonly ImageSummaryJson[]>('/images/json', { query: { all: flags.all, filters } })
    const whole = flags['no-trunc']
    if (flags.quiet) {
      const rows = found.flatMap((image) => rowsOf(image, { whole, now, digests: flags.digests }))
      io.stdout.write(rows.map(({ ID }) => `${ID}\n`).join(''))
      return 0
    }
    const rows = found.flatMap((image) => rowsOf(image, { whole, now, digests: flags.digests }))
    const shown = flags.digests
      ? ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size']
      : ['Repository', 'Tag', 'ID', 'CreatedSince', 'Size']
    io.stdout.write(
      formatRows(rows, {
        columns: COLUMNS,
        shown,
        format: flags.format || userSetting(context, 'imagesFormat'),
        raw: rawOf(flags.digests),
        type: '*formatter.imageContext',
      }),
    )
    return 0
  },
})

interface RowOptions {
  readonly whole: boolean
  readonly now: number
  readonly digests: boolean
}

/** One row for each name; one for an image without. */
function rowsOf(
  image: ImageSummaryJson,
  { whole, now, digests }: RowOptions,
): readonly Readonly<Record<keyof typeof COLUMNS, string>>[] {
  const shared = {
    ID: whole ? image.Id : abbreviate(image.Id),
    CreatedSince: ago(image.Created * 1000, now),
    CreatedAt: `${new Date(image.Created * 1000).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
    Size: size(image.Size),
    SharedSize: 'N/A',
    UniqueSize: 'N/A',
    Containers: 'N/A',
    VirtualSize: formatSize(image.Size, 4),
  }
  return names(image, digests).map(([Repository, Tag, Digest]) => ({ Repository, Tag, Digest, ...shared }))
}

type Name = readonly [string, string, string]

function names(image: ImageSummaryJson, digests: boolean): readonly Name[] {
  const byDigest = new Map((image.RepoDigests ?? []).map((text) => cut(text, '@')))
  const tagged = (image.RepoTags ?? [])
    .map((text) => cut(text, ':'))
    .filter(([repository]) => repository !== '<none>')
    .map(([repository, tag]): Name => [repository, tag, byDigest.get(repository) ?? '<none>'])
  if (tagged.length > 0) return tagged
  const untagged = [...byDigest].filter(([repository]) => repository !== '<none>')
  if (untagged.length === 0) return [['<none>', '<none>', '<none>']]
  return digests
    ? untagged.map(([repository, digest]): Name => [repository, '<none>', digest])
    : [[untagged[0]?.[0] ?? '<none>', '<none>', '<none>']]
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.lastIndexOf(separator)
  return [text.slice(0, at), text.slice(at + 1)]
}
