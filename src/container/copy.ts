import { decompress } from '#archive'
import { type Bytes, cancelled } from '#base'
import { closeDescriptor, createPipe } from '#kernel'
import { resolveUser } from '#runtime'
import { feed } from '#store/layer'
import type { PackInput, StatInput, UnpackInput } from './copy-jobs.ts'
import { emitEvent, type Parts } from './parts.ts'
import { bytesOfJob, PIPE_SIZE } from './stream-job.ts'
import type { PathArchive, PathStat, UnpackRequest } from './types.ts'
import { type ContainerView, openView } from './view.ts'

/** What stands at a path of a container, running or not. */
export async function statInContainer(parts: Parts, name: string, path: string): Promise<PathStat> {
  await using view = await openView(parts, name)
  return await statIn(parts, view, { container: name, path })
}

/** A path of a container as a tar. The view stays open until the bytes are read or left. */
export async function packFromContainer(
  parts: Parts,
  { name, path, signal }: { readonly name: string; readonly path: string; readonly signal: AbortSignal | undefined },
): Promise<PathArchive> {
  await using stack = new AsyncDisposableStack()
  const view = stack.use(await openView(parts, name))
  const names = { container: name, path }
  const stat = await statIn(parts, view, names)
  emitEvent(parts, 'archive-path', view.record)
  const input = { root: view.root, ...names }
  const bytes = bytesOfJob<PackInput>(parts, { name: 'container.pack', input, signal })
  return { stat, bytes: closing(bytes, stack.move()) }
}

/** The archive, compressed or not, is unpacked below a folder of the container. */
export async function unpackIntoContainer(parts: Parts, request: UnpackRequest): Promise<void> {
  await using view = await openView(parts, request.container)
  const { record, root } = view
  const { container, path, keepKinds, signal } = request
  const input = {
    root,
    container,
    path,
    keepKinds,
    readonlyRoot: record.request.readonlyRoot,
    mounts: record.mounts.map(({ destination, readonly }) => ({ destination, readonly })),
    ...(request.ownedByUser && record.user !== '' && { owner: ownerOf(root, record.user) }),
  }
  await feedJob(decompress(request.bytes), (fd) =>
    parts.pool.run<UnpackInput, void>(
      'container.unpack',
      { ...input, fd },
      { lane: 'stream', ...(signal && { signal }) },
    ),
  )
  emitEvent(parts, 'extract-to-dir', record)
}

async function statIn(
  parts: Parts,
  { root }: ContainerView,
  names: { readonly container: string; readonly path: string },
): Promise<PathStat> {
  return await parts.pool.run<StatInput, PathStat>('container.stat', { root, ...names }, { lane: 'short' })
}

function ownerOf(root: string, user: string): { readonly uid: number; readonly gid: number } {
  const { uid, gid } = resolveUser(root, user)
  return { uid, gid }
}

async function* closing(bytes: Bytes, stack: AsyncDisposableStack): Bytes {
  await using _held = stack
  yield* bytes
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
