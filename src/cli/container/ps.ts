import { abbreviate } from '#base'
import { ago, command, userSetting, ellipsis, flag, formatLabels, formatRows, parseFilterFlags, size } from '#cli/kit'
import type { ContainerSummaryJson } from '#wire'
import { formatPorts } from './ports.ts'

const COLUMNS = {
  ID: 'CONTAINER ID',
  Image: 'IMAGE',
  Command: 'COMMAND',
  RunningFor: 'CREATED',
  Status: 'STATUS',
  Ports: 'PORTS',
  Names: 'NAMES',
  Size: 'SIZE',
  State: 'STATE',
  CreatedAt: 'CREATED AT',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
  Platform: 'PLATFORM',
}
const SHOWN = ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names']

/** What `--format raw` shows of each. */
const RAW = `container_id: {{.ID}}
image: {{.Image}}
command: {{.Command}}
created_at: {{.CreatedAt}}
state: {{- pad .State 1 0}}
status: {{- pad .Status 1 0}}
names: {{.Names}}
labels: {{- pad .Labels 1 0}}
ports: {{- pad .Ports 1 0}}
`

export const ps = command({
  usage: '[OPTIONS]',
  summary: 'List containers',
  flags: {
    all: flag.switch('Show all containers (default shows just running)', { short: 'a' }),
    filter: flag.list('Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    format: flag.text('Format output: table, json, or a template such as {{.Names}}'),
    last: flag.number('Show n last created containers (includes all states)', { short: 'n', initial: '-1' }),
    latest: flag.switch('Show the latest created container (includes all states)', { short: 'l' }),
    'no-trunc': flag.switch("Don't truncate output"),
    quiet: flag.switch('Only display container IDs', { short: 'q' }),
    size: flag.switch('Display total file sizes', { short: 's' }),
  },
  max: 0,
  async run(context, { flags }) {
    const { client, io, now } = context
    // As docker: -n is the stronger one.
    const last = flags.last ?? (flags.latest ? 1 : -1)
    const limit = last > 0 ? last : undefined
    const found = await client.get<readonly ContainerSummaryJson[]>('/containers/json', {
      query: {
        all: flags.all || limit !== undefined,
        limit,
        size: flags.size,
        filters: parseFilterFlags(flags.filter),
      },
    })
    const whole = flags['no-trunc']
    if (flags.quiet && flags.format !== undefined)
      io.stderr.write('WARNING: Ignoring custom format, because both --format and --quiet are set.\n')
    if (flags.quiet) io.stdout.write(found.map(({ Id }) => `${whole ? Id : abbreviate(Id)}\n`).join(''))
    else {
      const rows = found.map((container) => rowOf(container, { whole, now }))
      io.stdout.write(
        formatRows(rows, {
          columns: COLUMNS,
          shown: flags.size ? [...SHOWN, 'Size'] : SHOWN,
          format: flags.format || userSetting(context, 'psFormat'),
          raw: flags.size ? `${RAW}size: {{.Size}}\n` : RAW,
          type: '*formatter.ContainerContext',
          labels: found.map(({ Labels }) => Labels),
          complaint: { parse: 'failed to parse template', execution: 'failed to execute template' },
        }),
      )
    }
    return 0
  },
})

interface RowOptions {
  readonly whole: boolean
  readonly now: number
}

function rowOf(
  container: ContainerSummaryJson,
  { whole, now }: RowOptions,
): Readonly<Record<Exclude<keyof typeof COLUMNS, 'Platform'>, string>> & { readonly Platform: null } {
  const created = container.Created * 1000
  const names = container.Names.map((name) => name.replace(/^\//, '')).filter((name) => whole || !name.includes('/'))
  return {
    ID: whole ? container.Id : abbreviate(container.Id),
    Image: imageName(container, whole),
    Command: goQuote(whole ? container.Command : ellipsis(container.Command, 20)),
    RunningFor: ago(created, now),
    Status: container.Status,
    Ports: formatPorts(container.Ports),
    Names: names.join(','),
    Size: sizeText(container),
    State: container.State,
    CreatedAt: goTime(created),
    Labels: formatLabels(container.Labels),
    Mounts: container.Mounts.map((mount) => mount.Name ?? mount.Source)
      .map((name) => (whole ? name : ellipsis(name, 15)))
      .join(','),
    LocalVolumes: String(container.Mounts.filter((mount) => mount.Driver === 'local').length),
    Networks: Object.keys(container.NetworkSettings.Networks).join(','),
    // only an engine on containerd's store tells of it
    Platform: null,
  }
}

/** An image that lost its name is shown by its short id. */
function imageName({ Image, ImageID }: ContainerSummaryJson, whole: boolean): string {
  if (Image === '') return '<no image>'
  return !whole && (Image === ImageID || Image.startsWith('sha256:')) ? abbreviate(Image) : Image
}

/** As Go's strconv.Quote shows what a terminal might not. */
function goQuote(text: string): string {
  const quoted = JSON.stringify(text)
  return quoted.replaceAll(/\\u00(..)/g, '\\x$1').replaceAll('\\b', '\\b')
}

function sizeText({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummaryJson): string {
  return SizeRootFs > 0 ? `${size(SizeRw)} (virtual ${size(SizeRootFs)})` : size(SizeRw)
}

/** As Go prints a time: «2026-11-21 01:02:03 +0000 UTC». */
function goTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`
}
