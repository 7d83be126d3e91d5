import { existsSync } from 'node:fs'
import { copyFile, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ifExists, isKind, messageOf, syncFolder } from '#base'
import { openDatabase } from './database.ts'
import { type Losses, salvage } from './salvage.ts'
import { breakSeal, copyOf, sealOf } from './seal.ts'
import type { Database, DatabaseOptions } from './types.ts'

export interface KeptDatabase {
  readonly database: Database
  /** Where the file was damaged: what was done, one sentence each. */
  readonly damage: readonly string[]
  /** Records may be missing that were there. */
  readonly incomplete: boolean
}

/**
 * As `openDatabase`, but a damaged or missing file keeps nobody from starting: it is put aside as `<path>.damaged-<time>`,
 * and the copy that the last close left takes its place, or else what can be read of it.
 */
export async function openKeptDatabase(path: string, options: DatabaseOptions = {}): Promise<KeptDatabase> {
  const seal = await breakSeal(path)
  if (seal.state !== 'broken') {
    try {
      return { database: await openDatabase(path, options), damage: [], incomplete: false }
    } catch (error) {
      if (!isKind(error, 'corrupt')) throw error
      return recover(path, options, { why: messageOf(error), copy: false })
    }
  }
  return recover(path, options, { why: 'it has changed since it was closed', copy: seal.copy })
}

interface Damage {
  readonly why: string
  /** The copy is what was closed. */
  readonly copy: boolean
}

/** Whatever is cut off here is found again at the next start: the new file appears whole, or not at all. */
async function recover(path: string, options: DatabaseOptions, { why, copy }: Damage): Promise<KeptDatabase> {
  const aside = existsSync(path) ? await putAside(path) : ((await newestAside(path)) ?? (await markMissing(path)))
  const said = `the database ${path} is damaged: ${why}; it is kept as ${aside}`
  const fresh = `${path}.new`
  for (const suffix of ['', '-wal', '-shm']) await rm(`${fresh}${suffix}`, { force: true })
  const losses = copy ? await restoreCopy(path, fresh) : await rebuild(fresh, [aside, copyOf(path)])
  await rename(fresh, path)
  await syncFolder(dirname(path))
  await rm(sealOf(path), { force: true })
  const how = copy ? 'its copy is whole and took its place' : 'what could be read of it was taken over'
  return { database: await openDatabase(path, options), damage: [said, how, ...losses], incomplete: !copy }
}

/** An empty file says that there was none. */
async function markMissing(path: string): Promise<string> {
  const aside = asideOf(path)
  await writeFile(aside, '')
  return aside
}

function asideOf(path: string): string {
  return `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
}

async function putAside(path: string): Promise<string> {
  const aside = asideOf(path)
  await ifExists(rename(`${path}-wal`, `${aside}-wal`))
  await rename(path, aside)
  await rm(`${path}-shm`, { force: true })
  return aside
}

async function newestAside(path: string): Promise<string | undefined> {
  const [folder, start] = [dirname(path), `${basename(path)}.damaged-`]
  const names = (await readdir(folder)).filter((name) => name.startsWith(start) && name.endsWith('Z'))
  const newest = names.toSorted().at(-1)
  return newest === undefined ? undefined : join(folder, newest)
}

async function restoreCopy(path: string, fresh: string): Promise<Losses> {
  await copyFile(copyOf(path), fresh)
  await using file = await open(fresh, 'r')
  await file.sync()
  return []
}

async function rebuild(fresh: string, sources: readonly string[]): Promise<Losses> {
  await (await openDatabase(fresh))[Symbol.asyncDispose]()
  return salvage(
    fresh,
    sources.filter((source) => existsSync(source)),
  )
}
