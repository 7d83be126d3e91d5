import { abbreviate, conflict, EngineError } from '#base'
import type { ContainerRecord } from '#container'
import { familiarReference, formatPlatform, parseReference } from '#oci'
import type { Platform, Reference } from '#oci'
import type { ImageRecord, Images } from '#store/image'
import type { RemovedImage } from './types.ts'

/** What the rules of removal look at; a snapshot of the store at one moment. */
export interface RemovalScene {
  readonly images: Images
  readonly all: readonly ImageRecord[]
  readonly containers: readonly ContainerRecord[]
  /** Chain ids of the layers down from this one. */
  readonly below: (chain: string | undefined) => readonly string[]
  /** Chain ids of all layers that containers stand on. */
  readonly chainsInUse: readonly string[]
}

export interface RemovalOptions {
  readonly force: boolean
  /** Remove untagged parents that nothing needs any more. */
  readonly prune: boolean
  /** The variant that is meant: an image of another one stays. */
  readonly platform?: Platform
}

/**
 * Docker's rules of `rmi`: a name is untagged, the image goes with its last name; an id must be forced where several
 * repositories name it; what a running container or a child image needs cannot be forced. Layers that something else
 * still stands on are not said to be deleted.
 */
export async function removeImage(
  scene: RemovalScene,
  name: string,
  options: RemovalOptions,
): Promise<readonly RemovedImage[]> {
  const record = await scene.images.resolve(name)
  if (options.platform) await assertPlatform(scene, record, name, options.platform)
  return namesAnId(name, record)
    ? await removeById(scene, record, options)
    : await removeByName(scene, record, name, options)
}

async function assertPlatform(
  { images }: RemovalScene,
  { id }: ImageRecord,
  name: string,
  wanted: Platform,
): Promise<void> {
  const { config } = await images.open(id)
  const fits =
    config.os === wanted.os &&
    config.architecture === wanted.architecture &&
    (wanted.variant === undefined || config.variant === undefined || config.variant === wanted.variant)
  if (fits) return
  throw new EngineError(
    'not-found',
    `image with reference ${name} was found but its platform (${formatPlatform(config)}) does not match the specified platform (${formatPlatform(wanted)})`,
  )
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
  if (isOneName(record.names) && !options.force) refuseUsedName(scene, record, name)
  const reference = oneKind(parseReference(name))
  const others = record.names.filter((known) => !sameName(known, reference))
  const gone = [reference, ...digestsLeft(reference, others)]
  const removed = await untagAll(scene, gone)
  const left = others.filter((known) => !gone.some((one) => sameName(one, known)))
  if (left.length > 0) return removed
  const found = findConflict(scene, record, options)
  // a name has been removed: only for an image that is left with nothing the caller has to know why it stays
  if (found) {
    if (found.isUsed || isParent(scene, record)) return removed
    throw found.error
  }
  return [...removed, ...(await deleteRecord(scene, { ...record, names: [] }, options))]
}

/** One tag, and digests of the same repository alone; or at most one name of any kind. */
function isOneName(names: readonly Reference[]): boolean {
  if (names.length <= 1) return true
  const tags = names.filter((name) => name.digest === undefined)
  const repositories = new Set(names.map((name) => `${name.domain}/${name.path}`))
  return tags.length <= 1 && repositories.size === 1
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
  const found = findConflict(scene, record, { ...options, isNamed: !isOneName(record.names) })
  if (found) throw found.error
  return await deleteRecord(scene, record, options)
}

async function untagAll(scene: RemovalScene, names: readonly Reference[]): Promise<readonly RemovedImage[]> {
  const removed: RemovedImage[] = []
  for (const name of names) {
    await scene.images.untag(name)
    removed.push({ untagged: familiarReference(name) })
  }
  return removed
}

function refuseUsedName(scene: RemovalScene, record: ImageRecord, name: string): void {
  const user = scene.containers.find((container) => container.image === record.id)
  if (user === undefined) return
  throw conflict(
    `conflict: unable to remove repository reference "${name}" (must force) - container ${abbreviate(user.id)} is using its referenced image ${abbreviate(record.id)}`,
  )
}

interface Conflict {
  readonly error: Error
  /** By a container. */
  readonly isUsed: boolean
}

/** Why the image itself has to stay, in the words of Docker and in its order; undefined where it may go. */
function findConflict(
  scene: RemovalScene,
  record: ImageRecord,
  options: RemovalOptions & { readonly isNamed?: boolean },
): Conflict | undefined {
  const because = (why: string, isUsed: boolean, isHard: boolean): Conflict => ({
    isUsed,
    error: conflict(
      `conflict: unable to delete ${abbreviate(record.id)} (${isHard ? 'cannot be forced' : 'must be forced'}) - ${why}`,
    ),
  })
  if (isParent(scene, record)) return because('image has dependent child images', false, true)
  const users = scene.containers.filter((container) => container.image === record.id)
  const running = users.find((container) => isAlive(container))
  if (running) return because(`image is being used by running container ${abbreviate(running.id)}`, true, true)
  if (options.force) return undefined
  if (options.isNamed === true) return because('image is referenced in multiple repositories', false, false)
  const stopped = users[0]
  return stopped && because(`image is being used by stopped container ${abbreviate(stopped.id)}`, true, false)
}

function isParent(scene: RemovalScene, record: ImageRecord): boolean {
  return scene.all.some((image) => image.parent === record.id)
}

export function isAlive(container: ContainerRecord): boolean {
  return container.state === 'running' || container.state === 'paused' || container.state === 'restarting'
}

/** Names, record, layers that nothing else stands on, and then the parent where nothing needs it any more. */
async function deleteRecord(
  scene: RemovalScene,
  record: ImageRecord,
  options: RemovalOptions,
): Promise<readonly RemovedImage[]> {
  const left = scene.all.filter((image) => image.id !== record.id)
  const kept = new Set([...left.flatMap((image) => scene.below(image.chain)), ...scene.chainsInUse])
  const untagged = await untagAll(scene, record.names)
  await scene.images.remove(record.id)
  const removed: RemovedImage[] = [
    ...untagged,
    { deleted: record.id },
    ...scene.below(record.chain).flatMap((chain) => (kept.has(chain) ? [] : [{ deleted: chain }])),
  ]
  const parent = left.find((image) => image.id === record.parent)
  if (!options.prune || !parent || parent.names.length > 0) return removed
  const scenery = { ...scene, all: left }
  if (findConflict(scenery, parent, { force: false, prune: true })) return removed
  return [...removed, ...(await deleteRecord(scenery, parent, { force: false, prune: true }))]
}

/** Of a name that has both a tag and a digest the digest decides. */
function oneKind({ domain, path, tag, digest }: Reference): Reference {
  if (digest !== undefined) return { domain, path, digest }
  return { domain, path, ...(tag !== undefined && { tag }) }
}

function sameName(one: Reference, other: Reference): boolean {
  return sameRepository(one, other) && one.tag === other.tag && one.digest === other.digest
}

function sameRepository(one: Reference, other: Reference): boolean {
  return one.domain === other.domain && one.path === other.path
}
