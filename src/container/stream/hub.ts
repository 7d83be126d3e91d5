import type { OutputChunk, StreamEnds } from '#runtime'

/** Bytes that wait for one slow reader before the container has to wait too. */
const HIGH_WATER = 4 << 20

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
}

export function createHub(parts: HubParts): AttachHub {
  return new Hub(parts)
}

class Hub implements AttachHub {
  readonly #parts: HubParts
  readonly #members = new Set<ChunkQueue>()
  #connection: StreamEnds | undefined
  #ready = Promise.withResolvers<StreamEnds | undefined>()

  constructor(parts: HubParts) {
    this.#parts = parts
  }

  join(): StreamEnds {
    const queue = createChunkQueue()
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
    for (const member of this.#members) member.release()
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
    queue.end()
    if (!this.#members.delete(queue) || this.#members.size > 0) return
    if (this.#parts.stdinOnce) await this.#connection?.closeInput()
    this.#disconnect()
  }

  async #pump(streams: StreamEnds): Promise<void> {
    try {
      for await (const chunk of streams.output)
        await Promise.all([...this.#members].map((member) => member.push(chunk)))
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
    this.#ready = Promise.withResolvers()
    closing?.[Symbol.asyncDispose]().then(undefined, () => undefined)
  }
}

interface ChunkQueue extends AsyncIterable<OutputChunk> {
  /** Resolves once there is room again. */
  push(chunk: OutputChunk): Promise<void>
  release(): void
  end(): void
}

function createChunkQueue(): ChunkQueue {
  const chunks: OutputChunk[] = []
  let size = 0
  let ended = false
  let free = false
  let wakeReader: (() => void) | undefined
  let wakeWriter: (() => void) | undefined
  const next = async (): Promise<IteratorResult<OutputChunk>> => {
    for (;;) {
      const chunk = chunks.shift()
      if (chunk) {
        size -= chunk.bytes.length
        if (size < HIGH_WATER) wakeWriter?.()
        return { done: false, value: chunk }
      }
      if (ended) return { done: true, value: undefined }
      await new Promise<void>((resolve) => (wakeReader = resolve))
    }
  }
  return {
    async push(chunk) {
      if (ended) return
      chunks.push(chunk)
      size += chunk.bytes.length
      wakeReader?.()
      if (size >= HIGH_WATER && !free) await new Promise<void>((resolve) => (wakeWriter = resolve))
    },
    release() {
      free = true
      wakeWriter?.()
    },
    end() {
      ended = true
      wakeReader?.()
      wakeWriter?.()
    },
    [Symbol.asyncIterator]: () => ({ next }),
  }
}
