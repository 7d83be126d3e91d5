import { type Deferred, cancelled, defer, unavailable } from '#base'
import { createWorkerPool } from './pool.ts'
import type { WorkerPool } from './types.ts'

/** A file system that answers this late counts as one that hangs: others get another thread. Milliseconds. */
const STALL = 300
const MOST_THREADS = 8

interface Task {
  readonly job: string
  readonly input: { readonly path: string }
  readonly done: Deferred<unknown>
  /** Puts back what comes after nobody waits any more. */
  readonly discard: (output: unknown) => void
  over: boolean
}

interface Lane {
  readonly pool: WorkerPool
  /** What runs there, and since when. */
  busy: { readonly path: string; readonly begun: number } | undefined
}

/**
 * Runs jobs on files of the host, each by one thread of `entry`. A job that hangs in the kernel (a network's file system
 * whose server is gone) holds up only those that look there too: others get more threads, up to a number. One that is not
 * done within `patience` milliseconds, in the line or in the kernel, fails with kind `unavailable`. Closing does not wait
 * for what hangs.
 */
export class HostThreads implements AsyncDisposable {
  readonly #entry: string | URL
  readonly #patience: number
  readonly #lanes: Lane[] = []
  #waiting: Task[] = []
  #look: NodeJS.Timeout | undefined
  #closed = false

  constructor(entry: string | URL, patience: number) {
    this.#entry = entry
    this.#patience = patience
  }

  run<Input extends { readonly path: string }, Output>(
    job: string,
    input: Input,
    discard: (output: Output) => void = () => undefined,
  ): Promise<Output> {
    const done = defer<unknown>()
    if (this.#closed) return Promise.reject(cancelled(job))
    const task: Task = { job, input, done, discard: discard as Task['discard'], over: false }
    this.#waiting.push(task)
    const late = setTimeout(() => this.#giveUp(task), this.#patience)
    this.#assign()
    return done.promise.finally(() => clearTimeout(late)) as Promise<Output>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#look)
    for (const task of this.#waiting.splice(0)) task.done.reject(cancelled(task.job))
    const idle = this.#lanes.filter(({ busy }) => !busy)
    await Promise.all(idle.map(({ pool }) => pool[Symbol.asyncDispose]()))
  }

  #giveUp(task: Task): void {
    task.over = true
    this.#waiting = this.#waiting.filter((other) => other !== task)
    const why = `its file system has not answered for ${this.#patience / 1000} s`
    task.done.reject(unavailable(`cannot look at ${task.input.path} on the host: ${why}`))
  }

  #assign(): void {
    clearTimeout(this.#look)
    while (!this.#closed) {
      const hanging = this.#hanging()
      const at = this.#waiting.findIndex(({ input }) => !hanging.some(({ path }) => isRelated(path, input.path)))
      const task = this.#waiting[at]
      const lane = task && (this.#lanes.find(({ busy }) => !busy) ?? this.#open(hanging.length))
      if (!lane) break
      this.#waiting.splice(at, 1)
      void this.#work(lane, task)
    }
    if (this.#waiting.length > 0) this.#look = setTimeout(() => this.#assign(), STALL)
  }

  #hanging(): readonly { readonly path: string }[] {
    const slow = performance.now() - STALL
    return this.#lanes.flatMap(({ busy }) => (busy && busy.begun <= slow ? [busy] : []))
  }

  /** Another thread only where all that there are seem to hang. */
  #open(hanging: number): Lane | undefined {
    if (hanging < this.#lanes.length || this.#lanes.length >= MOST_THREADS) return undefined
    const lane: Lane = { pool: createWorkerPool({ entry: this.#entry, size: 1 }), busy: undefined }
    this.#lanes.push(lane)
    return lane
  }

  async #work(lane: Lane, task: Task): Promise<void> {
    lane.busy = { path: task.input.path, begun: performance.now() }
    try {
      const output = await lane.pool.run(task.job, task.input)
      if (task.over || this.#closed) task.discard(output)
      task.done.resolve(output)
    } catch (error) {
      task.done.reject(error)
    }
    lane.busy = undefined
    if (this.#closed) return await lane.pool[Symbol.asyncDispose]()
    this.#assign()
    this.#retire(lane)
  }

  /** Threads that came on top go again. */
  #retire(lane: Lane): void {
    if (lane.busy || !this.#lanes.some((other) => other !== lane && !other.busy)) return
    this.#lanes.splice(this.#lanes.indexOf(lane), 1)
    void lane.pool[Symbol.asyncDispose]()
  }
}

function isRelated(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
}
