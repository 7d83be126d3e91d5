import { abbreviate, conflict } from '#base'
import type { ContainerRecord } from '#container'
import { familiarReference, parseReference } from '#oci'
import type { ImageId, Reference } from '#oci'
import type { ImageRecord, Images } from '#store/image'
import type { RemovedImage } from './types.ts'

/** What the rules of removal look at; a snapshot of the store at one moment. */
export interface RemovalScene {
  readonly images: Images
  readonly all: readonly ImageRecord[]
  readonly containers: readonly ContainerRecord[]
  /** Chain ids of an image's layers, bottom first. */
  readonly chainsOf: (image: ImageId) => Promise<readonly string[]>
}

export interface RemovalOptions {
  readonly force: boolean
  /** Remove untagged parents that nothing needs any more. */
  readonly prune: boolean
}

/**
 * Docker's rules of `rmi`: a name is untagged, the image goes with its last name; an id must be forced where several
 * repositories name it; what a running container or a child image needs cannot be forced.
 */
export async function removeImage(
  scene: RemovalScene,
  name: string,
  options: RemovalOptions,
): Promise<readonly RemovedImage[]> {
  const record = await scene.images.resolve(name)
  return namesAnId(name, record)
    ? await removeById(scene, record, options)
    : await removeByName(scene, record, name, options)
}

function namesAnId(name: string, record: ImageRecord): boolean {
  const bare = name.replace(/^sha256:/, '')
  return (
    /^[0-9a-f]+$/.test(bare) &&
    record.id.startsWith(`sha256:${bare}`) &&
    !record.names.some((known) => familiarReference(known) === `${name}:latest`)
  )
}

async function removeByName(
  scene: RemovalScene,
  record: ImageRecord,
  name: string,
  options: RemovalOptions,
): Promise<readonly RemovedImage[]> {
  const reference = parseReference(name)
  const others = record.names.filter((known) => !sameName(known, reference))
  const last = others.every((known) => known.digest !== undefined && sameRepository(known, reference))
  if (last) refuseUsedName(scene, record, name, options)
  const removed: RemovedImage[] = []
  for (const gone of [reference, ...digestsLeft(reference, others)]) {
    await scene.images.untag(gone)
    removed.push({ untagged: familiarReference(gone) })
  }
  if (!last || findConflict(scene, record, options) !== undefined) return removed
  return [...removed, ...(await deleteRecord(scene, record, options))]
}

/** The digests of a repository go with its last tag. */
function digestsLeft(gone: Reference, others: readonly Reference[]): readonly Reference[] {
  const siblings = others.filter((known) => sameRepository(known, gone))
  const isLastTag = gone.digest === undefined && siblings.every((known) => known.digest !== undefined)
  return isLastTag ? siblings : []
}

async function removeById(
  scene: RemovalScene,
  record: ImageRecord,
  options: RemovalOptions,
): Promise<readonly RemovedImage[]> {
  const repositories = new Set(record.names.map((name) => `${name.domain}/${name.path}`))
  const found = findConflict(scene, record, options)
  if (found !== undefined) throw found
  if (repositories.size > 1 && !options.force)
    throw conflict(
      `conflict: unable to delete ${abbreviate(record.id)} (must be forced) - image is referenced in multiple repositories`,
    )
  const removed: RemovedImage[] = []
  for (const name of record.names) {
    await scene.images.untag(name)
    removed.push({ untagged: familiarReference(name) })
  }
  return [...removed, ...(await deleteRecord(scene, record, options))]
}

function refuseUsedName(scene: RemovalScene, record: ImageRecord, name: string, options: RemovalOptions): void {
  if (options.force) return
  const user = scene.containers.find((container) => container.image === record.id)
  if (user === undefined) return
  throw conflict(
    `conflict: unable to remove repository reference "${name}" (must force) - container ${abbreviate(user.id)} is using its referenced image ${abbreviate(record.id)}`,
  )
}

/** Why the image itself has to stay, in the words of Docker; undefined where it may go. */
function findConflict(scene: RemovalScene, record: ImageRecord, options: RemovalOptions): Error | undefined {
  const id = abbreviate(record.id)
  const users = scene.containers.filter((container) => container.image === record.id)
  const running = users.find((container) => isAlive(container))
  if (running)
    return conflict(
      `conflict: unable to delete ${id} (cannot be forced) - image is being used by running container ${abbreviate(running.id)}`,
    )
  if (scene.all.some((image) => image.parent === record.id))
    return conflict(`conflict: unable to delete ${id} (cannot be forced) - image has dependent child images`)
  const stopped = users[0]
  if (stopped && !options.force)
    return conflict(
      `conflict: unable to delete ${id} (must be forced) - image is being used by stopped container ${abbreviate(stopped.id)}`,
    )
  return undefined
}

export function isAlive(container: ContainerRecord): boolean {
  return container.state === 'running' || container.state === 'paused' || container.state === 'restarting'
}

async function deleteRecord(
  scene: RemovalScene,
  record: ImageRecord,
  options: RemovalOptions,
): Promise<readonly RemovedImage[]> {
  const left = scene.all.filter((image) => image.id !== record.id)
  const kept = new Set((await Promise.all(left.map((image) => scene.chainsOf(image.id)))).flat())
  const chains = await scene.chainsOf(record.id)
  await scene.images.remove(record.id)
  const removed: RemovedImage[] = [
    { deleted: record.id },
    ...chains.toReversed().flatMap((chain) => (kept.has(chain) ? [] : [{ deleted: chain }])),
  ]
  const parent = left.find((image) => image.id === record.parent)
  const scenery = { ...scene, all: left }
  if (
    !options.prune ||
    !parent ||
    parent.names.length > 0 ||
    findConflict(scenery, parent, { force: false, prune: true })
  )
    return removed
  return [...removed, ...(await deleteRecord(scenery, parent, options))]
}

function sameName(one: Reference, other: Reference): boolean {
  return sameRepository(one, other) && one.tag === other.tag && one.digest === other.digest
}

function sameRepository(one: Reference, other: Reference): boolean {
  return one.domain === other.domain && one.path === other.path
}
