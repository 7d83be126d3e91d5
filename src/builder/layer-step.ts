import { readdir, stat } from 'node:fs/promises'
import { formatTime, invalid, longId } from '#base'
import type { ChainId, HistoryEntry } from '#oci'
import type { LayerClaim } from '#store/layer'
import type { FrozenSnapshot, ActiveSnapshot, SealedSnapshot } from '#store/snapshot'
import type { Lease } from '#store/lease'
import type { CopyOutput } from '#builder/files'
import { advance, hashOf } from '#builder/plan'
import { identityOf, pendingRoot, sealedRoot } from './build-root.ts'
import type { BuildRoot, SealedRoot } from './build-root.ts'
import type { Flight } from './flights.ts'
import type { CacheRecord, FoundRecord, NewRecord } from './records.ts'
import type { Session, StepResult, StepSite } from './session.ts'

/** What a step has read of files. */
export interface Content {
  /** Of all of it; empty where nothing was read. */
  readonly hash: string
  /** Of each source. */
  readonly sources: readonly CopyOutput[]
}

export const NOTHING_READ: Content = { hash: '', sources: [] }

/** A step that may change files. */
export interface LayerStep {
  readonly kind: CacheRecord['kind']
  readonly description: string
  /** All that decides the outcome, but for the root before and the contents of files. */
  readonly definition: Readonly<Record<string, unknown>>
  /** Reads the files that it needs, to know what they are; absent where it needs none. */
  readonly content?: () => Promise<Content>
  /** Contents are hashed before in any case. */
  readonly hashFirst: boolean
  /** Changes the root. The snapshot is not mounted any more when it resolves. */
  readonly perform: (active: ActiveSnapshot, work: Work) => Promise<Performed>
}

interface Work {
  readonly id: string
  /** What was read before, to look for it in the cache. */
  readonly content: Content | undefined
}

/** What a step made of the root. */
export interface Performed {
  readonly content: Content
  /** The layer, where it is known already. */
  readonly layer?: LayerClaim | undefined
  /** It has its name now. */
  readonly named?: (chain: ChainId) => Promise<void>
}

export interface LayerOutcome {
  readonly root: BuildRoot
  /** RFC 3339. */
  readonly created: string
  readonly content: Content
  readonly cached: boolean
  /** False where no file was changed: then there is no layer. */
  readonly changed: boolean
}

/** The outcome of a step on a root: out of the cache, from an equal step in flight, or by carrying it out. */
export async function solveLayer(session: Session, below: BuildRoot, step: LayerStep): Promise<LayerOutcome> {
  // beside other builds a step waits for its root's name: only by that an equal step of theirs is found
  if (session.crowded()) await below.sealed
  const content = await contentBefore(session, below, step)
  const cached = content === undefined ? undefined : await findCached(session, below, step, content)
  if (cached !== undefined) return cached
  const { value, joined } = await session.flights.run(flightOf(session, below, step, content), session.signal)
  if (value.root.snapshot !== undefined) session.lease.hold({ kind: 'snapshot', id: value.root.snapshot })
  return { ...value, cached: joined }
}

function flightOf(session: Session, below: BuildRoot, step: LayerStep, content: Content | undefined): Flight<Done> {
  const task = () => carryOut(session, below, step, content)
  if (content === undefined || session.request.noCache) return { key: longId(), task }
  const keyOf = (): string => hashOf('flight', identityOf(below), step.definition, content.hash)
  return { key: keyOf(), alias: () => below.sealed.then(keyOf), task }
}

/** What the step reads, where that is nothing, or where it is worth knowing before the work. */
async function contentBefore(session: Session, below: BuildRoot, step: LayerStep): Promise<Content | undefined> {
  if (step.content === undefined) return NOTHING_READ
  const known = below.known()
  const worth = known !== undefined && !session.request.noCache && session.records.hasPrefix(prefixKey(known, step))
  return step.hashFirst || session.crowded() || worth ? await step.content() : undefined
}

function prefixKey(below: SealedRoot, step: Pick<LayerStep, 'definition'>): string {
  return hashOf('prefix', below.chain ?? 'scratch', step.definition)
}

/** What the same step made of other files, on the same root: its layer and this one never stand in one stack. */
export async function earlierLayer(
  session: Session,
  below: BuildRoot,
  step: Pick<LayerStep, 'definition'>,
): Promise<SealedSnapshot | undefined> {
  const known = below.known()
  if (known === undefined || session.request.noCache) return undefined
  const chain = session.records.latestChain(prefixKey(known, step))
  if (chain === undefined || chain === known.chain) return undefined
  session.lease.hold({ kind: 'snapshot', id: chain })
  return session.parts.snapshots.find(chain)
}

function recordKey(below: SealedRoot, step: LayerStep, { hash }: Content): string {
  return hashOf('step', below.chain ?? 'scratch', step.definition, hash)
}

async function findCached(
  session: Session,
  below: BuildRoot,
  step: LayerStep,
  content: Content,
): Promise<LayerOutcome | undefined> {
  const known = below.known()
  if (known === undefined || session.request.noCache) return undefined
  const key = recordKey(known, step, content)
  const record = session.records.find(key)
  if (record === undefined) return undefined
  const facts = { created: record.created, content, cached: true }
  if (record.chain === known.chain) {
    session.use(key)
    return { root: below, ...facts, changed: false }
  }
  const root = await cachedRoot(session, known, record)
  if (root === undefined) return undefined
  session.use(key)
  return { root, ...facts, changed: true }
}

