import { type Deferred, cancelled, defer, unavailable } from '#base'
import { createWorkerPool } from './pool.ts'
import type { WorkerPool } from './types.ts'

/** A file system that answers this late counts as one that hangs: others get another thread. Milliseconds. */
const STALL = 300
const MOST_THREADS = 8
/** So often it is looked again whether a task that is late hangs, or its thread only has no processor. Milliseconds. */
const LOOK_EVERY = 200

/** Milliseconds. */
export interface Patience {
  /** For a file system that was asked. */
  readonly asked: number
  /** In any case: a crowded machine may need long to ask. */
  readonly most: number
}

interface Task {
  readonly job: string
  readonly input: { readonly path: string }
  readonly done: Deferred<unknown>
  /** Puts back what comes after nobody waits any more. */
  readonly discard: (output: unknown) => void
  readonly begun: number
  late: NodeJS.Timeout | undefined
  over: boolean
}

interface Lane {
  readonly pool: WorkerPool
  /** What runs there, and since when. */
  busy: { readonly path: string; readonly begun: number; asked: boolean } | undefined
}

/**
 * Runs jobs on files of the host, each by one thread of `entry`. A job that hangs in the kernel (a network's file system
 * whose server is gone) holds up only those that look there too: others get more threads, up to a number. A job reports when
 * it is about to enter the kernel. One that is not done within `patience`, in the line or in the kernel, fails with kind
 * `unavailable`. Closing does not wait for what hangs.
 */
export class HostThreads implements AsyncDisposable {
  readonly #entry: string | URL
  readonly #patience: Patience
  readonly #lanes: Lane[] = []
  #waiting: Task[] = []
  #look: NodeJS.Timeout | undefined
  #closed = false

  constructor(entry: string | URL, patience: Patience) {
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
    const begun = performance.now()
    const known = this.#hanging().find(
      (busy) => busy.asked && begun - busy.begun >= this.#patience.asked && isRelated(busy.path, input.path),
    )
    if (known) return Promise.reject(unanswered(input.path, begun - known.begun))
    const task: Task = { job, input, done, discard: discard as Task['discard'], begun, late: undefined, over: false }
    this.#waiting.push(task)
    task.late = setTimeout(() => this.#lookAt(task), this.#patience.asked)
    this.#assign()
    return done.promise.finally(() => clearTimeout(task.late)) as Promise<Output>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#look)
    for (const task of this.#waiting.splice(0)) task.done.reject(cancelled(task.job))
    const idle = this.#lanes.filter(({ busy }) => !busy)
    await Promise.all(idle.map(({ pool }) => pool[Symbol.asyncDispose]()))
  }

  /** Of a task that is late. */
  #lookAt(task: Task): void {
    const waited = performance.now() - task.begun
    const asked = this.#hanging().filter((busy) => busy.asked)
    const hangs = asked.length === MOST_THREADS || asked.some(({ path }) => isRelated(path, task.input.path))
    if (!hangs && waited < this.#patience.most) {
      task.late = setTimeout(() => this.#lookAt(task), LOOK_EVERY)
      return
    }
    task.over = true
    this.#waiting = this.#waiting.filter((other) => other !== task)
    task.done.reject(unanswered(task.input.path, waited))
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

  #hanging(): readonly (Lane['busy'] & {})[] {
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
    const busy = { path: task.input.path, begun: performance.now(), asked: false }
    lane.busy = busy
    const onReport = (): void => {
      busy.asked = true
    }
    try {
      const output = await lane.pool.run(task.job, task.input, { onReport })
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

function unanswered(path: string, waited: number): Error {
  const why = `its file system has not answered for ${(waited / 1000).toFixed(1)} s`
  return unavailable(`cannot look at ${path} on the host: ${why}; mend or unmount that`)
}

function isRelated(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
}
