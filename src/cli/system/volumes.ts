import { EngineError, invalid } from '#base'
import { command, complaint, userSetting, flag, formatLabels, formatRows, pairsOf, parseFilterFlags } from '#cli/kit'
import type { VolumeJson } from '#wire'

const COLUMNS = {
  Driver: 'DRIVER',
  Name: 'VOLUME NAME',
  Mountpoint: 'MOUNTPOINT',
  Scope: 'SCOPE',
  Labels: 'LABELS',
  Availability: 'AVAILABILITY',
  Group: 'GROUP',
  Links: 'LINKS',
  Size: 'SIZE',
  Status: 'STATUS',
}

/** What `--format raw` shows of each. */
const RAW = 'name: {{.Name}}\\ndriver: {{.Driver}}\\n'

export const volumes = command({
  usage: '[OPTIONS]',
  summary: 'List volumes',
  flags: {
    filter: flag.list('Provide filter values (e.g. "dangling=true")', { short: 'f', value: 'filter' }),
    format: flag.text('Format output: table, json, or a template such as {{.Name}}'),
    quiet: flag.switch('Only display volume names', { short: 'q' }),
  },
  max: 0,
  async run(context, { flags }) {
    const { client, io } = context
    const reply = await client.get<{ readonly Volumes: readonly VolumeJson[] | null }>('/volumes', {
      query: { filters: parseFilterFlags(flags.filter) },
    })
    const found = (reply.Volumes ?? []).toSorted((one, two) => (one.Name < two.Name ? -1 : 1))
    if (flags.quiet) io.stdout.write(found.map(({ Name }) => `${Name}\n`).join(''))
    else {
      const rows = found.map(({ Driver, Name, Mountpoint, Scope, Labels }) => ({
        Driver,
        Name,
        Mountpoint,
        Scope,
        Labels: formatLabels(Labels ?? {}),
        Availability: 'N/A',
        Group: 'N/A',
        Links: 'N/A',
        Size: 'N/A',
        Status: 'N/A',
      }))
      io.stdout.write(
        formatRows(rows, {
          columns: COLUMNS,
          shown: ['Driver', 'Name'],
          format: flags.format || userSetting(context, 'volumesFormat'),
          raw: RAW,
          type: '*formatter.volumeContext',
          labels: found.map(({ Labels }) => Labels ?? {}),
        }),
      )
    }
    return 0
  },
})

export const createVolume = command({
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume',
  flags: {
    driver: flag.text('Specify volume driver name', { short: 'd', initial: '"local"' }),
    label: flag.list('Set metadata for a volume'),
    name: flag.text('Specify volume name'),
    opt: flag.list('Set driver specific options', { short: 'o', value: 'map' }),
  },
  max: 1,
  async run({ client, io }, { flags, args: [name = flags.name ?? ''] }) {
    if (flags.name !== undefined && flags.name !== name) {
      throw invalid('conflicting options: cannot specify a volume-name through both --name and as a positional arg')
    }
    const json = {
      Name: name,
      Driver: flags.driver ?? 'local',
      Labels: pairsOf(flags.label),
      DriverOpts: pairsOf(flags.opt),
    }
    const { Name } = await client.post<VolumeJson>('/volumes/create', { json })
    io.stdout.write(`${Name}\n`)
    return 0
  },
})

export const removeVolume = command({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove one or more volumes',
  flags: { force: flag.switch('Force the removal of one or more volumes', { short: 'f' }) },
  min: 1,
  async run({ client, io }, { flags, args }) {
    let exit = 0
    for (const name of args) {
      try {
        await client.delete(`/volumes/${encodeURIComponent(name)}`, { query: { force: flags.force } })
        io.stdout.write(`${name}\n`)
      } catch (error) {
        if (!(error instanceof EngineError) || error.kind === 'unavailable') throw error
        io.stderr.write(`${complaint(error)}\n`)
        exit = 1
      }
    }
    return exit
  },
})
