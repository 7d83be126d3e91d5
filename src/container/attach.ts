import { conflict, unsupported } from '#base'
import type { OutputChunk, StreamEnds } from '#runtime'
import { readLog } from '#container/stream'
import type { LogFiles, LogLife, LogLine, LogOptions } from '#container/stream'
import { type ContainerRecord, isLive } from '#container/record'
import { emitEvent } from './parts.ts'
import type { Parts } from './parts.ts'

export interface AttachOptions {
  readonly logs: boolean
  readonly stream: boolean
  readonly signal?: AbortSignal
}

/** The live streams of a container, or of its next run; with `logs`, what was written so far comes first. */
export async function attachContainer(parts: Parts, name: string, options: AttachOptions): Promise<StreamEnds> {
  const { record } = parts.records.resolve(name)
  if (record.state === 'paused') throw conflict(`container ${name} is paused, unpause the container before attach`)
  const past = options.logs && parts.lives.of(record.id).log ? await collectLog(parts, record) : []
  if (!options.stream) return pastOnly(past)
  const { hub } = parts.lives.of(record.id)
  const streams = hub.join()
  emitEvent(parts, 'attach', record)
  if (isLive(record.state)) await hub.open()
  return past.length === 0
    ? streams
    : { ...streams, output: chain(past, streams.output), [Symbol.asyncDispose]: () => streams[Symbol.asyncDispose]() }
}

async function collectLog(parts: Parts, record: ContainerRecord): Promise<readonly OutputChunk[]> {
  const lines: OutputChunk[] = []
  const options = { follow: false, stdout: true, stderr: true }
  for await (const { stream, bytes } of readLog(logFilesOf(parts, record), options, lifeOf(parts, record.id)))
    lines.push({ stream, bytes })
  return lines
}

async function* chain(past: readonly OutputChunk[], live: AsyncIterable<OutputChunk>): AsyncIterable<OutputChunk> {
  yield* past
  yield* live
}

function pastOnly(past: readonly OutputChunk[]): StreamEnds {
  return {
    output: chain(past, chain([], nothing())),
    write: async () => undefined,
    closeInput: async () => undefined,
    resize: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function* nothing(): AsyncIterable<OutputChunk> {
  yield* []
}

/** The lines of a container's log, with those to come where asked for. */
export function containerLogs(parts: Parts, name: string, options: LogOptions): AsyncIterable<LogLine> {
  const { record } = parts.records.resolve(name)
  return readLog(logFilesOf(parts, record), options, lifeOf(parts, record.id))
}

function logFilesOf(parts: Parts, { id }: ContainerRecord): LogFiles {
  const { log } = parts.lives.of(id)
  if (!log) throw unsupported('configured logging driver does not support reading')
  return log.files
}

function lifeOf(parts: Parts, id: string): LogLife {
  return {
    isLive: () => isLive(parts.records.find(id)?.record.state ?? 'exited'),
    ended: () => parts.lives.of(id).exited.promise,
  }
}
