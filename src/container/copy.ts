import { decompress, detectCompression, type RawName, textOfName } from '#archive'
import { type BodyOnConnection, type Bytes, cancelled } from '#base'
import { closeDescriptor, createPipe, duplicate, type Hanging, type JobOptions, unlessHung } from '#kernel'
import { resolveUser } from '#runtime'
import { feed } from '#store/layer'
import type { PackInput, StatInput, UnpackInput } from '#container/files'
import type { Connection, PathArchive, PathStat, UnpackRequest } from '#container/record'
import { emitEvent, type Parts } from './parts.ts'
import { PIPE_SIZE } from './stream-job.ts'
import { aboutOf, type ContainerView, openView } from './view.ts'

/** What stands at a path of a container, running or not. */
export async function statInContainer(parts: Parts, name: string, path: RawName): Promise<PathStat> {
  return await unlessHung(lookingAt(name, path), undefined, async (hanging) => {
    await using view = await openView(parts, name)
    return await statIn(parts, view, { container: name, path }, hanging)
  })
}

function lookingAt(name: string, path: RawName): string {
  return `cannot look at ${textOfName(path)} in container ${name}`
}

/** A path of a container, to be sent as a tar. The view stays open until it is let go. */
export async function packFromContainer(
  parts: Parts,
  { name, path, signal }: { readonly name: string; readonly path: RawName; readonly signal: AbortSignal | undefined },
): Promise<PathArchive> {
  const pack = async (hanging: Hanging): Promise<PathArchive> => {
    await using stack = new AsyncDisposableStack()
    const view = stack.use(await openView(parts, name))
    const names = { container: name, path }
    const stat = await statIn(parts, view, names, hanging)
    emitEvent(parts, 'archive-path', view.record)
    const input = { root: view.root, ...names }
    const held = stack.move()
    return {
      stat,
      sendTo: (connection) => sendTar(parts, view, { connection, input, signal }),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    }
  }
  return await unlessHung(lookingAt(name, path), signal, pack, (late) => late[Symbol.asyncDispose]())
}

interface Sending {
  readonly connection: Connection
  readonly input: Omit<PackInput, 'fd'>
  readonly signal: AbortSignal | undefined
}

async function sendTar(parts: Parts, view: ContainerView, { connection, input, signal }: Sending): Promise<void> {
  // Ours is not closed, and given to another client, under the worker's hands.
  const fd = duplicate(connection.descriptor)
  try {
    const output = { fd, chunked: connection.chunked }
    await parts.pool.run<PackInput, void>(
      'container.pack',
      { ...input, ...output },
      { lane: 'stream', about: aboutOf(view.record), ...(signal && { signal }) },
    )
  } finally {
    closeDescriptor(fd)
  }
}

/** The archive, compressed or not, is unpacked below a folder of the container. */
export async function unpackIntoContainer(parts: Parts, request: UnpackRequest): Promise<void> {
  const words = `cannot copy to ${textOfName(request.path)} in container ${request.container}`
  await unlessHung(words, request.signal, (hanging) => unpackInView(parts, request, hanging))
}

async function unpackInView(parts: Parts, request: UnpackRequest, hanging: Hanging): Promise<void> {
  await using view = await openView(parts, request.container)
  const { record, root } = view
  const { container, path, keepKinds } = request
  const options: JobOptions = { lane: 'stream', about: aboutOf(record), ...hanging }
  const input = {
    root,
    container,
    path,
    keepKinds,
    readonlyRoot: record.request.readonlyRoot,
    mounts: record.mounts.map(({ destination, readonly }) => ({ destination, readonly })),
    ...(request.ownedByUser && record.user !== '' && { owner: ownerOf(root, record.user) }),
  }
  const run = (source: Pick<UnpackInput, 'fd' | 'framed'>): Promise<void> =>
    parts.pool.run<UnpackInput, void>('container.unpack', { ...input, ...source }, options)
  const { connection } = request
  if (connection && detectCompression(await connection.first()) === 'plain') await takeOver(connection, run)
  else await feedJob(decompress(request.bytes), (fd) => run({ fd }))
  emitEvent(parts, 'extract-to-dir', record)
}

/** The job reads the client's connection itself. */
async function takeOver(
  connection: BodyOnConnection,
  run: (source: Pick<UnpackInput, 'fd' | 'framed'>) => Promise<void>,
): Promise<void> {
  const { descriptor, framing, begun } = connection.take()
  const fd = duplicate(descriptor)
  try {
    await run({ fd, framed: { framing, begun } })
  } finally {
    closeDescriptor(fd)
  }
}

function ownerOf(root: string, user: string): { readonly uid: number; readonly gid: number } {
  const { uid, gid } = resolveUser(root, user)
  return { uid, gid }
}

async function statIn(
  parts: Parts,
  { root, record }: ContainerView,
  names: { readonly container: string; readonly path: RawName },
  hanging: Hanging,
): Promise<PathStat> {
  const options: JobOptions = { lane: 'short', about: aboutOf(record), ...hanging }
  return await parts.pool.run<StatInput, PathStat>('container.stat', { root, ...names }, options)
}

/**
 * Runs a job that reads these bytes from a pipe. It may end before they do: a refusal is not kept waiting for a client
 * that goes on sending. Where the bytes themselves fail, that is the reason given, not that the job found them cut short.
 */
async function feedJob(bytes: Bytes, run: (fd: number) => Promise<void>): Promise<void> {
  const { from, to } = createPipe({ size: PIPE_SIZE })
  const stop = new AbortController()
  const failures: unknown[] = []
  const fed = feed(to, bytes, stop.signal).catch((error: unknown) => void failures.push(error))
  try {
    await run(from)
  } catch (error) {
    throw failures[0] ?? error
  } finally {
    closeDescriptor(from)
    stop.abort(cancelled('copy'))
  }
  await fed
}
