import type { CopyInstruction } from '#dockerfile'
import {
  type CopyInput,
  type CopyOutput,
  type ForeseenLayer,
  type ForetellInput,
  type ForetoldCopy,
  guessCopy,
  type SourceInput,
} from '#builder/files'
import type { ChainId } from '#oci'
import type { ActiveSnapshot } from '#store/snapshot'
import { archivesOf } from './archives.ts'
import type { FoundArchives } from './archives.ts'
import type { BuildRoot } from './build-root.ts'
import { contentOf, type CopySources, foreseenHash, readSources } from './copy-sources.ts'
import { openNotes } from './layer-notes.ts'
import { type Content, earlierLayer, type Performed } from './layer-step.ts'
import { mountRoot } from './scratch-mount.ts'
import type { Session } from './session.ts'

/** A COPY or ADD on a root, with its sources open. */
export interface FilesCopy {
  readonly node: CopyInstruction
  /** Absolute. */
  readonly destination: string
  readonly definition: Readonly<Record<string, unknown>>
  readonly sources: CopySources
  readonly below: BuildRoot
}

/** Carries it out. What was read before need not be hashed again. */
export async function performCopy(
  session: Session,
  copy: FilesCopy,
  active: ActiveSnapshot,
  known: Content | undefined,
): Promise<Performed> {
  const { node, destination, definition, sources, below } = copy
  const madeAt = session.parts.clock.nanoseconds()
  const notes = await openNotes(session, sources.local)
  const isOwn = await claimFiles(session, sources, below)
  await using archives = await findArchives(session, node, sources)
  const earlier = await notes?.earlier(await earlierLayer(session, below, { definition }))
  await using mounted = await mountRoot(session.folder, active.mounts)
  const { read, foretold } = await copyAndForetell(session, {
    sources: toCopy(sources, known, { skip: archives.places, ...(!isOwn && { use: 'copy' }) }),
    inline: node.inline,
    root: mounted.path,
    upper: active.upper,
    destination,
    ...(node.chown !== undefined && { chown: node.chown }),
    ...(node.chmod !== undefined && { chmod: node.chmod }),
    ...earlier,
    ...(earlier?.earlier && { madeAt }),
    archives: archives.files,
  })
  // the copy has left out what is unpacked
  const content = archives.places.length > 0 ? await readSources(session, sources) : contentOf(read)
  const [first] = content.sources
  return {
    content,
    layer: first?.layer ?? (foretold?.made === first?.made ? foretold : undefined),
    async named(chain) {
      await notes?.named(chain)
      if (sources.local?.use === 'move') await noteReceived(session, chain, first?.layer)
    },
  }
}

/** The sources, with what is known of each, and what holds for the local one. */
function toCopy(
  { local, all }: CopySources,
  known: Content | undefined,
  ofLocal: Pick<SourceInput, 'skip' | 'use'>,
): readonly SourceInput[] {
  return all.map((source, at) => {
    const read = known?.sources[at] ?? foreseenHash(source)
    return { ...source, ...(read && { hash: read.hash }), ...(source === local && ofLocal) }
  })
}

/** Where it may be worth it, the layer's hash is made beside the copy. */
async function copyAndForetell(session: Session, job: CopyInput): Promise<Copied> {
  await using foretelling = foretell(session, job)
  const read = await inTurn(session, () =>
    session.parts.pool.run<CopyInput, readonly CopyOutput[]>('builder.copy', job, session.reading),
  )
  return { read, foretold: await foretelling.outcome }
}

interface Copied {
  readonly read: readonly CopyOutput[]
  readonly foretold: ForetoldCopy | undefined
}

/** As one of the steps that run at a time; one that was given up, and hangs on, counts no more. */
async function inTurn<T>({ limiter, signal }: Session, work: () => Promise<T>): Promise<T> {
  const begun = Promise.withResolvers<T>()
  const givenUp = Promise.withResolvers<void>()
  const giveUp = (): void => givenUp.resolve()
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    await limiter.run(async () => {
      const working = work()
      begun.resolve(working)
      await Promise.race([working.catch(giveUp), givenUp.promise])
    }, signal)
    return await begun.promise
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}

/**
 * Hashes the layer of a copy beside it, where most of its files are those of an earlier layer. Its outcome is believed only where the copy has
 * made just that. Ends before the context goes.
 */
function foretell({ parts, signal, reading }: Session, { madeAt, earlier, sources, ...copy }: CopyInput): Foretelling {
  const [source, ...others] = sources
  const isPlain = copy.chown === undefined && copy.chmod === undefined && copy.inline.length + others.length === 0
  if (madeAt === undefined || earlier === undefined || source === undefined || !isPlain)
    return { outcome: undefined, async [Symbol.asyncDispose]() {} }
  const stop = new AbortController()
  const input: ForetellInput = { source, destination: copy.destination, earlier, madeAt }
  const outcome = parts.pool
    .run<ForetellInput, ForetoldCopy | undefined>('builder.foretell', input, {
      ...reading,
      signal: AbortSignal.any([signal, stop.signal]),
    })
    // what cannot be read now is said by the copy
    .catch(() => undefined)
  return {
    outcome,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await outcome
    },
  }
}

interface Foretelling extends AsyncDisposable {
  readonly outcome: Promise<ForetoldCopy | undefined> | undefined
}

/** The files of the context are all there after it. False where they may be copied, but be no files of a layer on this root. */
async function claimFiles({ context }: Session, { local }: CopySources, below: BuildRoot): Promise<boolean> {
  const { received } = context
  if (local?.index === undefined || received === undefined) return true
  await received.complete()
  const isOwn = received.shared === undefined || received.shared.parent === below.snapshot
  if (!isOwn) await received.notes.forget()
  return isOwn
}

/** This layer has the files of the context that came. */
async function noteReceived({ context }: Session, chain: ChainId, layer: ForeseenLayer | undefined): Promise<void> {
  const { received } = context
  if (layer !== undefined && received !== undefined) await received.notes.save(chain, layer, received.files)
}

/** The layer has the files of this context too, which came without one that was known to have them. */
export async function noteCached(
  session: Session,
  { node, sources: { local } }: Pick<FilesCopy, 'node' | 'sources'>,
  root: BuildRoot,
): Promise<void> {
  const guess = node.kind === 'copy' ? guessCopy(node) : undefined
  const chain = root.known()?.chain
  if (session.context.received === undefined || local?.use !== 'move' || guess === undefined || chain === undefined)
    return
  const { source, name, destination } = guess
  const places = [destination, `${destination}/${name}`]
  const layer = local.foreseen?.find((foreseen) => foreseen.source === source && places.includes(foreseen.place))
  await noteReceived(session, chain, layer)
}

async function findArchives(session: Session, node: CopyInstruction, { local }: CopySources): Promise<FoundArchives> {
  if (node.kind === 'copy' || local === undefined) return { places: [], files: [], async [Symbol.asyncDispose]() {} }
  return archivesOf(session, local)
}
