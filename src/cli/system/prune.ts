import { type Command, command, type Context, flag, parseFilterFlags } from '#cli/kit'
import { confirmed, list, type PruneReply, reclaimed } from './prune-words.ts'

const filter = flag.list('Provide filter values (e.g. "until=<timestamp>")', { value: 'filter' })
const force = flag.switch('Do not prompt for confirmation', { short: 'f' })

interface PruneKind {
  readonly path: string
  /** What is removed, as a sentence; of `all` with the flag. */
  readonly warning: (all: boolean) => string
  /** The filter that --all stands for. */
  readonly allFilter?: string
  readonly text: (reply: PruneReply) => string
}

const CONTAINERS: PruneKind = {
  path: '/containers/prune',
  warning: () => 'This will remove all stopped containers.',
  text: ({ ContainersDeleted }) => list('Deleted Containers:', ContainersDeleted ?? []),
}

const IMAGES: PruneKind = {
  path: '/images/prune',
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
}

const VOLUMES: PruneKind = {
  path: '/volumes/prune',
  allFilter: 'all=true',
  warning: (all) =>
    all
      ? 'This will remove all local volumes not used by at least one container.'
      : 'This will remove anonymous local volumes not used by at least one container.',
  text: ({ VolumesDeleted }) => list('Deleted Volumes:', VolumesDeleted ?? []),
}

const NETWORKS: PruneKind = {
  path: '/networks/prune',
  warning: () => 'This will remove all custom networks not used by at least one container.',
  text: ({ NetworksDeleted }) => list('Deleted Networks:', NetworksDeleted ?? []),
}

export const pruneContainers = pruneOf(CONTAINERS, 'Remove all stopped containers')
export const pruneNetworks = pruneOf(NETWORKS, 'Remove all unused networks')
export const pruneImages = pruneWithAll(
  IMAGES,
  'Remove unused images',
  'Remove all unused images, not just dangling ones',
)
export const pruneVolumes = pruneWithAll(
  VOLUMES,
  'Remove unused local volumes',
  'Remove all unused volumes, not just anonymous ones',
)

function pruneOf(kind: PruneKind, summary: string): Command {
  return command({
    usage: '[OPTIONS]',
    summary,
    flags: { filter, force },
    max: 0,
    run: (context, { flags }) => pruneKind(context, kind, { ...flags, all: false }),
  })
}

function pruneWithAll(kind: PruneKind, summary: string, all: string): Command {
  return command({
    usage: '[OPTIONS]',
    summary,
    flags: { all: flag.switch(all, { short: 'a' }), filter, force },
    max: 0,
    run: (context, { flags }) => pruneKind(context, kind, flags),
  })
}

interface PruneFlags {
  readonly all: boolean
  readonly filter: readonly string[]
  readonly force: boolean
}

async function pruneKind(context: Context, kind: PruneKind, flags: PruneFlags): Promise<number> {
  const filters = filtersOf(kind, flags)
  const warning = `WARNING! ${kind.warning(flags.all)}\nAre you sure you want to continue?`
  if (!flags.force && !(await confirmed(context, warning))) return 0
  const reply = await askFor(context, kind, filters)
  context.io.stdout.write(kind.text(reply))
  if (reply.SpaceReclaimed !== undefined) context.io.stdout.write(reclaimed(reply.SpaceReclaimed))
  return 0
}

/** Read before anything is asked of anybody. */
function filtersOf({ allFilter }: PruneKind, { all, filter: given }: PruneFlags): string | undefined {
  return parseFilterFlags([...given, ...(all && allFilter !== undefined ? [allFilter] : [])], '--filter')
}

async function askFor(context: Context, { path }: PruneKind, filters: string | undefined): Promise<PruneReply> {
  return await context.client.post<PruneReply>(path, { query: { filters } })
}

/** What `system prune` removes, kind by kind, in docker's order; what each said, and the bytes of all. */
export async function pruneKinds(
  context: Context,
  flags: PruneFlags & { readonly volumes: boolean },
): Promise<{ readonly text: string; readonly bytes: number }> {
  const kinds = [CONTAINERS, NETWORKS, ...(flags.volumes ? [VOLUMES] : []), IMAGES]
  let text = ''
  let bytes = 0
  for (const kind of kinds) {
    const reply = await askFor(context, kind, filtersOf(kind, { ...flags, all: flags.all && kind === IMAGES }))
    text += kind.text(reply)
    bytes += reply.SpaceReclaimed ?? 0
  }
  return { text, bytes }
}
