import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, shortId } from '#base'
import { attachMounts, type Mount } from '#kernel'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'
import { clearPlace } from '#container/mount'
import type { ExportInput } from '#container/files'
import { bytesOfJob } from './stream-job.ts'

/** The whole root of a container, running or not, as a tar. */
export async function exportContainer(parts: Parts, name: string, signal?: AbortSignal): Promise<Bytes> {
  const { record } = parts.records.resolve(name)
  const { upper, parent } = await parts.snapshots.reopen(record.id)
  const lowers = parent === undefined ? [] : await parts.snapshots.lowers(parent)
  emitEvent(parts, 'export', record)
  return streamOf(parts, viewOf([upper, ...lowers]), signal)
}

/** The folders seen as one, read-only: beside the container's own mount of them. */
function viewOf(folders: readonly string[]): Mount {
  const [only = '', ...others] = folders
  if (others.length === 0) return { type: 'bind', source: only, options: ['bind', 'ro', 'nodev'] }
  const options = [
    'ro',
    // what a process of the container puts in a file's place must not be opened as a device
    'nodev',
    ...folders.map((folder) => `lowerdir+=${folder}`),
    'redirect_dir=off',
    'metacopy=off',
    'index=off',
  ]
  return { type: 'overlay', source: 'overlay', options }
}

async function* streamOf(parts: Parts, view: Mount, signal: AbortSignal | undefined): Bytes {
  const folder = join(parts.config.execRoot, 'r', `export-${shortId()}`)
  const root = join(folder, 'root')
  mkdirSync(root, { recursive: true, mode: 0o700 })
  try {
    attachMounts([view], root)
    yield* bytesOfJob<ExportInput>(parts, { name: 'container.export', input: { root }, signal })
  } finally {
    await clearPlace({ folder, root })
  }
}