/** Undefined where the layer is no longer there: then the record is worth nothing. */
async function cachedRoot(session: Session, below: SealedRoot, record: FoundRecord): Promise<BuildRoot | undefined> {
  if (record.chain === undefined) return undefined
  session.lease.hold({ kind: 'snapshot', id: record.chain })
  const [snapshot, layer] = await Promise.all([
    session.parts.snapshots.find(record.chain),
    session.parts.layers.facts(record.chain),
  ])
  if (snapshot === undefined || layer === undefined) return undefined
  return sealedRoot(snapshot.id, { chain: record.chain, diffIds: [...below.diffIds, layer.diffId] })
}

type Done = Omit<LayerOutcome, 'cached'>

/** overlayfs takes 500 lower folders (fs/overlayfs/params.c); some are kept for what is put on top of an image. */
const MAX_LAYERS = 480

/** Prepares a snapshot, changes it, freezes it; hashing goes on behind. What fails leaves nothing. */
async function carryOut(
  session: Session,
  below: BuildRoot,
  step: LayerStep,
  known: Content | undefined,
): Promise<Done> {
  const { snapshots, leases, clock } = session.parts
  if (below.depth >= MAX_LAYERS)
    throw invalid(`max depth exceeded: an image has at most ${MAX_LAYERS} layers that change files`)
  const lease = await leases.open('build step')
  try {
    const id = longId()
    const active = await snapshots.prepare(`build-${id}`, below.snapshot, lease, { volatile: true })
    const { performed, frozen } = await keepOrRemove(session, active, () =>
      step.perform(active, { id, content: known }),
    )
    const created = formatTime(clock.nanoseconds())
    const facts = { created, content: performed.content }
    if (frozen === undefined) {
      follow(session, recordUnchanged({ session, below, step, lease, ...facts }))
      return { root: below, ...facts, changed: false }
    }
    const sealed = sealAndRecord({ session, below, step, performed, frozen, lease, created })
    follow(session, sealed)
    return { root: pendingRoot(below, frozen.id, sealed), ...facts, changed: true }
  } catch (error) {
    await lease[Symbol.asyncDispose]()
    throw error
  }
}

/** The build ends when all that it began has ended. */
function follow(session: Session, work: Promise<unknown>): void {
  work.catch(() => undefined)
  session.pending.push(work)
}

interface Kept {
  readonly performed: Performed
  /** Absent where nothing was changed. */
  readonly frozen?: FrozenSnapshot
}

async function keepOrRemove(session: Session, active: ActiveSnapshot, work: () => Promise<Performed>): Promise<Kept> {
  let keep = false
  try {
    const before = await stat(active.upper)
    const performed = await work()
    const [names, after] = await Promise.all([readdir(active.upper), stat(active.upper)])
    const same = before.mode === after.mode && before.uid === after.uid && before.gid === after.gid
    keep = names.length > 0 || !same
    return keep ? { performed, frozen: await active.freeze() } : { performed }
  } finally {
    if (!keep) await session.parts.snapshots.remove(active.key)
  }
}

interface Facts {
  readonly created: string
  readonly content: Content
}

async function recordUnchanged({ session, below, step, lease, ...facts }: Recording & Facts): Promise<void> {
  await using _held = lease
  const known = await below.sealed
  session.records.save({ ...newRecord(known, step, facts), ...chainOf(known), size: 0 })
}

interface Recording {
  readonly session: Session
  readonly below: BuildRoot
  readonly step: LayerStep
  readonly lease: Lease
}

interface Sealing extends Recording {
  readonly created: string
  readonly performed: Performed
  readonly frozen: FrozenSnapshot
}

/** Hashes beside the steps that go on; a name and a cache record as soon as the layers below have theirs. */
async function sealAndRecord({ session, below, step, frozen, lease, ...made }: Sealing): Promise<SealedRoot> {
  await using _held = lease
  const { content, layer: claim, named } = made.performed
  const layer = await session.parts.layers.diff(frozen, lease, { claim })
  const known = await below.sealed
  const sealed = await session.parts.layers.adopt(frozen, known.chain, layer)
  const record = newRecord(known, step, { created: made.created, content })
  session.records.save({ ...record, chain: sealed.chain, size: layer.content })
  await named?.(sealed.chain)
  return { chain: sealed.chain, diffIds: [...known.diffIds, layer.diffId] }
}

function chainOf(sealed: SealedRoot): Pick<NewRecord, 'chain'> {
  return sealed.chain === undefined ? {} : { chain: sealed.chain }
}

function newRecord(known: SealedRoot, step: LayerStep, facts: Facts): Omit<NewRecord, 'chain' | 'size'> {
  return {
    key: recordKey(known, step, facts.content),
    prefix: prefixKey(known, step),
    kind: step.kind,
    description: step.description,
    ingredients: JSON.stringify({ parent: known.chain ?? 'scratch', ...step.definition, content: facts.content.hash }),
    created: facts.created,
  }
}

/** The result after a step that may have made a layer. */
export function withLayer(input: StepResult, outcome: LayerOutcome, createdBy: string): StepResult {
  const entry: HistoryEntry = {
    created: outcome.created,
    created_by: createdBy,
    ...(outcome.changed ? {} : { empty_layer: true }),
  }
  return { root: outcome.root, state: advance(input.state, {}, entry) }
}

export function announceLayer(site: StepSite, outcome: LayerOutcome): void {
  if (outcome.cached) site.session.emit({ kind: 'cached', step: site.step.number })
}
