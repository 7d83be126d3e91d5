import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs'
import { errnoOf, isKind } from '#base'
import {
  closeDescriptor,
  connectSeqpacket,
  isErrno,
  readDescriptor,
  readTaggedPackets,
  setTerminalSize,
  shutdownWrite,
  writeDescriptor,
} from '#kernel'
import type { OutputChunk, StreamEnds } from './types.ts'

/** conmon reads its attach socket 8 KiB at a time; the rest of a larger packet would be lost. */
const PACKET = 8192
/** The first byte of a packet that conmon sends. */
const STDERR_PACKET = 3

/** Input goes one chunk after the other, whoever writes; what the other side does not want any more is dropped. */
function createInput(
  fd: number,
  packet: number,
): { write(chunk: Uint8Array): Promise<void>; end(close: () => void): Promise<void>; stop(): void } {
  const stopping = new AbortController()
  let tail: Promise<void> = Promise.resolve()
  let ended = false
  const send = async (chunk: Uint8Array): Promise<void> => {
    try {
      for (let at = 0; at < chunk.length && !ended; at += packet)
        await writeDescriptor(fd, chunk.subarray(at, at + packet), { signal: stopping.signal })
    } catch (error) {
      if (!isErrno(error, 'EPIPE', 'ECONNRESET', 'ENOTCONN', 'EIO') && !stopping.signal.aborted) throw error
      ended = true
    }
  }
  return {
    write(chunk) {
      tail = tail.then(() => send(chunk))
      return tail
    },
    end(close) {
      tail = tail.then(() => {
        if (!ended) close()
        ended = true
      })
      return tail
    },
    stop() {
      ended = true
      stopping.abort()
    },
  }
}

/** The live end of a container's streams at conmon's attach socket. `resize` is given, as it goes by another way. */
export function attachToMonitor(socket: string, resize: StreamEnds['resize']): StreamEnds {
  const fd = connectSeqpacket(socket)
  const reading = new AbortController()
  const input = createInput(fd, PACKET)
  const output = endlessly(readPackets(fd, reading.signal))
  return {
    output,
    resize,
    write: (chunk) => input.write(chunk),
    closeInput: () => input.end(() => quietly(() => shutdownWrite(fd))),
    async [Symbol.asyncDispose]() {
      input.stop()
      reading.abort()
      await output.finished()
      closeDescriptor(fd)
    },
  }
}

async function* readPackets(fd: number, signal: AbortSignal): AsyncIterable<OutputChunk> {
  for await (const { tag, ...rest } of readTaggedPackets(fd, { signal }))
    yield { stream: tag === STDERR_PACKET ? 'stderr' : 'stdout', ...rest }
}

export interface PipeEnds {
  readonly stdin: number | undefined
  readonly stdout: number | undefined
  readonly stderr: number | undefined
}

/** The streams of a process over pipes that are ours; `settle` ends the output when the process is gone. */
export interface OwnedStreams extends StreamEnds {
  /** Ends the output even though somebody still holds the other end of a pipe. */
  settle(): void
}

export function streamsOfPipes(pipes: PipeEnds): OwnedStreams {
  const reading = new AbortController()
  const input = pipes.stdin === undefined ? undefined : createInput(pipes.stdin, PIPE_CHUNK)
  const output = endlessly(
    merge([
      ...(pipes.stdout === undefined ? [] : [tagged(pipes.stdout, 'stdout', reading.signal)]),
      ...(pipes.stderr === undefined ? [] : [tagged(pipes.stderr, 'stderr', reading.signal)]),
    ]),
  )
  let open = pipes.stdin
  const closeInput = (): void => {
    if (open !== undefined) closeDescriptor(open)
    open = undefined
  }
  return {
    output,
    resize: async () => undefined,
    write: async (chunk) => await input?.write(chunk),
    closeInput: async () => await input?.end(closeInput),
    settle: () => reading.abort(),
    async [Symbol.asyncDispose]() {
      input?.stop()
      await input?.end(closeInput)
      closeInput()
      reading.abort()
      await output.finished()
      for (const fd of [pipes.stdout, pipes.stderr]) if (fd !== undefined) closeDescriptor(fd)
    },
  }
}

