import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, shortId } from '#base'
import { attachMounts, unmount } from '#kernel'
import type { Mount } from '#kernel'

/** A root attached for the time of one job. */
export interface ScratchMount extends AsyncDisposable {
  readonly path: string
}

/** Attaches a root below the builder's folder; disposing takes it away. */
export async function mountRoot(folder: string, mounts: readonly Mount[]): Promise<ScratchMount> {
  const path = join(folder, 'mounts', shortId())
  await mkdir(path, { recursive: true, mode: 0o700 })
  try {
    attachMounts(mounts, path)
  } catch (error) {
    await rmdir(path)
    throw error
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await unmount(path, { ifMounted: true })
      await rmdir(path)
    },
  }
}

/** What a killed daemon left: mounts, unpacked contexts, scripts. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await namesIn(join(folder, 'mounts'))) {
    const path = join(folder, 'mounts', name)
    await unmount(path, { ifMounted: true, detach: true })
    await rmdir(path)
  }
  for (const kind of ['contexts', 'scripts']) await rm(join(folder, kind), { recursive: true, force: true })
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
