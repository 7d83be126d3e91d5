import { open, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { unavailable } from '#base'
import type { OutputChunk } from '#runtime'

/** Bytes of one reader that are kept in memory; what it has not taken beyond them goes to a file. */
const IN_MEMORY = 4 << 20
/** Bytes of one reader that are kept in all; it is cut off beyond, for a disk is no place to forget a terminal in. */
const KEPT = 1 << 30

/** What one attached client has still to read. */
export interface ChunkQueue extends AsyncIterable<OutputChunk>, AsyncDisposable {
  /** Takes it in any case; a reader that is far behind makes it cost a write to a file. */
  push(chunk: OutputChunk): Promise<void>
  /** True while the reader keeps up. */
  hasRoom(): boolean
  /** Resolves once it does, or is gone. */
  room(): Promise<void>
  end(error?: Error): void
}

/** `spoolPath` names a file that is made, and unlinked at once, when a reader falls behind. */
export function createChunkQueue(spoolPath: () => string): ChunkQueue {
  return new Queue(spoolPath)
}

class Queue implements ChunkQueue {
  readonly #spoolPath: () => string
  readonly #chunks: OutputChunk[] = []
  #size = 0
  #spool: Spool | undefined
  #ended = false
  #failure: Error | undefined
  #wakeReader: () => void = () => undefined
  #wakeWriters: (() => void)[] = []

  constructor(spoolPath: () => string) {
    this.#spoolPath = spoolPath
  }

  async push(chunk: OutputChunk): Promise<void> {
    if (this.#ended) return chunk.release?.()
    if (this.#size < IN_MEMORY && !this.#spool?.unread) {
      this.#chunks.push(chunk)
      this.#size += chunk.bytes.length
    } else {
      this.#spool ??= await openSpool(this.#spoolPath())
      if (this.#spool.unread + chunk.bytes.length > KEPT) return this.end(unavailable('attached client is too slow'))
      await this.#spool.write(chunk)
      chunk.release?.()
    }
    this.#wakeReader()
  }

  hasRoom(): boolean {
    return this.#ended || (this.#size < IN_MEMORY && !this.#spool?.unread)
  }

  async room(): Promise<void> {
    if (!this.hasRoom()) await new Promise<void>((resolve) => this.#wakeWriters.push(resolve))
  }

  end(error?: Error): void {
    this.#ended = true
    this.#failure ??= error
    this.#wakeReader()
    this.#wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
    for (const { release } of this.#chunks.splice(0)) release?.()
    const spool = this.#spool
    this.#spool = undefined
    await spool?.close()
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputChunk> {
    return { next: () => this.#next() }
  }

  async #next(): Promise<IteratorResult<OutputChunk>> {
    for (;;) {
      const chunk = this.#fromMemory() ?? (await this.#spool?.read())
      if (this.hasRoom()) this.#wake()
      if (chunk) return { done: false, value: chunk }
      if (this.#failure) throw this.#failure
      if (this.#ended) return { done: true, value: undefined }
      await new Promise<void>((resolve) => (this.#wakeReader = resolve))
    }
  }

  #fromMemory(): OutputChunk | undefined {
    const chunk = this.#chunks.shift()
    this.#size -= chunk?.bytes.length ?? 0
    return chunk
  }

  #wake(): void {
    for (const wake of this.#wakeWriters.splice(0)) wake()
  }
}

/** Chunks in a file without a name, first in, first out. Each has its stream (1 byte) and its length (4 bytes) before it. */
interface Spool {
  /** Bytes, heads included. */
  readonly unread: number
  write(chunk: OutputChunk): Promise<void>
  read(): Promise<OutputChunk | undefined>
  close(): Promise<void>
}

const HEAD = 5
const STDERR = 1

async function openSpool(path: string): Promise<Spool> {
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  return new FileSpool(file)
}

class FileSpool implements Spool {
  readonly #file: FileHandle
  #written = 0
  #read = 0
  #writing = false
  #emptied: Promise<void> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  get unread(): number {
    return this.#written - this.#read
  }

  async write({ stream, bytes }: OutputChunk): Promise<void> {
    this.#writing = true
    await this.#emptied
    const head = Buffer.alloc(HEAD)
    head[0] = stream === 'stderr' ? STDERR : 0
    head.writeUInt32LE(bytes.length, 1)
    await this.#file.write(Buffer.concat([head, bytes]), 0, HEAD + bytes.length, this.#written)
    this.#written += HEAD + bytes.length
    this.#writing = false
  }

  async read(): Promise<OutputChunk | undefined> {
    if (this.unread === 0) return undefined
    const head = await this.#at(this.#read, HEAD)
    const bytes = await this.#at(this.#read + HEAD, head.readUInt32LE(1))
    this.#read += HEAD + bytes.length
    if (this.unread === 0 && !this.#writing) await this.#startAgain()
    return { stream: head[0] === STDERR ? 'stderr' : 'stdout', bytes }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** What was read is given back to the disk; the next write waits for that. */
  async #startAgain(): Promise<void> {
    this.#written = 0
    this.#read = 0
    this.#emptied = this.#file.truncate(0)
    await this.#emptied
  }

  async #at(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    await this.#file.read(bytes, 0, length, position)
    return bytes
  }
}
