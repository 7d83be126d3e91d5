import { abbreviate } from '#base'
import { command, userSetting, flag, formatLabels, formatRows, parseFilterFlags } from '#cli/kit'
import type { NetworkJson } from '#wire'

const COLUMNS = {
  ID: 'NETWORK ID',
  Name: 'NAME',
  Driver: 'DRIVER',
  Scope: 'SCOPE',
  IPv4: 'IPV4',
  IPv6: 'IPV6',
  Internal: 'INTERNAL',
  Labels: 'LABELS',
  CreatedAt: 'CREATED AT',
}

/** What `--format raw` shows of each. */
const RAW = 'network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n'

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
  async run(context, { flags }) {
    const { client, io } = context
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
        IPv4: String(network.EnableIPv4 ?? false),
        IPv6: String(network.EnableIPv6),
        Internal: String(network.Internal),
        Labels: formatLabels(network.Labels),
        CreatedAt: network.Created,
      }))
      io.stdout.write(
        formatRows(rows, {
          columns: COLUMNS,
          shown: ['ID', 'Name', 'Driver', 'Scope'],
          format: flags.format || userSetting(context, 'networksFormat'),
          raw: RAW,
          type: '*network.networkContext',
          labels: found.map(({ Labels }) => Labels),
        }),
      )
    }
    return 0
  },
})
