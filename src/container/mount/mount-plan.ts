import { posix } from 'node:path'
import { invalid } from '#base'
import type { HostMounts } from '#kernel'
import type { ImageId } from '#oci'
import type { VolumeRecord, Volumes } from '#volume'
import type { MountPoint, MountRequest } from './types.ts'

/** What a container gets mounted, with what is only needed at its start. */
export interface PlannedMount extends MountPoint {
  /** Bind: propagation; tmpfs: its options. */
  readonly options: string
  /** Volume: seeded from the image. */
  readonly seeded: boolean
  /** Bind: without what is mounted below it. */
  readonly nonRecursive?: boolean
  /** Bind: read-only itself alone. */
  readonly readonlyTopOnly?: boolean
}

interface PlanParts {
  readonly volumes: Pick<Volumes, 'create'>
  readonly host: HostMounts
  /** What an image's name stands for. */
  readonly imageOf: (name: string) => Promise<ImageId>
  /** What came with `--volumes-from`: what is asked for stands over it. */
  readonly inherited: readonly PlannedMount[]
  /** The container: a volume without a name is its own from the moment it is there. */
  readonly user: string
}

/** Mounts that were asked for, and an anonymous volume for each VOLUME of the image that nothing else covers. */
export async function planMounts(
  requests: readonly MountRequest[],
  volumePaths: readonly string[],
  parts: PlanParts,
): Promise<readonly PlannedMount[]> {
  const asked = requests.map((request) => ({ ...request, target: cleanTarget(request.target) }))
  refuseDuplicates(asked)
  const targets = new Set(asked.map((request) => request.target))
  const inherited = parts.inherited.filter(({ destination }) => !targets.has(destination))
  const covered = new Set([...targets, ...inherited.map(({ destination }) => destination)])
  const anonymous = [...new Set(volumePaths.map(cleanTarget))]
    .filter((target) => !covered.has(target))
    .map((target): MountRequest => ({ kind: 'volume', target, readonly: false }))
  const all = [...asked, ...anonymous]
  const planned = new Map<MountRequest, PlannedMount>()
  // What may be refused comes first: a volume without a name would stay behind.
  for (const request of [...all.filter(isRefusable), ...all.filter((each) => !isRefusable(each))])
    planned.set(request, await planMount(request, parts))
  return [...inherited, ...all.flatMap((request) => planned.get(request) ?? [])]
}

/** What `--volumes-from` takes of a container's mounts, over what was taken before; a tmpfs is nobody else's. */
export function inheritMounts(
  before: readonly PlannedMount[],
  mounts: readonly MountPoint[],
  isReadonly: boolean,
): readonly PlannedMount[] {
  const taken = (mounts as readonly PlannedMount[])
    .filter(({ kind }) => kind !== 'tmpfs')
    .map((mount) => ({ ...mount, readonly: mount.readonly || isReadonly, seeded: false, inherited: true }))
  const targets = new Set(taken.map(({ destination }) => destination))
  return [...before.filter(({ destination }) => !targets.has(destination)), ...taken]
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

async function planMount(request: MountRequest, parts: PlanParts): Promise<PlannedMount> {
  const { host, imageOf } = parts
  const { subpath } = request
  const common = {
    destination: request.target,
    readonly: request.readonly,
    options: request.options ?? '',
    anonymous: false,
    seeded: false,
    ...(subpath !== undefined && { subpath }),
  }
  switch (request.kind) {
    case 'tmpfs':
      return { ...common, kind: 'tmpfs', source: '' }
    case 'bind':
      return { ...common, ...bindPart(request, await checkSource(request, host)) }
    case 'volume':
      return { ...common, ...volumePart(request, await volumeFor(request, parts)) }
    case 'image': {
      const name = request.source ?? ''
      return { ...common, kind: 'image', name, source: '', image: await imageOf(name) }
    }
  }
}

function bindPart(
  { propagation, nonRecursive, readonlyTopOnly }: MountRequest,
  source: string,
): Omit<PlannedMount, 'destination' | 'readonly' | 'anonymous' | 'seeded'> {
  return {
    kind: 'bind',
    source,
    options: propagation ?? '',
    ...(propagation !== undefined && { propagation }),
    ...(nonRecursive === true && { nonRecursive }),
    ...(readonlyTopOnly === true && { readonlyTopOnly }),
  }
}

async function volumeFor(request: MountRequest, { volumes, user }: PlanParts): Promise<VolumeRecord> {
  const { source, labels, driver, driverOptions } = request
  return await volumes.create({
    ...(source === undefined ? { user } : { name: source }),
    ...(labels && { labels }),
    ...(driver !== undefined && { driver }),
    ...(driverOptions && { options: driverOptions }),
  })
}

function volumePart(
  request: MountRequest,
  volume: VolumeRecord,
): Pick<PlannedMount, 'kind' | 'name' | 'source' | 'anonymous' | 'seeded'> {
  return {
    kind: 'volume',
    name: volume.name,
    source: volume.mountpoint,
    anonymous: request.source === undefined,
    // What is mounted of it has what it has.
    seeded: request.noCopy !== true && request.subpath === undefined,
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
