import { command } from '#cli/kit'
import type { TopJson } from '#wire'
import { pathOf } from './each.ts'

export const top = command({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  flags: {},
  min: 1,
  leading: true,
  async run(context, { args: [name = '', ...options] }) {
    const { Titles, Processes } = await context.client.get<TopJson>(`${pathOf(name)}/top`, {
      query: { ps_args: options.join(' ') },
    })
    // As Go's tabwriter with minimal width 20 and padding 3.
    const widths = Titles.map((_, column) =>
      Math.max(20, ...[Titles, ...Processes].map((row) => (row[column]?.length ?? 0) + 3)),
    )
    const line = (row: readonly string[]): string =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('')
    context.io.stdout.write([Titles, ...Processes].map((row) => `${line(row)}\n`).join(''))
    return 0
  },
})
