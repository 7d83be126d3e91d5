import { posix } from 'node:path'
import { invalid } from '#base'
import type { HostMounts } from '#kernel'
import type { VolumeRecord, Volumes } from '#volume'
import type { MountPoint, MountRequest } from './types.ts'

/** What a container gets mounted, with what is only needed at its start. */
export interface PlannedMount extends MountPoint {
  /** Bind: propagation; tmpfs: its options. */
  readonly options: string
  /** Volume: seeded from the image. */
  readonly seeded: boolean
}

interface PlanParts {
  readonly volumes: Pick<Volumes, 'create'>
  readonly host: HostMounts
  /** The container: a volume without a name is its own from the moment it is there. */
  readonly user: string
}

/** Mounts that were asked for, and an anonymous volume for each VOLUME of the image that none of them covers. */
export async function planMounts(
  requests: readonly MountRequest[],
  volumePaths: readonly string[],
  parts: PlanParts,
): Promise<readonly PlannedMount[]> {
  const asked = requests.map((request) => ({ ...request, target: cleanTarget(request.target) }))
  refuseDuplicates(asked)
  const targets = new Set(asked.map((request) => request.target))
  const anonymous = [...new Set(volumePaths.map(cleanTarget))]
    .filter((target) => !targets.has(target))
    .map((target): MountRequest => ({ kind: 'volume', target, readonly: false }))
  const all = [...asked, ...anonymous]
  const planned = new Map<MountRequest, PlannedMount>()
  // What may be refused comes first: a volume without a name would stay behind.
  for (const request of [...all.filter(isRefusable), ...all.filter((each) => !isRefusable(each))])
    planned.set(request, await planMount(request, parts))
  return all.flatMap((request) => planned.get(request) ?? [])
}

function isRefusable({ kind, source }: MountRequest): boolean {
  return kind !== 'volume' || source !== undefined
}

function cleanTarget(target: string): string {
  if (!target.startsWith('/')) throw invalid(`invalid mount path: '${target}' mount path must be absolute`)
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1')
  if (clean === '/') throw invalid(`invalid specification: destination can't be '/'`)
  return clean
}

function refuseDuplicates(requests: readonly MountRequest[]): void {
  const seen = new Set<string>()
  for (const { target } of requests) {
    if (seen.has(target)) throw invalid(`Duplicate mount point: ${target}`)
    seen.add(target)
  }
}

async function planMount(request: MountRequest, { volumes, host, user }: PlanParts): Promise<PlannedMount> {
  const common = { destination: request.target, readonly: request.readonly, options: request.options ?? '' }
  switch (request.kind) {
    case 'tmpfs':
      return { ...common, kind: 'tmpfs', source: '', anonymous: false, seeded: false }
    case 'bind':
      return {
        ...common,
        kind: 'bind',
        source: await checkSource(request, host),
        options: request.propagation ?? '',
        anonymous: false,
        seeded: false,
      }
    case 'volume':
      return { ...common, ...volumePart(request, await volumeFor(request, volumes, user)) }
  }
}

async function volumeFor(request: MountRequest, volumes: PlanParts['volumes'], user: string): Promise<VolumeRecord> {
  return await volumes.create(request.source === undefined ? { user } : { name: request.source })
}

function volumePart(
  request: MountRequest,
  volume: VolumeRecord,
): Omit<PlannedMount, 'destination' | 'readonly' | 'options'> {
  return {
    kind: 'volume',
    name: volume.name,
    source: volume.mountpoint,
    anonymous: request.source === undefined,
    seeded: request.noCopy !== true,
  }
}

async function checkSource(request: MountRequest, host: HostMounts): Promise<string> {
  const source = posix.normalize(request.source ?? '')
  if (!source.startsWith('/'))
    throw invalid(`invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`)
  if ((await host.inspect(source)) !== undefined) return source
  if (!request.createSource)
    throw invalid(`invalid mount config for type "bind": bind source path does not exist: ${source}`)
  await host.makeFolder(source)
  return source
}
