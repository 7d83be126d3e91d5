import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, shortId } from '#base'
import type { CopyInput, SourceInput } from '#builder/files'
import type { ChainId } from '#oci'
import type { SealedSnapshot } from '#store/snapshot'
import { keepNewest } from './newest.ts'
import type { Session } from './session.ts'

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
