import { abbreviate } from '#base'
import { command, flag } from '#cli/kit'
import type { DiskItemJson, DiskOwnerJson, DiskReportJson } from '#wire'
import { exactSize } from './disk-rows.ts'

/** So many of the largest are shown where nothing else is asked for. */
const LIMIT = 10

export const whyDisk = command({
  usage: '[OPTIONS]',
  summary: 'Show the largest things in the data root and who keeps each: they go when all of these are gone',
  flags: {
    format: flag.text('Format output: text or json'),
    limit: flag.number(`How many of the largest things are shown (default ${LIMIT})`, { short: 'n' }),
  },
  max: 0,
  async run({ client, io }, { flags }) {
    const report = await client.get<DiskReportJson>('/x/disk', { query: { limit: flags.limit ?? LIMIT } })
    io.stdout.write(flags.format === 'json' ? `${JSON.stringify(report)}\n` : textOf(report))
    return 0
  },
})

function textOf({ Root, Total, Items, Reclaimable }: DiskReportJson): string {
  return [
    `${Root}: ${exactSize(Total)} (${Total} bytes of blocks)`,
    '',
    ...Items.flatMap((item) => [...linesOf(item), '']),
    `mica system prune gives back ${exactSize(Reclaimable.Prune)};`,
    `mica system prune -a and mica volume prune -a give back ${exactSize(Reclaimable.All)}.`,
    '',
  ].join('\n')
}

/** What lies there, what it is, who keeps it, and how it would go. */
function linesOf(item: DiskItemJson): readonly string[] {
  const size = exactSize(item.Size)
  return [
    `${size}  ${item.Path === '' ? '.' : item.Path}`,
    `  <- ${WORDS[item.Kind] ?? item.Kind}${item.Id === item.Path ? '' : ` ${shortOf(item.Id)}`}`,
    ...item.Owners.map((owner) => `     <- ${ownerText(owner)}`),
    `     ${cureOf(item)}`,
  ]
}

const WORDS: Readonly<Record<string, string>> = {
  layer: 'unpacked layer',
  blob: 'blob of an image',
  writable: 'writable layer of container',
  container: 'log and settings of container',
  volume: 'volume',
  cache: 'build cache',
  registry: 'own registry',
  download: 'cut download, kept for a day',
  work: 'work under way',
  record: "the store's own records",
  leaving: 'being removed',
  unowned: 'nobody: mica did not make it, or lost its record',
}

function shortOf(id: string): string {
  return /^(sha256:)?[0-9a-f]{64}$/.test(id) ? abbreviate(id) : id
}

function ownerText({ Kind, Id, Name }: DiskOwnerJson): string {
  return Kind === 'lease' ? `under way: ${Name}` : `${Kind} ${Name === '' ? shortOf(Id) : Name}`
}

function cureOf({ Kind, Owners, FreedBy }: DiskItemJson): string {
  if (Kind === 'leaving') return 'goes by itself'
  if (Kind === 'record' || Kind === 'unowned' || Kind === 'work') return 'no prune takes it'
  if (FreedBy === 'prune') return 'goes with mica system prune'
  if (FreedBy === 'all') return `goes with mica ${Kind === 'volume' ? 'volume' : 'system'} prune -a`
  return Owners.length > 1 ? `in use: ${Owners.length} would have to go` : 'in use'
}
