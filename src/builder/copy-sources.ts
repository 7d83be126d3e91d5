import { contextUse, copyOrigin, hashOf } from '#builder/plan'
import { type CopyOutput, hashReceived, placeOfSource, type SourceInput } from '#builder/files'
import type { CopyInstruction } from '#dockerfile'
import { imageRoot } from './base-step.ts'
import type { BuildRoot } from './build-root.ts'
import { downloadSources, isWebAddress } from './downloads.ts'
import { type Content, NOTHING_READ } from './layer-step.ts'
import { mountRoot } from './scratch-mount.ts'
import type { ScratchMount } from './scratch-mount.ts'
import type { Session, StepSite } from './session.ts'

/** What a COPY or ADD reads, for as long as the step needs it. */
export interface CopySources extends AsyncDisposable {
  /** Of the context, of another stage or image; absent where all files stand in the Dockerfile or come from the web. */
  readonly local: SourceInput | undefined
  /** The local one first, then one for each address of the web. */
  readonly all: readonly SourceInput[]
}

export async function openSources(site: StepSite, node: CopyInstruction): Promise<CopySources> {
  await using stack = new AsyncDisposableStack()
  const { input: local } = stack.use(await openLocal(site, node))
  const downloads = stack.use(await downloadSources(site, node))
  const held = stack.move()
  return {
    local,
    all: [...(local === undefined ? [] : [local]), ...downloads.inputs],
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** What all of them hold. */
export async function readSources(session: Session, { local, all }: CopySources): Promise<Content> {
  return contentOf(await Promise.all(all.map((source) => hashOne(session, source, source === local))))
}

async function hashOne(session: Session, source: SourceInput, isLocal: boolean): Promise<CopyOutput> {
  if (isLocal && session.context.isSmall === true && isPlain(source)) return hashReceived(source)
  const known = isLocal ? knownHash(session, source) : undefined
  if (known?.found !== undefined) return known.found
  const hashed =
    foreseenHash(source) ??
    (await session.parts.pool.run<SourceInput, CopyOutput>('builder.hash', source, session.reading))
  known?.keep(hashed)
  return hashed
}

/** Hashes that are kept. */
const MAX_HASHES = 64

/** The same sources of the same index have the same hash. */
function knownHash({ context, hashes }: Session, source: SourceInput) {
  if (context.digest === undefined) return undefined
  const { sources, ignore, excludes = [] } = source
  const key = hashOf('received', context.digest, sources, ignore ?? null, excludes)
  return {
    found: hashes.get(key),
    keep(hashed: CopyOutput): void {
      hashes.set(key, hashed)
      const [oldest] = hashes.keys()
      if (hashes.size > MAX_HASHES && oldest !== undefined) hashes.delete(oldest)
    },
  }
}

/** All of it was hashed while it came. */
export function foreseenHash(source: SourceInput): CopyOutput | undefined {
  const [first, ...others] = source.sources
  if (first === undefined || others.length > 0 || !isPlain(source)) return undefined
  const place = placeOfSource(first)
  return source.foreseen?.find((layer) => layer.source === place)?.read
}

/** No pattern is to be matched. */
function isPlain({ sources, ignore, excludes = [] }: SourceInput): boolean {
  return ignore === undefined && excludes.length === 0 && !sources.some((source) => /[*?[\\]/.test(source))
}

/** One hash for all that was read; of one source it is that source's. */
export function contentOf(sources: readonly CopyOutput[]): Content {
  const [first, ...others] = sources
  if (first === undefined) return NOTHING_READ
  return { hash: others.length === 0 ? first.hash : hashOf('sources', ...sources.map(({ hash }) => hash)), sources }
}

interface OpenLocal extends AsyncDisposable {
  readonly input?: SourceInput
}

async function openLocal(site: StepSite, node: CopyInstruction): Promise<OpenLocal> {
  const { session } = site
  const { context } = session
  const local = node.sources.filter((source) => !isWebAddress(source))
  if (local.length === 0) return { async [Symbol.asyncDispose]() {} }
  const origin = node.kind === 'copy' ? copyOrigin(session.file, node, site.stage) : undefined
  if (origin === undefined) {
    const { ignore, digests, folder, index, digest, foreseen } = context
    const input: SourceInput = {
      folder,
      ...(index === undefined ? {} : { index, foreseen, ...(digest !== undefined && { digest }) }),
      use: context.isMovable ? contextUse(session.plan, node) : 'copy',
      sources: local,
      ...(ignore === undefined ? {} : { ignore }),
      ...(digests === undefined ? {} : { digests }),
      excludes: node.excludes,
      keepOwners: false,
    }
    return { input, async [Symbol.asyncDispose]() {} }
  }
  const root =
    origin.kind === 'stage'
      ? (await session.stage(origin.index)).root
      : await imageRoot(session, origin.kind === 'image' ? origin.name : 'scratch', site.step.number)
  const mounted = await viewRoot(site, root)
  return {
    input: { folder: mounted.path, sources: node.sources, excludes: node.excludes, keepOwners: true },
    [Symbol.asyncDispose]: () => mounted[Symbol.asyncDispose](),
  }
}

/** Another root, read-only, for as long as the step needs it. */
async function viewRoot(site: StepSite, root: BuildRoot): Promise<ScratchMount> {
  const { session } = site
  const { snapshots, leases } = session.parts
  if (root.snapshot === undefined)
    return mountRoot(session.folder, [{ type: 'tmpfs', source: 'tmpfs', options: ['ro'] }])
  const lease = await leases.open('build source')
  try {
    const key = `build-view-${hashOf(site.step.number, site.stage, Math.random())}`
    const view = await snapshots.view(key, root.snapshot, lease)
    const mounted = await mountRoot(session.folder, view.mounts)
    return {
      path: mounted.path,
      async [Symbol.asyncDispose]() {
        await mounted[Symbol.asyncDispose]()
        await snapshots.remove(view.key)
        await lease[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await lease[Symbol.asyncDispose]()
    throw error
  }
}
