import { type Command, command, type Context, flag, parseFilterFlags, size } from '#cli/kit'

interface PruneReply {
  readonly SpaceReclaimed?: number
  readonly ContainersDeleted?: readonly string[] | null
  readonly VolumesDeleted?: readonly string[] | null
  readonly NetworksDeleted?: readonly string[] | null
  readonly ImagesDeleted?: readonly { readonly Untagged?: string; readonly Deleted?: string }[] | null
}

const flags = {
  all: flag.switch('Remove all unused ones, not just dangling or anonymous ones', { short: 'a' }),
  filter: flag.list('Provide filter values (e.g. "until=<timestamp>")', { value: 'filter' }),
  force: flag.switch('Do not prompt for confirmation', { short: 'f' }),
}

interface PruneOptions {
  readonly path: string
  readonly warning: (all: boolean) => string
  /** The filter that --all stands for. */
  readonly allFilter?: string
  readonly text: (reply: PruneReply) => string
  readonly summary: string
}

export const pruneContainers = pruneOf({
  path: '/containers/prune',
  summary: 'Remove all stopped containers',
  warning: () => 'This will remove all stopped containers.',
  text: ({ ContainersDeleted }) => list('Deleted Containers:', ContainersDeleted ?? []),
})

export const pruneImages = pruneOf({
  path: '/images/prune',
  summary: 'Remove unused images',
  allFilter: 'dangling=false',
  warning: (all) =>
    all
      ? 'This will remove all images without at least one container associated to them.'
      : 'This will remove all dangling images.',
  text: ({ ImagesDeleted }) =>
    list(
      'Deleted Images:',
      (ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
        Deleted === undefined ? `untagged: ${Untagged}` : `deleted: ${Deleted}`,
      ),
    ),
})

export const pruneVolumes = pruneOf({
  path: '/volumes/prune',
  summary: 'Remove unused local volumes',
  allFilter: 'all=true',
  warning: (all) =>
    all
      ? 'This will remove all local volumes not used by at least one container.'
      : 'This will remove anonymous local volumes not used by at least one container.',
  text: ({ VolumesDeleted }) => list('Deleted Volumes:', VolumesDeleted ?? []),
})

export const pruneNetworks = pruneOf({
  path: '/networks/prune',
  summary: 'Remove all unused networks',
  warning: () => 'This will remove all custom networks not used by at least one container.',
  text: ({ NetworksDeleted }) => list('Deleted Networks:', NetworksDeleted ?? []),
})

function pruneOf({ path, summary, warning, allFilter, text }: PruneOptions): Command {
  return command({
    usage: '[OPTIONS]',
    summary,
    flags,
    max: 0,
    async run(context, { flags: { all, filter, force } }) {
      if (!force && !(await confirmed(context, warning(all)))) return 0
      const filters = parseFilterFlags([...filter, ...(all && allFilter !== undefined ? [allFilter] : [])])
      const reply = await context.client.post<PruneReply>(path, { query: { filters } })
      context.io.stdout.write(text(reply))
      if (reply.SpaceReclaimed !== undefined)
        context.io.stdout.write(`Total reclaimed space: ${size(reply.SpaceReclaimed)}\n`)
      return 0
    },
  })
}

const list = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : `${title}\n${lines.join('\n')}\n\n`

async function confirmed({ io }: Context, warning: string): Promise<boolean> {
  io.stdout.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `)
  let answer = ''
  for await (const chunk of io.stdin.bytes) {
    answer += Buffer.from(chunk).toString()
    if (answer.includes('\n')) break
  }
  return answer.trim().toLowerCase() === 'y'
}
