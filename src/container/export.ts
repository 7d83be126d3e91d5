import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Bytes, shortId } from '#base'
import { attachMounts, closeDescriptor, createPipe, type Mount, readDescriptor } from '#kernel'
import type { ExportInput } from './jobs.ts'
import type { Parts } from './parts.ts'
import { clearPlace } from './place.ts'

/** The whole root of a container, running or not, as a tar. */
export async function exportContainer(parts: Parts, name: string, signal?: AbortSignal): Promise<Bytes> {
  const { record } = parts.records.resolve(name)
  const { upper, parent } = await parts.snapshots.reopen(record.id)
  const lowers = parent === undefined ? [] : await parts.snapshots.lowers(parent)
  return streamOf(parts, viewOf([upper, ...lowers]), signal)
}

/** The folders seen as one, read-only: beside the container's own mount of them. */
function viewOf(folders: readonly string[]): Mount {
  const [only = '', ...others] = folders
  if (others.length === 0) return { type: 'bind', source: only, options: ['bind', 'ro'] }
  const options = [
    'ro',
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
    yield* tarOf(parts, root, signal)
  } finally {
    await clearPlace({ folder, root })
  }
}

async function* tarOf(parts: Parts, root: string, signal: AbortSignal | undefined): Bytes {
  const { from, to } = createPipe()
  const stopped = new AbortController()
  const either = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal
  const job = parts.pool
    .run<ExportInput, void>('container.export', { root, fd: to }, { signal: either })
    .finally(() => closeDescriptor(to))
  const done = job.catch(() => undefined)
  let whole = false
  try {
    for await (const chunk of readDescriptor(from)) yield chunk
    whole = true
    await job
  } finally {
    if (!whole) stopped.abort()
    closeDescriptor(from)
    await done
  }
}
