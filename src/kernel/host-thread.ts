import { type Deferred, cancelled, defer, unavailable } from '#base'
import { createWorkerPool } from './pool.ts'
import type { WorkerPool } from './types.ts'

/** A job that takes so long gives way: who looks elsewhere gets another thread. Milliseconds. */
const STALL = 300
const MOST_THREADS = 8

interface Task {
  readonly job: string
  readonly input: { readonly path: string }
  readonly done: Deferred<unknown>
  /** Puts back what comes after nobody waits any more. */
  readonly discard: (output: unknown) => void
  readonly begun: number
  over: boolean
}

interface Busy {
  readonly task: Task
  readonly begun: number
  /** Whether it stands in one call of the kernel, and for too long. */
  hangs: boolean
}

interface Lane {
  readonly pool: WorkerPool
  busy: Busy | undefined
}

/**
 * Runs jobs on files of the host, each by one thread of `entry`. A job that hangs in the kernel (a network's file system
 * whose server is gone) holds up only those that look there too: others get more threads, up to a number. It fails with kind
 * `unavailable`, and who waits behind it; a thread that starts slowly or gets no processor hangs nowhere, and is waited for.
 * Closing does not wait for what hangs.
 */
export class HostThreads implements AsyncDisposable {
  readonly #entry: string | URL
  readonly #lanes: Lane[] = []
  #waiting: Task[] = []
  #look: NodeJS.Timeout | undefined
  #closed = false

  constructor(entry: string | URL) {
    this.#entry = entry
  }

  run<Input extends { readonly path: string }, Output>(
    job: string,
    input: Input,
    discard: (output: Output) => void = () => undefined,
  ): Promise<Output> {
    if (this.#closed) return Promise.reject(cancelled(job))
    const [done, begun] = [defer<unknown>(), performance.now()]
    const task: Task = { job, input, done, discard: discard as Task['discard'], begun, over: false }
    this.#waiting.push(task)
    this.#refuse()
    this.#assign()
    return done.promise as Promise<Output>
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#look)
    for (const task of this.#waiting.splice(0)) task.done.reject(cancelled(task.job))
    const idle = this.#lanes.filter(({ busy }) => !busy)
    await Promise.all(idle.map(({ pool }) => pool[Symbol.asyncDispose]()))
  }

  /** Those in the line who would look where a file system hangs, or for whom no thread is left. */
  #refuse(): void {
    const hung = this.#lanes.flatMap(({ busy }) => (busy?.hangs ? [busy] : []))
    for (const task of this.#waiting) {
      const before = hung.length >= MOST_THREADS ? hung : hung.filter((busy) => isRelated(busy.task, task))
      if (before.length > 0) fail(task, Math.min(...before.map(({ begun }) => begun)))
    }
    this.#waiting = this.#waiting.filter(({ over }) => !over)
  }

  #assign(): void {
    clearTimeout(this.#look)
    while (!this.#closed) {
      const hanging = this.#hanging()
      const at = this.#waiting.findIndex((task) => !hanging.some((busy) => isRelated(busy.task, task)))
      const task = this.#waiting[at]
      const lane = task && (this.#lanes.find(({ busy }) => !busy) ?? this.#open(hanging.length))
      if (!lane) break
      this.#waiting.splice(at, 1)
      void this.#work(lane, task)
    }
    if (this.#waiting.length > 0) this.#look = setTimeout(() => this.#assign(), STALL)
  }

  /** That may hang: a moment tells nothing, but others need not wait. */
  #hanging(): readonly Busy[] {
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
    const busy: Busy = { task, begun: performance.now(), hangs: false }
    lane.busy = busy
    const onHang = (): void => {
      busy.hangs = true
      fail(task, task.begun)
      this.#refuse()
    }
    try {
      const output = await lane.pool.run(task.job, task.input, { onHang })
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

/** Nobody has answered since `since`. */
function fail(task: Task, since: number): void {
  task.over = true
  const why = `its file system has not answered for ${((performance.now() - since) / 1000).toFixed(1)} s`
  task.done.reject(unavailable(`cannot look at ${task.input.path} on the host: ${why}; mend or unmount that`))
}

function isRelated({ input: one }: Task, { input: other }: Task): boolean {
  return one.path === other.path || one.path.startsWith(`${other.path}/`) || other.path.startsWith(`${one.path}/`)
}
