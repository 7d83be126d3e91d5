import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ifExists, syncFolder, writeFileAtomic } from '#base'

/**
 * While nobody has the database open, its file must not change: closing leaves the file's sum and a copy of it, opening
 * compares. The sum is taken away before the first write, so a crash leaves none, and then nothing is compared.
 */
export async function sealDatabase(path: string): Promise<void> {
  const sum = await sumOf(path)
  if (sum === undefined) return
  const fresh = `${copyOf(path)}.new`
  await copyFile(path, fresh)
  await using file = await open(fresh, 'r')
  await file.sync()
  await rename(fresh, copyOf(path))
  await writeFileAtomic(sealOf(path), `${sum}\n`, 0o600)
}

export type SealState = 'absent' | 'whole' | 'broken'

/** Compares, and takes the seal away. `broken`: the file is not what was closed; `copy` tells whether the copy is. */
export async function breakSeal(path: string): Promise<{ readonly state: SealState; readonly copy: boolean }> {
  const sum = (await ifExists(readFile(sealOf(path), 'utf8')))?.trim()
  if (sum === undefined) return { state: 'absent', copy: false }
  const [own, copied] = [await sumOf(path), await sumOf(copyOf(path))]
  // of file, copy and sum any one may be damaged: two of them decide
  const state = own !== undefined && (own === sum || own === copied) ? 'whole' : 'broken'
  const copy = state === 'broken' && copied === sum
  if (state === 'whole') await rm(sealOf(path), { force: true })
  await syncFolder(dirname(path))
  return { state, copy }
}

export function copyOf(path: string): string {
  return `${path}.copy`
}

export function sealOf(path: string): string {
  return `${path}.sum`
}

async function sumOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  const read = async (): Promise<string> => {
    for await (const chunk of createReadStream(path)) hash.update(chunk)
    return hash.digest('hex')
  }
  return ifExists(read())
}