const PIPE_CHUNK = 65536

/** The streams of a process at a terminal whose master is ours. */
export function streamsOfTerminal(master: number): OwnedStreams {
  const reading = new AbortController()
  const input = createInput(master, PIPE_CHUNK)
  const output = endlessly(tagged(master, 'stdout', reading.signal))
  let open = true
  return {
    output,
    async resize(rows, columns) {
      if (open) setTerminalSize(master, rows, columns)
    },
    write: (chunk) => input.write(chunk),
    closeInput: async () => undefined,
    settle: () => reading.abort(),
    async [Symbol.asyncDispose]() {
      input.stop()
      reading.abort()
      await output.finished()
      if (open) closeDescriptor(master)
      open = false
    },
  }
}

async function* tagged(fd: number, stream: OutputChunk['stream'], signal: AbortSignal): AsyncIterable<OutputChunk> {
  for await (const bytes of readDescriptor(fd, { signal })) yield { stream, bytes }
}

/** Chunks of several sources as they come; a source is asked again when its last chunk was taken. */
async function* merge(sources: readonly AsyncIterable<OutputChunk>[]): AsyncIterable<OutputChunk> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]())
  const next = async (index: number): Promise<{ index: number; result: IteratorResult<OutputChunk> }> => ({
    index,
    result: (await iterators[index]?.next()) ?? { done: true, value: undefined },
  })
  const pending = new Map(iterators.map((_, index) => [index, next(index)]))
  try {
    while (pending.size > 0) {
      const { index, result } = await Promise.race(pending.values())
      if (result.done) pending.delete(index)
      else {
        pending.set(index, next(index))
        yield result.value
      }
    }
  } finally {
    await Promise.allSettled(iterators.map(async (iterator) => await iterator.return?.()))
  }
}

interface GuardedOutput extends AsyncIterable<OutputChunk> {
  /** Resolves once nobody reads the descriptor any more: the caller aborted before. */
  finished(): Promise<void>
}

/** Makes a reader out of a source so that an aborted one just ends, and its end can be waited for. */
function endlessly(source: AsyncIterable<OutputChunk>): GuardedOutput {
  const iterator = source[Symbol.asyncIterator]()
  let last: Promise<unknown> = Promise.resolve()
  let done = false
  const next = async (): Promise<IteratorResult<OutputChunk>> => {
    if (done) return { done: true, value: undefined }
    const taken = iterator.next().catch((error: unknown): IteratorResult<OutputChunk> => {
      done = true
      if (isKind(error, 'cancelled')) return { done: true, value: undefined }
      throw error
    })
    last = taken.catch(() => undefined)
    const result = await taken
    if (result.done) done = true
    return result
  }
  return {
    [Symbol.asyncIterator]: () => ({ next }),
    async finished() {
      done = true
      await last
      await iterator.return?.()
    },
  }
}

function quietly(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!isErrno(error, 'ENOTCONN', 'EPIPE')) throw error
  }
}

/** Writes a short text to a fifo, if somebody reads it; false where nobody does, or does not come to it. */
export function writeFifo(path: string, text: string): boolean {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      writeSync(fd, text)
      return true
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const gone = ['ENXIO', 'ENOENT', 'EPIPE', 'EAGAIN'].includes(errnoOf(error) ?? '')
    if (!gone) throw error
    return false
  }
}

/**
 * Lets a created process go on: it waits for a byte in this fifo (crun's own way of `start`, without its 5 ms). False where
 * it does not wait there, and the runtime has to be asked.
 */
export function releaseProcess(fifo: string): boolean {
  let fd: number
  try {
    fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (['ENXIO', 'ENOENT'].includes(errnoOf(error) ?? '')) return false
    throw error
  }
  try {
    // In this order: a daemon killed between them leaves one that counts as not started, and is undone.
    writeSync(fd, '\0')
    unlinkSync(fifo)
    return true
  } finally {
    closeSync(fd)
  }
}
