import { dirname } from 'node:path'
import { conflict, EngineError, invalid, isKind } from '#base'
import type { Collector } from '#store/gc'
import type { SurveyedItem, SurveyInput } from '#store/snapshot'
import { attachContainer, containerLogs } from './attach.ts'
import { commitContainer } from './commit.ts'
import { packFromContainer, statInContainer, unpackIntoContainer } from './copy.ts'
import { createContainer, ownerOf } from './create.ts'
import { createExecs } from './exec.ts'
import { connectContainer, disconnectContainer, settleNetworks } from './network.ts'
import { exportContainer } from './export.ts'
import { checkLog } from '#container/stream'
import {
  checkName,
  type ContainerRecord,
  type ContainerService,
  createContainerLock,
  isLive,
  nextState,
  openRecords,
  type WaitCondition,
} from '#container/record'
import { removeLink, renameInLinks } from './links.ts'
import { createLives, emitEvent, folderOf } from './parts.ts'
import type { ContainerOptions, Parts } from './parts.ts'
import { removeContainer } from './remove.ts'
import { restoreContainers } from './restore.ts'
import { startLocked } from './start.ts'
import { killContainer, stopContainer } from './stop.ts'
import { topContainer } from './top.ts'

export interface OpenContainers extends ContainerService, AsyncDisposable {
  /** Containers hold their image and their writable snapshot. */
  readonly collector: Collector
  /** To be called once after a start, before anything else; see `restoreContainers`. */
  restore(): Promise<void>
  /** To be called after that, once networks are there again. */
  settle(): Promise<void>
}

/** Opens the room on its records; `restore` then makes records and kernel agree. Closing leaves containers running. */
export async function openContainers(options: ContainerOptions): Promise<OpenContainers> {
  if (options.config.containerLog) checkLog(options.config.containerLog)
  const records = openRecords(options.database)
  const lives = createLives(options, records)
  const views: Parts['views'] = new Map()
  const parts: Parts = { ...options, records, lives, views, locks: createContainerLock((id) => views.has(id)) }
  const execs = createExecs(parts)
  const reserved = new Map<string, string>()
  const idOf = (name: string): string => records.resolve(name).record.id
  return {
    collector: collectorOf(parts),
    restore: () => restoreContainers(parts),
    settle: () => settleNetworks(parts),
    create: (request) => createContainer(parts, reserved, request),
    start: async (name) => {
      const id = idOf(name)
      await parts.locks.run(id, () => startLocked(parts, id))
    },
    stop: (name, wanted) => stopContainer(parts, name, wanted),
    restart: (name, wanted) => restartContainer(parts, name, wanted),
    kill: (name, signal) => killContainer(parts, name, signal),
    pause: (name) => setPaused(parts, name, true),
    unpause: (name) => setPaused(parts, name, false),
    remove: (name, wanted) => removeContainer(parts, name, wanted),
    wait: (name, condition, signal) => waitFor(parts, { name, condition, signal }),
    rename: (name, to) => renameContainer(parts, reserved, { name, to }),
    unlink: (name) => removeLink(parts, name),
    connect: (name, request) => connectContainer(parts, name, request),
    disconnect: (name, network, wanted) => disconnectContainer(parts, { name, network, ...wanted }),
    get: async (name) => records.resolve(name).record,
    list: async () => records.all().map(({ record }) => record),
    attach: (name, wanted) => attachContainer(parts, name, wanted),
    resize: async (name, rows, columns) => await options.runtime.resize(liveId(parts, name), rows, columns),
    logs: async (name, wanted) => containerLogs(parts, name, wanted),
    changes: async (name) => {
      const { upper, parent } = await options.snapshots.reopen(idOf(name))
      return await options.layers.changes(upper, parent)
    },
    usage: async (name) => await options.snapshots.usage((await options.snapshots.reopen(idOf(name))).id),
    top: (name, psArgs) => topContainer(parts, name, psArgs),
    export: (name, signal) => exportContainer(parts, name, signal),
    stat: (name, path) => statInContainer(parts, name, path),
    pack: (name, path, signal) => packFromContainer(parts, { name, path, signal }),
    unpack: (request) => unpackIntoContainer(parts, request),
    commit: (request) => commitContainer(parts, request),
    prune: (keep) => pruneContainers(parts, keep),
    execCreate: (name, request) => execs.create(name, request),
    execStart: (id, wanted) => execs.start(id, wanted),
    execResize: (id, rows, columns) => execs.resize(id, rows, columns),
    execGet: (id) => execs.get(id),
    execIds: (name) => execs.of(idOf(name)),
    [Symbol.asyncDispose]: async () => lives.close(),
  }
}

async function restartContainer(
  parts: Parts,
  name: string,
  options: { readonly timeout?: number; readonly signal?: string },
): Promise<void> {
  const { record } = parts.records.resolve(name)
  if (isLive(record.state)) await stopContainer(parts, record.id, options)
  try {
    await parts.locks.run(record.id, () => startLocked(parts, record.id))
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    const { kind, message, details = {} } = error
    throw new EngineError(kind, `Cannot restart container ${name}: ${message}`, { cause: error, details })
  }
  emitEvent(parts, 'restart', parts.records.resolve(record.id).record)
}

