import { lstat, open, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type TarSource, nameOfText, writeTar } from '#archive'
import { type Bytes, conflict, errnoOf, forbidden, ifExists } from '#base'
import { type IgnoreRules, type IgnoreState, parseIgnore } from '#dockerfile'
import type { Located } from './locate.ts'

type Folder = Extract<Located, { kind: 'folder' }>

const DEFAULT_DOCKERFILE = 'Dockerfile'

/** The tar of a build context, as docker's client sends it: by .dockerignore, all of it root's, a Dockerfile from elsewhere put in. */
export async function* contextTar(folder: Folder): Bytes {
  yield* writeTar(members(folder))
}

/**
 * Throws in docker's words where there is something in the context that this user may not read. Over the local socket the
 * daemon would read it with rights of its own.
 */
export async function checkReadable(folder: Folder): Promise<void> {
  for await (const entry of entries(folder)) {
    if (!entry.stats.isFile()) continue
    const file = await reading(open(entry.place), `no permission to read from '${entry.place}'`)
    await file.close()
  }
}

async function* members(folder: Folder): AsyncIterable<TarSource> {
  if (folder.dockerfileText !== undefined) {
    const body = Buffer.from(folder.dockerfileText)
    const path = nameOfText(folder.dockerfile ?? DEFAULT_DOCKERFILE)
    yield { kind: 'file', path, mode: 0o644, size: body.length, body }
  }
  for await (const entry of entries(folder)) yield* member(entry)
}

interface Entry {
  readonly place: string
  /** Below the context. */
  readonly path: string
  readonly stats: Stats
}

/** What .dockerignore leaves, and what the daemon reads itself. */
async function* entries(folder: Folder): AsyncIterable<Entry> {
  const name = folder.dockerfile ?? DEFAULT_DOCKERFILE
  const rules = await ignoreRules(folder.path, name)
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

async function* walk(walker: Walk, below: string, parent: IgnoreState | undefined): AsyncIterable<Entry> {
  const here = join(walker.root, below)
  const names = (await reading(readdir(here), `can't stat '${here}'`)).sort()
  for (const name of names) {
    const path = below === '' ? name : `${below}/${name}`
    if (path === walker.hidden) continue
    const state = walker.rules.state(path, parent)
    const wanted = !state.ignored || walker.kept.has(path)
    const place = join(walker.root, path)
    const stats = await reading(lstat(place), `can't stat '${place}'`)
    if (wanted) yield { place, path, stats }
    const leads = walker.rules.hasExceptions || [...walker.kept].some((kept) => kept.startsWith(`${path}/`))
    if (stats.isDirectory() && (wanted || leads)) yield* walk(walker, path, state)
  }
}

type Stats = Awaited<ReturnType<typeof lstat>>

/** What may not be read is said as docker's client does. */
async function reading<T>(work: Promise<T>, message: string): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error
    throw forbidden(`error checking context: ${message}`, { cause: error })
  }
}

async function* member({ place, path, stats }: Entry): AsyncIterable<TarSource> {
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
      body: size === 0 ? new Uint8Array() : bodyOf(place, path, size),
    }
  }
}

/** So many bytes of a file as it had when it was looked at: one that grows is sent as it was, one that shrank ends the build. */
async function* bodyOf(place: string, path: string, size: number): Bytes {
  const file = await reading(open(place), `no permission to read from '${place}'`)
  let sent = 0
  for await (const chunk of file.createReadStream({ end: size - 1, highWaterMark: 1 << 18 })) {
    sent += chunk.length
    yield chunk
  }
  if (sent < size) throw conflict(`cannot send ${JSON.stringify(path)}: it became shorter while it was read`)
}
