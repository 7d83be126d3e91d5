import { abbreviate } from '#base'
import { ago, command, ellipsis, flag, formatRows, isoLocal, size } from '#cli/kit'
import { parsePlatform } from '#oci'
import type { HistoryJson } from '#wire'

const COLUMNS = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
}
const CREATED_BY_WIDTH = 45

export const history = command({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  flags: {
    format: flag.text('Format output: table, json, or a template such as {{.CreatedBy}}'),
    human: flag.switch('Print sizes and dates in human readable format', { short: 'H', on: true }),
    'no-trunc': flag.switch("Don't truncate output"),
    platform: flag.text('Show history for the given platform, as os/architecture[/variant]'),
    quiet: flag.switch('Only show image IDs', { short: 'q' }),
  },
  min: 1,
  max: 1,
  async run({ client, io, now }, { flags, args: [name = ''] }) {
    const query = flags.platform === undefined ? {} : { platform: JSON.stringify(parsePlatform(flags.platform)) }
    const path = `/images/${encodeURIComponent(name)}/history`
    const entries = await client.get<readonly HistoryJson[]>(path, { query })
    const whole = flags['no-trunc']
    const idOf = (id: string): string => (whole || id === '<missing>' ? id : abbreviate(id))
    if (flags.quiet) {
      io.stdout.write(entries.map(({ Id }) => `${idOf(Id)}\n`).join(''))
      return 0
    }
    const rows = entries.map((entry) => {
      const created = entry.Created * 1000
      const by = entry.CreatedBy.replaceAll('\t', ' ')
      return {
        ID: idOf(entry.Id),
        CreatedSince: flags.human ? since(created, now) : isoLocal(created),
        CreatedAt: isoLocal(created),
        CreatedBy: whole ? by : ellipsis(by, CREATED_BY_WIDTH),
        Size: flags.human ? size(entry.Size) : String(entry.Size),
        Comment: entry.Comment,
      }
    })
    const shown = ['ID', flags.human ? 'CreatedSince' : 'CreatedAt', 'CreatedBy', 'Size', 'Comment']
    io.stdout.write(
      formatRows(rows, { columns: COLUMNS, shown, format: flags.format, type: '*formatter.historyContext' }),
    )
    return 0
  },
})

/** A time that is not set is not shown. */
function since(created: number, now: number): string {
  return created <= 0 ? 'N/A' : ago(created, now)
}
