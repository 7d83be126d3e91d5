import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ifExists } from '#base'

/** Removes the oldest files of a folder, but for so many. */
export async function keepNewest(folder: string, count: number): Promise<void> {
  const names = await readdir(folder)
  if (names.length <= count) return
  const dated = await Promise.all(
    names.map(async (name) => ({ name, time: (await ifExists(stat(join(folder, name))))?.mtimeMs ?? 0 })),
  )
  const oldest = dated.toSorted((left, right) => left.time - right.time).slice(0, names.length - count)
  await Promise.all(oldest.map(({ name }) => rm(join(folder, name), { force: true })))
}
