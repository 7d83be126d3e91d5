import { constants } from 'node:os'
import { cancelled } from '#base'
import {
  closeDescriptor,
  createPipe,
  duplicate,
  ffi,
  libc,
  type PollHandle,
  setNonBlocking,
  systemCallError,
} from '#kernel/call'

const { errno } = constants
const SPLICE_F_MOVE = 1
const SPLICE_F_NONBLOCK = 2
/** Bytes on their way between two sockets. */
const PIPE_SIZE = 1 << 20
/** So many pieces in a row, then others get their turn. */
const PIECES_A_TURN = 16
/** Empty pipes that are kept for the next who needs one. */
const KEPT_PIPES = 8

/**
 * Moves what comes from one stream socket to another until its end, without copying it (splice(2)). Waits on the event
 * loop. Both become non-blocking and stay the caller's, to be closed only after this has ended: abort `signal` to end it
 * (kind `cancelled`). Throws a SystemCallError where one of them is broken.
 */
export async function relay(from: number, to: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
  setNonBlocking(from)
  setNonBlocking(to)
  using way = new Way(from, to)
  const { signal } = options
  const stop = (): void => way.fail(cancelled('relay'))
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop)
  try {
    await way.done
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

class Way implements Disposable {
  readonly #from: number
  readonly #to: number
  /** Ours alone: the loop takes but one watcher a descriptor. */
  readonly #readable: number
  readonly #writable: number
  readonly #ended = Promise.withResolvers<void>()
  #watching: PollHandle | undefined
  #pipe: Pipe | undefined
  /** Bytes in the pipe. */
  #left = 0

  constructor(from: number, to: number) {
    this.#from = from
    this.#to = to
    this.#readable = duplicate(from)
    this.#writable = duplicate(to)
    this.#watch('readable')
  }

  get done(): Promise<void> {
    return this.#ended.promise
  }

  fail(error: unknown): void {
    this.#ended.reject(error)
  }

  [Symbol.dispose](): void {
    this.#watching?.close()
    this.#watching = undefined
    if (this.#pipe) putBack(this.#pipe, this.#left === 0)
    for (const fd of [this.#readable, this.#writable]) closeDescriptor(fd)
  }

  /** Told again and again while it is so. */
  #watch(interest: 'readable' | 'writable'): void {
    this.#watching?.close()
    this.#watching =
      interest === 'readable'
        ? ffi().node.poll(this.#readable, { readable: true }, () => this.#step(() => this.#take()))
        : ffi().node.poll(this.#writable, { writable: true }, () => this.#step(() => this.#goOn()))
  }

  /** One that is over hears nothing more, though its caller comes later. */
  #step(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#over()
      this.fail(error)
    }
  }

  #over(): void {
    this.#watching?.close()
    this.#watching = undefined
  }

  #take(): void {
    const pipe = (this.#pipe ??= idle.pop() ?? createPipe({ size: PIPE_SIZE }))
    for (let pieces = 0; pieces < PIECES_A_TURN; pieces += 1) {
      const size = move(this.#from, pipe.to, PIPE_SIZE)
      if (size === 0) {
        this.#over()
        this.#ended.resolve()
      }
      if (size <= 0) break
      this.#left = size
      if (!this.#send(pipe)) return this.#watch('writable')
    }
    this.#pipe = undefined
    putBack(pipe, true)
  }

  #goOn(): void {
    if (this.#pipe && this.#send(this.#pipe)) this.#watch('readable')
  }

  /** False where there is no room for all. */
  #send(pipe: Pipe): boolean {
    while (this.#left > 0) {
      const size = move(pipe.from, this.#to, this.#left)
      if (size < 0) return false
      this.#left -= size
    }
    return true
  }
}

type Pipe = ReturnType<typeof createPipe>
const idle: Pipe[] = []

/** One that holds somebody's bytes is given to nobody else. */
function putBack(pipe: Pipe, isEmpty: boolean): void {
  if (isEmpty && idle.length < KEPT_PIPES) idle.push(pipe)
  else for (const fd of [pipe.from, pipe.to]) closeDescriptor(fd)
}

/** How many bytes, 0 at the end, -1 where there is nothing yet or no room. */
function move(from: number, to: number, most: number): number {
  const size = libc().splice(from, null, to, null, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
  if (size >= 0) return size
  const number = ffi().errno()
  if (number === errno.EAGAIN || number === errno.EINTR) return -1
  throw systemCallError({ call: 'relay between sockets', path: `${from} to ${to}` }, number)
}
