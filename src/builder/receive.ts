import { closeSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { decompress, detectCompression } from '#archive'
import { isKind, shortId, throwIfCancelled } from '#base'
import type { BodyOnConnection, Bytes } from '#base'
import { isSecondWriterWanted, receiveContext as receiveAtOnce } from '#builder/files'
import type { CompleteInput, ForeseenLayer, ReceiveInput, ReceiveOutput, WriteInput } from '#builder/files'
import { closeDescriptor, createPipe, duplicate, writeDescriptor } from '#kernel'
import type { KnownContext, NotedFiles, ReceivedNotes } from './layer-notes.ts'
import type { BuilderParts } from './session.ts'
import type { ContextSource } from './types.ts'

/** A Dockerfile or .dockerignore longer than this is not one. Bytes. */
export const MAX_TEXT = 16 << 20

/** Entries of a small context at most. */
const SMALL = 32

/** A context's files, for as long as it is not disposed of. */
export interface Place extends AsyncDisposable {
  /** A path for the worker threads of this process. */
  readonly folder: string
  /** Of a context that was received: the index of its files, where there is one. */
  readonly index?: string
  /** Of that index. */
  readonly digest?: string
  /** So few entries that to hash and to remove them takes less than to hand that to a thread. */
  readonly isSmall?: boolean
  /** Its files may be moved to where they are wanted, if nobody reads them afterwards. */
  readonly isMovable: boolean
  /** Layers that some of its files make, where they are copied as it was foreseen. */
  readonly foreseen: readonly ForeseenLayer[]
  /** Of a context that was received. */
  readonly received?: ReceivedFiles
  /** Where digests of its files are remembered; absent for a context that goes away. */
  readonly digests?: string
  /** Of its Dockerfile and ignore files; undefined where there is none. */
  text(path: string): string | undefined
}

export interface ReceivedFiles {
  /** Some of them are files of a layer: they are files of no layer but those that stand on the same one. */
  readonly shared?: Pick<KnownContext, 'parent'>
  readonly notes: ReceivedNotes
  /** What is to be noted of them. */
  readonly files: NotedFiles
  /** To be called before they are read: those that are as they were before may not be there yet. */
  complete(): Promise<void>
}

interface Receiving {
  readonly context: Extract<ContextSource, { kind: 'tar' }>
  /** Paths of the texts that are wanted. */
  readonly texts: readonly string[]
  readonly foresee: ReceiveInput['foresee'] & {}
  readonly notes: ReceivedNotes
  readonly known: KnownContext | undefined
  readonly signal: AbortSignal
}

/** The tar is unpacked as it comes, below the builder's folder. */
export async function receiveContext(parts: BuilderParts, folder: string, receiving: Receiving): Promise<Place> {
  const { context, texts: paths, foresee, notes, known, signal } = receiving
  const home = join(folder, 'contexts', shortId())
  const root = join(home, 'root')
  const remove = (): Promise<void> => parts.pool.run('builder.remove', { folder: home }, { lane: 'short' })
  try {
    const index = join(home, 'index.json')
    const stretches = join(home, 'stretches.json')
    const input = {
      folder: root,
      index,
      stretches,
      texts: paths,
      limit: MAX_TEXT,
      foresee,
      ...(known && { known: known.input }),
    }
    const run: Run = async (source, atOnce = false) =>
      atOnce
        ? receiveAtOnce({ ...source, ...input }, { cancelled: () => signal.aborted, report: () => undefined })
        : receiveWithHelp(parts, { ...source, ...input }, signal)
    const { connection } = context
    const isPlain = connection && detectCompression(await connection.first()) === 'plain'
    const received = isPlain ? await takeOver(connection, run) : await throughPipe(parts, { context, run, signal })
    const { indexed, digest, isMovable, texts, foreseen } = received
    const complete = async (): Promise<void> => {
      if (!known || !received.isDeferred) return
      const input: CompleteInput = {
        folder: root,
        index,
        ...(digest !== undefined && { digest }),
        known: known.input,
      }
      await parts.pool.run('builder.complete', input, { signal })
    }
    const isSmall = indexed !== undefined && indexed <= SMALL
    return {
      folder: root,
      ...(indexed !== undefined && { index }),
      ...(digest !== undefined && { digest }),
      isSmall,
      isMovable,
      foreseen,
      received: {
        notes,
        files: { index, stretches },
        ...(known && received.isShared && { shared: known }),
        complete: once(complete),
      },
      text: (path) => texts[path],
      [Symbol.asyncDispose]: isSmall ? async () => rmSync(home, { recursive: true, force: true }) : remove,
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** The client may stand still: its threads are taken from no other work. A large context gets a second one, to write its files. */
async function receiveWithHelp(
  { pool }: BuilderParts,
  input: ReceiveInput,
  outer: AbortSignal,
): Promise<ReceiveOutput> {
  const ended = new AbortController()
  const signal = AbortSignal.any([outer, ended.signal])
  let writing: Promise<number> | undefined
  const onReport = (report: unknown): void => {
    if (!isSecondWriterWanted(report)) return
    const { folder, known } = input
    const wanted: WriteInput = { ...report, folder, ...(known && { known }) }
    writing = pool.run('builder.write', wanted, { signal, lane: 'stream' })
    writing.catch(() => ended.abort())
  }
  const receiving = pool.run<ReceiveInput, ReceiveOutput>('builder.receive', input, {
    signal,
    lane: 'stream',
    onReport,
  })
  const [received] = await Promise.allSettled([receiving])
  if (received.status === 'rejected') ended.abort()
  const [written] = await Promise.allSettled([writing])
  if (received.status === 'fulfilled') return received.value
  // what stopped the second one has stopped the first
  throw written.status === 'rejected' && !isKind(written.reason, 'cancelled') ? written.reason : received.reason
}

/** One call for all who call. */
function once(work: () => Promise<void>): () => Promise<void> {
  let begun: Promise<void> | undefined
  return () => (begun ??= work())
}

type Run = (source: Pick<ReceiveInput, 'fd' | 'framed'>, atOnce?: boolean) => Promise<ReceiveOutput>

/** A body that is there with its head, and no longer, is unpacked sooner than a thread is woken for it. Bytes. */
const AT_ONCE = 32 << 10

/** A worker reads the client's connection itself, unless nothing is left to be read from it. */
async function takeOver(connection: BodyOnConnection, run: Run): Promise<ReceiveOutput> {
  const { descriptor, framing, begun } = connection.take()
  if (connection.isWhole && begun.length <= AT_ONCE) {
    try {
      return await run({ fd: descriptor, framed: { framing, begun } }, true)
    } finally {
      connection.giveBack()
    }
  }
  // ours is not closed, and given to another client, under the worker's hands
  const fd = duplicate(descriptor)
  try {
    return await run({ fd, framed: { framing, begun } })
  } finally {
    closeDescriptor(fd)
    connection.giveBack()
  }
}

const PIPE_SIZE = 1 << 20

/** From the client through a pipe to a worker: its bytes are written and hashed while more come. */
async function throughPipe(
  { filters }: BuilderParts,
  { context, run, signal }: Pick<Receiving, 'context' | 'signal'> & { readonly run: Run },
): Promise<ReceiveOutput> {
  const pipe = createPipe({ size: PIPE_SIZE })
  try {
    const received = run({ fd: pipe.from })
    const whole = decompress(context.bytes, filters)
    const [outcome, sent] = await Promise.allSettled([received, sendBytes(whole, { to: pipe.to, received, signal })])
    if (sent.status === 'rejected') throw sent.reason
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  } finally {
    closeSync(pipe.from)
  }
}

/** A worker that has seen a fault takes no more: the rest is read and let go, so that the client comes to hear of it. */
async function sendBytes(
  bytes: Bytes,
  sending: { readonly to: number; readonly received: Promise<unknown>; readonly signal: AbortSignal },
): Promise<void> {
  const { to, received, signal } = sending
  const ended = new AbortController()
  const end = (): void => ended.abort()
  received.then(end, end)
  const until = AbortSignal.any([signal, ended.signal])
  try {
    for await (const chunk of bytes) {
      throwIfCancelled(signal, 'build')
      if (ended.signal.aborted) continue
      try {
        await writeDescriptor(to, chunk, { signal: until })
      } catch (error) {
        if (!ended.signal.aborted) throw error
      }
    }
  } finally {
    closeSync(to)
  }
}