async function setPaused(parts: Parts, name: string, paused: boolean): Promise<void> {
  const { id } = parts.records.resolve(name).record
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    if (!paused && record.state !== 'paused') throw conflict(`Container ${id} is not paused`)
    if (paused && record.state === 'paused') throw conflict(`Container ${id} is already paused`)
    if (paused && record.state !== 'running') throw conflict(`container ${id} is not running`)
    await (paused ? parts.runtime.pause(id) : parts.runtime.resume(id))
    const state = nextState(record.state, paused ? 'paused' : 'resumed')
    emitEvent(parts, paused ? 'pause' : 'unpause', parts.records.update(id, { state }))
  })
}

function liveId({ records }: Parts, name: string): string {
  const { id, state } = records.resolve(name).record
  if (!isLive(state)) throw conflict(`container ${id} is not running`)
  return id
}

interface Waiting {
  readonly name: string
  readonly condition: WaitCondition
  readonly signal: AbortSignal | undefined
}

async function waitFor(
  parts: Parts,
  { name, condition, signal }: Waiting,
): Promise<{ readonly exitCode: number; readonly error?: string }> {
  const { record } = parts.records.resolve(name)
  const life = parts.lives.of(record.id)
  if (condition === 'removed') return { exitCode: await unlessAborted(life.removed.promise, signal) }
  if (condition === 'next-exit' || isLive(record.state)) await unlessAborted(life.exited.promise, signal)
  const { exitCode, error } = parts.records.find(record.id)?.record ?? record
  return { exitCode, ...(error !== '' && { error }) }
}

async function unlessAborted<T>(done: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await done
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([done, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function renameContainer(
  parts: Parts,
  reserved: ReadonlyMap<string, string>,
  { name, to }: { readonly name: string; readonly to: string },
): Promise<void> {
  const { id } = parts.records.resolve(name).record
  await parts.locks.run(id, async () => {
    const { record } = parts.records.resolve(id)
    const renamed = newName((wanted) => ownerOf(parts, reserved, wanted), record.name, to)
    const after = parts.records.update(id, { name: renamed })
    renameInLinks(parts, id, renamed)
    await parts.networks.rename(id, renamed)
    emitEvent(parts, 'rename', after, { oldName: `/${record.name}` })
  })
}

/** Docker's words, which differ from those of a create. */
function newName(owner: (name: string) => string | undefined, from: string, to: string): string {
  if (to === '') throw invalid('Neither old nor new names may be empty')
  const name = to.startsWith('/') ? to : `/${to}`
  if (name === `/${from}`) throw invalid('Renaming a container with the same name as its current name')
  try {
    return checkName(name, owner)
  } catch (error) {
    if (!isKind(error, 'invalid') && !isKind(error, 'conflict')) throw error
    throw new EngineError(error.kind, `Error when allocating new name: ${error.message}`, { cause: error })
  }
}

async function pruneContainers(
  parts: Parts,
  keep: (container: ContainerRecord) => boolean,
): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
  const removed: string[] = []
  let bytes = 0
  for (const { record, starting } of parts.records.all()) {
    if (starting || isLive(record.state) || record.state === 'removing' || keep(record)) continue
    if (parts.views.has(record.id)) continue
    const size = await unlessElsewhere(async () => {
      const found = await sizeOnDisk(parts, record.id)
      await removeContainer(parts, record.id, { force: false, volumes: false })
      return found
    })
    if (size === undefined) continue
    bytes += size
    removed.push(record.id)
  }
  const actor = { id: '', attributes: { reclaimed: String(bytes) } }
  parts.events.emit({ type: 'container', action: 'prune', actor })
  return { removed, bytes }
}

/** Undefined where somebody else removed, started or copies from it meanwhile. */
export async function unlessElsewhere<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isKind(error, 'not-found') || isKind(error, 'conflict')) return undefined
    throw error
  }
}

/** Bytes of blocks that come back with it: its writable tree, log and settings. */
async function sizeOnDisk(parts: Parts, id: string): Promise<number> {
  const { upper } = await parts.snapshots.reopen(id)
  const sizes = await Promise.all(
    [dirname(upper), folderOf(parts, id)].map(async (root) => {
      const items = await parts.pool.run<SurveyInput, readonly SurveyedItem[]>(
        'tree.survey',
        { root, split: [], known: {} },
        { lane: 'short' },
      )
      return items.reduce((sum, { size }) => sum + size, 0)
    }),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

function collectorOf(parts: Parts): Collector {
  return {
    *roots() {
      for (const { record, snapshot } of parts.records.all()) {
        yield { kind: 'image', id: record.image }
        yield { kind: 'snapshot', id: snapshot }
        for (const { image } of record.mounts) if (image !== undefined) yield { kind: 'image', id: image }
      }
    },
    edges: () => [],
    sweep: () => ({ resources: [], removeBytes: async () => 0 }),
  }
}
