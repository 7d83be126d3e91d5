import { abbreviate } from '#base'
import { command, flag, formatRows, parseFilterFlags } from '#cli/kit'
import type { NetworkJson } from '#wire'

const COLUMNS = { ID: 'NETWORK ID', Name: 'NAME', Driver: 'DRIVER', Scope: 'SCOPE' }

export const networks = command({
  usage: '[OPTIONS]',
  summary: 'List networks',
  flags: {
    filter: flag.list('Provide filter values (e.g. "driver=bridge")', { short: 'f', value: 'filter' }),
    format: flag.text('Format output: table, json, or a template such as {{.Name}}'),
    'no-trunc': flag.switch('Do not truncate the output'),
    quiet: flag.switch('Only display network IDs', { short: 'q' }),
  },
  max: 0,
  async run({ client, io }, { flags }) {
    const reply = await client.get<readonly NetworkJson[]>('/networks', {
      query: { filters: parseFilterFlags(flags.filter) },
    })
    const found = reply.toSorted((one, two) => (one.Name < two.Name ? -1 : 1))
    const idOf = ({ Id }: NetworkJson): string => (flags['no-trunc'] ? Id : abbreviate(Id))
    if (flags.quiet) io.stdout.write(found.map((network) => `${idOf(network)}\n`).join(''))
    else {
      const rows = found.map((network) => ({
        ID: idOf(network),
        Name: network.Name,
        Driver: network.Driver,
        Scope: network.Scope,
      }))
      io.stdout.write(
        formatRows(rows, { columns: COLUMNS, shown: ['ID', 'Name', 'Driver', 'Scope'], format: flags.format }),
      )
    }
    return 0
  },
})
