import { posix } from 'node:path'
import { type Bytes, EngineError, invalid } from '#base'
import { command, type Context, flag, size, writeAll } from '#cli/kit'
import { parsePathStat, PATH_STAT_HEADER, type PathStatHead } from '#wire'
import { absolute, assertionOf, type CopyEnd, type CopyTarget, parseEnd, planCopy, splitEntry } from './copy-path.ts'

interface Options {
  readonly archive: boolean
  readonly followLink: boolean
  readonly quiet: boolean
}

export const cp = command({
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tmica cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  summary: `Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  flags: {
    archive: flag.switch('Archive mode (copy all uid/gid information)', { short: 'a' }),
    'follow-link': flag.switch('Always follow symbol link in SRC_PATH', { short: 'L' }),
    quiet: flag.switch(
      'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached',
      { short: 'q' },
    ),
  },
  examples: [
    'mica cp web:/etc/nginx/nginx.conf .',
    'mica cp -a site/. web:/var/www',
    'mica cp web:/var/log - | tar -t',
  ],
  min: 2,
  max: 2,
  async run(context, { flags, given, args: [source = '', destination = ''] }) {
    if (source === '') throw invalid('source can not be empty')
    if (destination === '') throw invalid('destination can not be empty')
    const [from, to] = [parseEnd(source), parseEnd(destination)]
    const quiet = given.has('quiet') ? flags.quiet : !context.io.stdout.terminal
    const options = { archive: flags.archive, followLink: flags['follow-link'], quiet }
    if (from.container !== undefined && to.container !== undefined)
      throw invalid('copying between containers is not supported')
    if (from.container !== undefined) await copyOut(context, { ...from, container: from.container }, to.path, options)
    else if (to.container !== undefined) await copyIn(context, from.path, { ...to, container: to.container }, options)
    else throw invalid('must specify at least one container source')
    return 0
  },
})

type InContainer = CopyEnd & { readonly container: string }

function pathOf({ container }: InContainer): string {
  return `/containers/${encodeURIComponent(container)}/archive`
}

async function copyOut(context: Context, from: InContainer, to: string, options: Options): Promise<void> {
  const host = await import('./copy-to-host.ts')
  const target = to === '-' ? to : absolute(context.cwd, to)
  if (target !== '-') host.checkOutputPath(target)
  const { path, calledAs } = options.followLink ? await followed(context, from) : { path: from.path }
  const reply = await context.client.stream('GET', pathOf(from), { query: { path } })
  if (target === '-') {
    await writeAll(context.io.stdout, reply.bytes)
    return
  }
  const { kind } = parsePathStat(reply.headers.get(PATH_STAT_HEADER.toLowerCase()))
  const source = { path, isFolder: kind === 'folder', ...(calledAs !== undefined && { calledAs }) }
  const { folder, name } = planCopy(source, host.hostTarget(target))
  const counted = count(reply.bytes)
  await host.unpackToHost(counted.bytes, { folder, from: splitEntry(path).base, to: name ?? calledAs })
  if (!options.quiet) context.io.stderr.write(`Successfully copied ${size(counted.size())} to ${target}\n`)
}

interface Followed {
  readonly path: string
  readonly calledAs?: string
}

/** Where a link leads, to be called as it was asked for. */
async function followed(context: Context, from: InContainer): Promise<Followed> {
  const stat = await statIn(context, from)
  if (stat?.kind !== 'link') return { path: from.path }
  const path = `${linkTarget(from.path, stat)}${assertionOf(from.path)}`
  const asked = splitEntry(from.path).base
  return asked === splitEntry(path).base ? { path } : { path, calledAs: asked }
}

function linkTarget(path: string, { linkTarget: target }: PathStatHead): string {
  return target.startsWith('/') ? target : posix.join(splitEntry(path).dir, target)
}

/** Undefined where the daemon says that it is not there: what else is wrong the copy itself is told. */
async function statIn(context: Context, place: InContainer): Promise<PathStatHead | undefined> {
  try {
    const { headers, bytes } = await context.client.stream('HEAD', pathOf(place), { query: { path: place.path } })
    await bytes[Symbol.asyncIterator]().return?.()
    return parsePathStat(headers.get(PATH_STAT_HEADER.toLowerCase()))
  } catch (error) {
    if (error instanceof EngineError && error.details?.['status'] !== undefined) return undefined
    throw error
  }
}

async function copyIn(context: Context, from: string, to: InContainer, options: Options): Promise<void> {
  const target = await containerTarget(context, to)
  const { folder, bytes } =
    from === '-' ? fromInput(context, to, target) : await fromHost(context, from, target, options)
  const counted = count(bytes)
  const query = { path: folder, noOverwriteDirNonDir: true, copyUIDGID: options.archive }
  const reply = await context.client.stream('PUT', pathOf(to), { query, bytes: counted.bytes })
  await reply.bytes[Symbol.asyncIterator]().return?.()
  if (!options.quiet)
    context.io.stderr.write(`Successfully copied ${size(counted.size())} to ${to.container}:${target.path}\n`)
}

async function containerTarget(context: Context, to: InContainer): Promise<CopyTarget> {
  let path = to.path
  let stat = await statIn(context, to)
  if (stat?.kind === 'link') {
    path = linkTarget(path, stat)
    stat = await statIn(context, { ...to, path })
  }
  if (stat?.kind === 'device')
    throw invalid(`destination "${to.container}:${to.path}" must be a directory or a regular file: got a device`)
  return { path, kind: stat === undefined ? 'nothing' : stat.kind === 'folder' ? 'folder' : 'file' }
}

interface Sending {
  readonly folder: string
  readonly bytes: Bytes
}

function fromInput(context: Context, to: InContainer, target: CopyTarget): Sending {
  if (target.kind !== 'folder') throw invalid(`destination "${to.container}:${to.path}" must be a directory`)
  return { folder: target.path, bytes: context.io.stdin.bytes }
}

async function fromHost(context: Context, from: string, target: CopyTarget, options: Options): Promise<Sending> {
  const host = await import('./copy-from-host.ts')
  const source = await host.hostSource(absolute(context.cwd, from), options.followLink)
  const { folder, name } = planCopy(source, target)
  const own = source.calledAs ?? splitEntry(source.path).base
  return { folder, bytes: host.packSource(source, name ?? own) }
}

function count(bytes: Bytes): { readonly bytes: Bytes; readonly size: () => number } {
  let total = 0
  const counted = async function* (): Bytes {
    for await (const chunk of bytes) {
      total += chunk.length
      yield chunk
    }
  }
  return { bytes: counted(), size: () => total }
}
