import { posix } from 'node:path'
import { unsupported } from '#base'
import type { CopyInstruction } from '#dockerfile'
import { archivesOf } from './archives.ts'
import type { FoundArchives } from './archives.ts'
import { imageRoot } from './base-step.ts'
import type { BuildRoot } from './build-root.ts'
import { downloadSources, isGitAddress, isWebAddress } from './downloads.ts'
import {
  type CopyInput,
  type CopyOutput,
  type ForetellInput,
  type ForetoldCopy,
  guessCopy,
  hashReceived,
  type SourceInput,
} from '#builder/files'
import { contextUse, copyOrigin, createdBy, hashOf } from '#builder/plan'
import { openNotes } from './layer-notes.ts'
import { earlierLayer, solveLayer } from './layer-step.ts'
import { announceLayer, withLayer } from './outcome.ts'
import { mountRoot } from './scratch-mount.ts'
import type { ScratchMount } from './scratch-mount.ts'
import type { Session, StepResult, StepSite } from './session.ts'

/** COPY and ADD: files of the context, of another stage or image, or of the Dockerfile itself. */
export async function filesStep(site: StepSite, input: StepResult, node: CopyInstruction): Promise<StepResult> {
  refuseLater(node)
  const { session } = site
  const destination = resolveDestination(input.state.config.WorkingDir, node.destination)
  await using local = await openSource(site, node)
  await using downloads = await downloadSources(site, node)
  const sources = [...(local.input === undefined ? [] : [local.input]), ...downloads.inputs]
  let read: readonly CopyOutput[] = []
  let foretold: ForetoldCopy | undefined
  const hash = async (): Promise<string> => {
    read = await Promise.all(sources.map((source) => hashOne(session, source, source === local.input)))
    return joinHashes(read)
  }
  const definition = definitionOf(node, destination)
  const notes = await openNotes(session, local.input)
  const outcome = await solveLayer(session, input.root, {
    kind: 'files',
    description: node.text,
    definition,
    content: hash,
    hashFirst: node.kind === 'add',
    perform: async (active) => {
      const madeAt = session.parts.clock.nanoseconds()
      const isOwn = await claimFiles(session, local, input.root)
      await using archives = await findArchives(site, node, local)
      const earlier = await notes?.earlier(await earlierLayer(session, input.root, { definition }))
      await using mounted = await mountRoot(session.folder, active.mounts)
      const skipping = sources.map((source, at) => ({
        ...source,
        ...(read[at] && { hash: read[at].hash }),
        ...(source === local.input && { skip: archives.places, ...(!isOwn && { use: 'copy' as const }) }),
      }))
      const to = { root: mounted.path, upper: active.upper, ...earlier, ...(earlier?.earlier && { madeAt }) }
      const job = { ...copyInput(node, destination, archives), sources: skipping, ...to }
      await using foretelling = foretell(session, job)
      const done = await inTurn(session, () =>
        session.parts.pool.run<CopyInput, readonly CopyOutput[]>('builder.copy', job, session.reading),
      )
      foretold = await foretelling.outcome
      if (archives.places.length > 0) return hash()
      read = done
      return joinHashes(done)
    },
    foreseen: () => read[0]?.layer ?? (foretold?.made === read[0]?.made ? foretold : undefined),
    named: async (chain) => {
      await notes?.named(chain)
      const layer = local.input?.use === 'move' ? read[0]?.layer : undefined
      const { received } = session.context
      if (layer !== undefined && received !== undefined) await received.notes.save(chain, layer, received.files)
    },
  })
  if (outcome.cached) await noteCached(session, { node, input: local.input, root: outcome.root })
  announceLayer(site, outcome)
  const shape = shapeOf(node, read, downloads.inputs.length)
  return withLayer(input, outcome, createdBy(input.state.config, historyText(node, shape, outcome.content)))
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
async function claimFiles({ context }: Session, { input }: OpenSource, below: BuildRoot): Promise<boolean> {
  const { received } = context
  if (input?.index === undefined || received === undefined) return true
  await received.complete()
  const isOwn = received.shared === undefined || received.shared.parent === below.snapshot
  if (!isOwn) await received.notes.forget()
  return isOwn
}

/** The layer has the files of this context too, which came without one that was known to have them. */
async function noteCached(
  { context }: Session,
  { node, input, root }: { readonly node: CopyInstruction; readonly root: BuildRoot } & OpenFiles,
): Promise<void> {
  const guess = node.kind === 'copy' ? guessCopy(node) : undefined
  const chain = root.known()?.chain
  if (context.received === undefined || input?.use !== 'move' || guess === undefined || chain === undefined) return
  const { source, name, destination } = guess
  const places = [destination, `${destination}/${name}`]
  const layer = input.foreseen?.find((foreseen) => foreseen.source === source && places.includes(foreseen.place))
  if (layer !== undefined) await context.received.notes.save(chain, layer, context.received.files)
}

async function hashOne(session: Session, source: SourceInput, isLocal: boolean): Promise<CopyOutput> {
  if (isLocal && session.context.isSmall === true && isPlain(source)) return hashReceived(source)
  const known = isLocal ? knownHash(session, source) : undefined
  if (known?.found !== undefined) return known.found
  const hashed = await session.parts.pool.run<SourceInput, CopyOutput>('builder.hash', source, session.reading)
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

/** No pattern is to be matched. */
function isPlain({ sources, ignore, excludes = [] }: SourceInput): boolean {
  return ignore === undefined && excludes.length === 0 && !sources.some((source) => /[*?[\\]/.test(source))
}

/** One hash for all that is read; of one source it is that source's. */
function joinHashes(read: readonly CopyOutput[]): string {
  const [first, ...others] = read
  if (first === undefined) return ''
  return others.length === 0 ? first.hash : hashOf('sources', ...read.map(({ hash }) => hash))
}

/** How the history calls what was read; what came from the web has no word. */
function shapeOf(node: CopyInstruction, read: readonly CopyOutput[], downloads: number): CopyOutput['shape'] | '' {
  const [first, ...others] = read
  if (first === undefined) return node.inline.length === 1 && node.sources.length === 0 ? 'file' : 'multi'
  if (others.length > 0) return 'multi'
  return downloads === 0 ? first.shape : ''
}

/** Flags that are understood but not carried out yet. */
function refuseLater(node: CopyInstruction): void {
  const line = node.range.start.line
  const refuse = (what: string) =>
    unsupported(`${node.kind.toUpperCase()} ${what} is not carried out yet (line ${line})`)
  if (node.link) throw refuse('--link')
  if (node.parents) throw refuse('--parents')
  if (node.keepGitDir !== undefined) throw refuse('--keep-git-dir')
  if (node.unpack !== undefined) throw refuse('--unpack')
  const repository = node.kind === 'add' ? node.sources.find((source) => isGitAddress(source)) : undefined
  if (repository !== undefined) throw refuse(`of the git repository ${repository}`)
}

/** Absolute, with the `/` at its end that means a folder. */
function resolveDestination(workdir: string | undefined, destination: string): string {
  const path = posix.resolve('/', workdir ?? '/', destination)
  const folder = /(^|\/)\.?$/.test(destination)
  return folder && path !== '/' ? `${path}/` : path
}

function definitionOf(node: CopyInstruction, destination: string) {
  return {
    kind: node.kind,
    sources: node.sources,
    inline: node.inline.map((file) => [file.name, file.text]),
    destination,
    chown: node.chown ?? null,
    chmod: node.chmod ?? null,
    from: node.from !== undefined,
    excludes: node.excludes,
  }
}

interface OpenFiles {
  /** Absent where all files stand in the Dockerfile or come from the web. */
  readonly input?: SourceInput | undefined
}

interface OpenSource extends OpenFiles, AsyncDisposable {}

async function openSource(site: StepSite, node: CopyInstruction): Promise<OpenSource> {
  const { session } = site
  const { context } = session
  const local = node.sources.filter((source) => !isWebAddress(source))
  if (local.length === 0) return { async [Symbol.asyncDispose]() {} }
  const origin = node.kind === 'copy' ? copyOrigin(session.file, node, site.stage) : undefined
  if (origin === undefined) {
    const { ignore, digests, folder, index, foreseen } = context
    const input: SourceInput = {
      folder,
      ...(index === undefined ? {} : { index, foreseen }),
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

async function findArchives(site: StepSite, node: CopyInstruction, source: OpenSource): Promise<FoundArchives> {
  if (node.kind === 'copy' || source.input === undefined)
    return { places: [], files: [], async [Symbol.asyncDispose]() {} }
  return archivesOf(site.session, source.input)
}

function copyInput(
  node: CopyInstruction,
  destination: string,
  archives: FoundArchives,
): Omit<CopyInput, 'root' | 'upper' | 'sources'> {
  return {
    inline: node.inline,
    destination,
    ...(node.chown === undefined ? {} : { chown: node.chown }),
    ...(node.chmod === undefined ? {} : { chmod: node.chmod }),
    archives: archives.files,
  }
}

/** «COPY --chown=1:2 file:… in /d/ », as the classic builder writes it. */
function historyText(node: CopyInstruction, shape: CopyOutput['shape'] | '', content: string): string {
  const flags = [
    ...(node.chown === undefined ? [] : [`--chown=${node.chown} `]),
    ...(node.chmod === undefined ? [] : [`--chmod=${node.chmod} `]),
  ]
  const inline = node.inline.map((file) => [file.name, file.text])
  const hash = content !== '' && inline.length === 0 ? content : hashOf('inline', inline, content)
  return `${node.kind.toUpperCase()} ${flags.join('')}${shape === '' ? '' : `${shape}:`}${hash} in ${node.destination} `
}
