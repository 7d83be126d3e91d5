import type { OutputChunk, StreamEnds } from '#runtime'
import { type ChunkQueue, createChunkQueue } from './chunk-queue.ts'

/** All who are attached to one container share its streams here; they may come before it is started. */
export interface AttachHub {
  /** One more attached client. Its output ends with the container's run, its input goes to the container's stdin. */
  join(): StreamEnds
  /** Connects to the running (or just created) container if somebody is attached. */
  open(): Promise<void>
  /** The process is gone: what is left is read without waiting for slow readers. */
  release(): void
  /** The run is over, or never began. */
  end(): void
}

export interface HubParts {
  readonly connect: () => Promise<StreamEnds>
  readonly resize: StreamEnds['resize']
  /** stdin ends with the clients. */
  readonly stdinOnce: boolean
  /** A new name for a file that holds what a slow reader has still to read. */
  readonly spoolPath: () => string
}

export function createHub(parts: HubParts): AttachHub {
  return new Hub(parts)
}

/** Released once all who get it have released it. */
function shareAmong({ release, ...chunk }: OutputChunk, count: number): OutputChunk {
  if (!release) return chunk
  let left = count
  if (left === 0) release()
  return {
    ...chunk,
    release() {
      left -= 1
      if (left === 0) release()
    },
  }
}

class Hub implements AttachHub {
  readonly #parts: HubParts
  readonly #members = new Set<ChunkQueue>()
  #connection: StreamEnds | undefined
  #released = Promise.withResolvers<void>()
  #ready = Promise.withResolvers<StreamEnds | undefined>()

  constructor(parts: HubParts) {
    this.#parts = parts
  }

  join(): StreamEnds {
    const queue = createChunkQueue(this.#parts.spoolPath)
    this.#members.add(queue)
    return {
      output: queue,
      resize: this.#parts.resize,
      write: async (bytes) => await (await this.#connected())?.write(bytes),
      closeInput: async () => {
        if (this.#parts.stdinOnce) await (await this.#connected())?.closeInput()
      },
      [Symbol.asyncDispose]: () => this.#leave(queue),
    }
  }

  async open(): Promise<void> {
    if (this.#connection || this.#members.size === 0) return
    const streams = await this.#parts.connect()
    if (this.#connection) return await streams[Symbol.asyncDispose]()
    this.#connection = streams
    this.#ready.resolve(streams)
    this.#pump(streams).catch(() => undefined)
  }

  release(): void {
    this.#released.resolve()
  }

  end(): void {
    // With a connection the end comes by it, behind the last output.
    if (this.#connection) return
    this.#endMembers()
    this.#ready.resolve(undefined)
    this.#ready = Promise.withResolvers()
  }

  async #connected(): Promise<StreamEnds | undefined> {
    return this.#connection ?? (await this.#ready.promise)
  }

  async #leave(queue: ChunkQueue): Promise<void> {
    await queue[Symbol.asyncDispose]()
    if (!this.#members.delete(queue) || this.#members.size > 0) return
    if (this.#parts.stdinOnce) await this.#connection?.closeInput()
    this.#disconnect()
  }

  async #pump(streams: StreamEnds): Promise<void> {
    try {
      for await (const chunk of streams.output) {
        const members = [...this.#members]
        const shared = shareAmong(chunk, members.length)
        await Promise.all(members.map((member) => member.push(shared)))
        // The container goes as fast as its fastest reader; one that stands still holds up nobody else.
        if (members.length > 0 && !members.some((member) => member.hasRoom()))
          await Promise.race([this.#released.promise, ...members.map((member) => member.room())])
      }
    } finally {
      if (this.#connection === streams) {
        this.#endMembers()
        this.#disconnect()
      }
    }
  }

  #endMembers(): void {
    for (const member of this.#members) member.end()
    this.#members.clear()
  }

  #disconnect(): void {
    const closing = this.#connection
    this.#connection = undefined
    this.#released = Promise.withResolvers()
    this.#ready = Promise.withResolvers()
    closing?.[Symbol.asyncDispose]().then(undefined, () => undefined)
  }
}
