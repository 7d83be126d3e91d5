import { existsSync, readFileSync } from 'node:fs'
import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, shortId } from '#base'
import type { CopyInput, ForeseenLayer, KnownInput, SourceInput } from '#builder/files'
import { hashOf } from '#builder/plan'
import { canonicalReference, type ChainId, parseChainId } from '#oci'
import type { Lease } from '#store/lease'
import type { SealedSnapshot, SnapshotId, Snapshots } from '#store/snapshot'
import { keepNewest } from './newest.ts'
import type { Session } from './session.ts'
import type { BuildRequest } from './types.ts'

/** Layers of whose files is known what they hold. */
const MAX_NOTED = 16

/** What a copy of a folder that stays has put into its layer: the next one need not write again what did not change. */
export interface LayerNotes {
  /** For the job that copies. */
  earlier(layer: SealedSnapshot | undefined): Promise<Pick<CopyInput, 'earlier' | 'files'>>
  readonly named: (chain: ChainId) => Promise<void>
}

/** Undefined for sources whose digests are not remembered. */
export async function openNotes(session: Session, source: SourceInput | undefined): Promise<LayerNotes | undefined> {
  if (source?.digests === undefined) return undefined
  const folder = join(session.folder, 'layers')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const files = join(folder, `${shortId()}.new`)
  return {
    async earlier(layer) {
      if (layer === undefined) return { files }
      return { files, earlier: { upper: layer.upper, files: fileOf(folder, layer.chain) } }
    },
    async named(chain) {
      try {
        await rename(files, fileOf(folder, chain))
      } catch (error) {
        // too few files to be noted
        if (errnoOf(error) !== 'ENOENT') throw error
      }
      await keepNewest(folder, MAX_NOTED)
    },
  }
}

function fileOf(folder: string, chain: ChainId): string {
  return join(folder, `${chain.replace(/^sha256:/, '')}.json`)
}

/** What is kept of builds of which is known what became of their context: three files each. */
const MAX_RECEIVED = 48
/** Fewer files are written sooner than looked up. */
const WORTH = 256

interface ReceivedNote {
  readonly chain: string
  readonly source: string
  readonly place: string
}

/** The layer that holds the files of a context that the same build sent before. */
export interface KnownContext {
  readonly input: KnownInput
  /** What the layer stands on. A layer that shares files with it stands there too: then no root ever shows both. */
  readonly parent: SnapshotId | undefined
}

/** Files of a context that say what it is. */
export interface NotedFiles {
  readonly index: string
  readonly stretches: string
}

/** What is kept of received contexts. */
export interface ReceivedNotes {
  find(snapshots: Pick<Snapshots, 'find'>, lease: Lease): Promise<KnownContext | undefined>
  /** A copy has made this layer of the context that these are of. */
  save(chain: ChainId, layer: ForeseenLayer, files: NotedFiles): Promise<void>
  forget(): Promise<void>
}

/** A build is the same by its names and its Dockerfile's. */
export function receivedNotes(folder: string, { tags, dockerfile, target }: BuildRequest): ReceivedNotes {
  const all = join(folder, 'received')
  const where = 'path' in dockerfile ? dockerfile.path : ''
  const file = join(all, `${hashOf('received', tags.map(canonicalReference), where, target ?? '')}.json`)
  const filesOf = (chain: string): NotedFiles => {
    const own = join(all, chain.replace(/^sha256:/, ''))
    return { index: `${own}.index`, stretches: `${own}.stretches` }
  }
  return {
    async find(snapshots, lease) {
      const note = existsSync(file) ? noteOf(readFileSync(file, 'utf8')) : undefined
      if (note === undefined) return undefined
      const chain = parseChainId(note.chain)
      lease.hold({ kind: 'snapshot', id: chain })
      const snapshot = await snapshots.find(chain)
      const { index, stretches } = filesOf(chain)
      if (snapshot === undefined || !existsSync(index)) return undefined
      const { source, place } = note
      return { input: { upper: snapshot.upper, source, place, index, stretches }, parent: snapshot.parent }
    },
    async save(chain, { source, place, entries }, files) {
      if (entries < WORTH) return
      await mkdir(all, { recursive: true, mode: 0o700 })
      const own = filesOf(chain)
      for (const kind of ['index', 'stretches'] as const) {
        await linkOver(files[kind], own[kind])
      }
      const temporary = `${file}.${shortId()}`
      await writeFile(temporary, JSON.stringify({ chain, source, place } satisfies ReceivedNote), { mode: 0o600 })
      await rename(temporary, file)
      await keepNewest(all, MAX_RECEIVED)
    },
    forget: () => rm(file, { force: true }),
  }
}

/** Another name, also where one is already. */
async function linkOver(from: string, to: string): Promise<void> {
  const temporary = `${to}.${shortId()}`
  await link(from, temporary)
  await rename(temporary, to)
  // a rename onto another name of the same file does nothing (rename(2))
  await rm(temporary, { force: true })
}

function noteOf(text: string): ReceivedNote | undefined {
  try {
    return JSON.parse(text) as ReceivedNote
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
