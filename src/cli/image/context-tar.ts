import { createReadStream } from 'node:fs'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type TarSource, nameOfText, writeTar } from '#archive'
import { type Bytes, ifExists } from '#base'
import { type IgnoreRules, type IgnoreState, parseIgnore } from '#dockerfile'
import type { Located } from './locate.ts'

type Folder = Extract<Located, { kind: 'folder' }>

const DEFAULT_DOCKERFILE = 'Dockerfile'

/** The tar of a build context, as docker's client sends it: by .dockerignore, all of it root's, a Dockerfile from elsewhere put in. */
export async function* contextTar(folder: Folder): Bytes {
  yield* writeTar(members(folder))
}

async function* members(folder: Folder): AsyncIterable<TarSource> {
  const name = folder.dockerfile ?? DEFAULT_DOCKERFILE
  const rules = await ignoreRules(folder.path, name)
  if (folder.dockerfileText !== undefined) {
    const body = Buffer.from(folder.dockerfileText)
    yield { kind: 'file', path: nameOfText(name), mode: 0o644, size: body.length, body }
  }
  const kept = new Set([
    '.dockerignore',
    `${name}.dockerignore`,
    ...(folder.dockerfileText === undefined ? [name] : []),
  ])
  const hidden = folder.dockerfileText === undefined ? undefined : name
  yield* walk({ root: folder.path, rules, kept, hidden }, '', undefined)
}

async function ignoreRules(root: string, dockerfile: string): Promise<IgnoreRules> {
  const own = await ifExists(readFile(join(root, `${dockerfile}.dockerignore`), 'utf8'))
  return parseIgnore(own ?? (await ifExists(readFile(join(root, '.dockerignore'), 'utf8'))) ?? '')
}

interface Walk {
  readonly root: string
  readonly rules: IgnoreRules
  /** Paths that are sent in any case: the daemon reads them itself. */
  readonly kept: ReadonlySet<string>
  /** A path whose place is taken. */
  readonly hidden: string | undefined
}

async function* walk(walker: Walk, below: string, parent: IgnoreState | undefined): AsyncIterable<TarSource> {
  const names = (await readdir(join(walker.root, below))).sort()
  for (const name of names) {
    const path = below === '' ? name : `${below}/${name}`
    if (path === walker.hidden) continue
    const state = walker.rules.state(path, parent)
    const wanted = !state.ignored || walker.kept.has(path)
    const stats = await lstat(join(walker.root, path))
    if (wanted) yield* member(join(walker.root, path), path, stats)
    const leads = walker.rules.hasExceptions || [...walker.kept].some((kept) => kept.startsWith(`${path}/`))
    if (stats.isDirectory() && (wanted || leads)) yield* walk(walker, path, state)
  }
}

type Stats = Awaited<ReturnType<typeof lstat>>

async function* member(place: string, path: string, stats: Stats): AsyncIterable<TarSource> {
  const shared = {
    path: nameOfText(path),
    mode: Number(stats.mode) & 0o7777,
    mtime: BigInt(Math.round(Number(stats.mtimeMs))) * 1_000_000n,
  }
  if (stats.isDirectory()) yield { ...shared, kind: 'directory' }
  else if (stats.isSymbolicLink()) yield { ...shared, kind: 'symlink', link: nameOfText(await readlink(place)) }
  else if (stats.isFile()) {
    const size = Number(stats.size)
    yield {
      ...shared,
      kind: 'file',
      size,
      body: size === 0 ? new Uint8Array() : createReadStream(place, { end: size - 1, highWaterMark: 1 << 18 }),
    }
  }
}
