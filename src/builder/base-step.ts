import { isKind, unsupported } from '#base'
import { chainIds, familiarReference, matchPlatform, parsePlatform, parseReference, withDefaultTag } from '#oci'
import type { ImageConfig, Platform } from '#oci'
import type { Image } from '#store/image'
import { hashOf, type Origin, type StageState, withPath } from '#builder/plan'
import { sealedRoot } from './build-root.ts'
import type { BuildRoot } from './build-root.ts'
import type { Session, StepResult } from './session.ts'

/** The result that a stage begins with. */
export async function solveOrigin(session: Session, origin: Origin, step: number): Promise<StepResult> {
  switch (origin.kind) {
    case 'scratch':
      return { root: sealedRoot(undefined, { diffIds: [] }), state: scratchState(session.platform) }
    case 'stage': {
      const { root, state } = await session.stage(origin.index)
      return { root, state: { ...state, commandGiven: false } }
    }
    case 'image': {
      const image = await openImage(session, origin, step)
      return { root: await rootOf(session, image), state: imageState(image) }
    }
  }
}

/** The root of an image that COPY reads from. */
export async function imageRoot(session: Session, name: string, step: number): Promise<BuildRoot> {
  return rootOf(session, await openImage(session, { name }, step))
}

/** The image of a name: the one that is here, unless it is to be pulled, or is for another platform than asked. */
async function openImage(
  session: Session,
  wanted: { readonly name: string; readonly platform?: string },
  step: number,
): Promise<Image> {
  const platform = wanted.platform === undefined ? session.request.platform : parsePlatform(wanted.platform)
  if (!session.request.pull) {
    const found = await findLocal(session, wanted.name, platform)
    if (found !== undefined) return found
  }
  const reference = withDefaultTag(parseReference(wanted.name))
  const credentials = session.request.credentialsFor?.(reference.domain)
  const image = await session.parts.transfer.pull(reference, {
    ...(credentials === undefined ? {} : { credentials }),
    ...(platform === undefined ? {} : { platform }),
    progress: (progress) => session.emit({ kind: 'pull', step, progress }),
    signal: session.signal,
  })
  session.lease.hold({ kind: 'image', id: image.id })
  return image
}

async function findLocal(session: Session, name: string, platform: Platform | undefined): Promise<Image | undefined> {
  try {
    const record = await session.parts.images.resolve(name)
    session.lease.hold({ kind: 'image', id: record.id })
    const image = await session.parts.images.open(record.id)
    return platform === undefined || matchPlatform(platform, platformOf(image.config)) ? image : undefined
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined
    throw error
  }
}

async function rootOf(session: Session, image: Image): Promise<BuildRoot> {
  const diffIds = image.config.rootfs.diff_ids
  const chain = chainIds(diffIds).at(-1)
  if (chain === undefined) return sealedRoot(undefined, { diffIds: [] })
  session.lease.hold({ kind: 'snapshot', id: chain })
  const snapshot = await session.parts.snapshots.find(chain)
  if (snapshot === undefined) {
    session.parts.snapshots.assertWhole(chain)
    throw unsupported(`the layers of image ${nameOf(image)} are not unpacked here`)
  }
  return sealedRoot(snapshot.id, { chain, diffIds })
}

function nameOf(image: Image): string {
  const [name] = image.names
  return name === undefined ? image.id : familiarReference(name)
}

function platformOf(config: ImageConfig): Platform {
  const { os, architecture, variant } = config
  return { os, architecture, ...(variant === undefined ? {} : { variant }) }
}

function scratchState(platform: Platform): StageState {
  return {
    platform,
    config: withPath({}),
    history: [],
    args: new Map(),
    commandGiven: false,
    untouched: true,
    key: hashOf('scratch', platform),
  }
}

function imageState(image: Image): StageState {
  const { config } = image
  return {
    platform: platformOf(config),
    config: withPath(config.config),
    ...(config.author === undefined ? {} : { author: config.author }),
    history: config.history,
    args: new Map(),
    commandGiven: false,
    base: image.id,
    untouched: true,
    key: hashOf('image', image.id),
  }
}
