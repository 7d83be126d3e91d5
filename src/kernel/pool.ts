import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { cancelled, type Deferred, defer, internal, messageOf, unavailable } from '#base'
import { DISK_PRESSURE, DiskWait } from './disk-wait.ts'
import { END, errorFrom, type JobMessage, type JobReply } from './job-message.ts'
import { Stillness } from './stillness.ts'
import type { JobOptions, Lane, WorkerPool } from './types.ts'

const MOST_THREADS = 4
/** Jobs that may wait for a client at the same time; one more waits for one of them. */
const MOST_STREAMS = 32
/** Milliseconds after which a thread without work ends; one stays longer, so that the next job need not wait for a start. */
const IDLE_PATIENCE = { others: 15_000, last: 300_000 } as const
/**
 * A job that has stood in one call of the kernel for so long counts as one that hangs; one of those that came in the place of
 * such a job, and may look at the same file system, earlier. Where that is wrong, a thread too many is started. Milliseconds.
 */
const HANGS = { first: 400, further: 100 } as const
/** For so long until its caller is told; longer where the machine's own disks are busy, and it may only wait for them. Milliseconds. */
const PATIENCE = { else: 1400, busy: 20_000 } as const
/** Jobs that run are looked at so often: while others wait for one that hangs, and else. Milliseconds. */
const LOOK_EVERY = { pressed: 40, else: 150 } as const
/** So many threads are started in the place of those that hang. */
const MOST_SPARE = 16
/** So many jobs about one thing may hang before no more of them are begun. */
const MOST_OF_ONE = 2
/** How long a closing pool waits for its jobs to stop. Milliseconds. */
const CLOSE_PATIENCE = 10_000

interface Task {
  readonly job: string
  readonly input: unknown
  readonly options: JobOptions
  readonly cancel: SharedArrayBuffer
  readonly done: Deferred<unknown>
  readonly forget: () => void
  readonly asked: number
}

interface Running {
  readonly id: number
  readonly task: Task
  /** Milliseconds for which it has been in one call of the kernel. */
  still: number
  /** Since it has stood there for a while. */
  disk: DiskWait | undefined
  hangs: boolean
  isTold: boolean
}

interface Thread {
  readonly worker: Worker
  /** Known once it has started. */
  stillness: Stillness | undefined
  task: Running | undefined
  idle: NodeJS.Timeout | undefined
}

/**
 * Threads that run the jobs of `entry` (a file that calls `serveJobs`): at most `size` (default: cores + 1, at most 4), each
 * started when first needed; they end when they had no work for a while, the last one later. One is kept for `short` jobs where there are two or more; `stream` jobs get threads on
 * top, `streams` at most, so that clients that stand still hold up nobody else's work. A job that hangs in the kernel (a file
 * system whose server is gone) does not count: another thread does its share, up to `spare` of them; a job that waits behind
 * more, or behind others about the same thing, fails as `unavailable`. An aborted job ends as `cancelled`, once it has stopped; a job whose thread dies fails with
 * kind `internal`. Idle threads keep no process alive.
 */
export function createWorkerPool(options: {
  readonly entry: string | URL
  readonly size?: number
  readonly streams?: number
  readonly spare?: number
  readonly pressure?: string
}): WorkerPool {
  const { entry, size = Math.min(MOST_THREADS, availableParallelism() + 1) } = options
  const { streams = MOST_STREAMS, spare = MOST_SPARE, pressure = DISK_PRESSURE } = options
  return new Pool(entry, { size, streams, spare, pressure })
}

interface Limits {
  readonly size: number
  readonly streams: number
  readonly spare: number
  /** The file that tells how busy the disks are. */
  readonly pressure: string
}

class Pool implements WorkerPool {
  readonly #entry: string | URL
  readonly #limits: Limits
  readonly #threads = new Set<Thread>()
  #waiting: Task[] = []
  #look: NodeJS.Timeout | undefined
  #nextId = 1
  #closed = false

  constructor(entry: string | URL, limits: Limits) {
    this.#entry = entry
    this.#limits = limits
  }

  run<Input, Output>(job: string, input: Input, options: JobOptions = {}): Promise<Output> {
    if (this.#closed) return Promise.reject(unavailable(`cannot run job ${job}: the worker pool is closed`))
    if (options.signal?.aborted) return Promise.reject(cancelled(job, options.signal.reason))
    const task = this.#task(job, input, options)
    this.#waiting.push(task)
    this.#assign()
    return task.done.promise as Promise<Output>
  }

  /** Lets running jobs stop at their next look at the cancel flag, then ends the threads, but none that hangs in the kernel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const task of this.#waiting.splice(0)) this.#reject(task, cancelled(task.job))
    clearTimeout(this.#look)
    const running = [...this.#threads].flatMap((thread) => thread.task ?? [])
    for (const { task } of running) requestStop(task)
    this.#giveUp(running.filter((one) => one.hangs))
    const late = setTimeout(() => this.#giveUp(running), CLOSE_PATIENCE)
    await Promise.allSettled(running.map(({ task }) => task.done.promise))
    clearTimeout(late)
    for (const thread of this.#threads) clearTimeout(thread.idle)
    const free = [...this.#threads].filter((thread) => !thread.task)
    await Promise.all(free.map(({ worker }) => endThread(worker)))
  }

  /** Such a thread ends with the process alone. */
  #giveUp(running: readonly Running[]): void {
    for (const thread of this.#threads) if (thread.task && running.includes(thread.task)) thread.worker.unref()
    for (const { task } of running) this.#reject(task, cancelled(task.job))
  }

  #task(job: string, input: unknown, options: JobOptions): Task {
    const abort = (): void => this.#abort(task)
    const forget = (): void => options.signal?.removeEventListener('abort', abort)
    const [cancel, done, asked] = [new SharedArrayBuffer(4), defer<unknown>(), performance.now()]
    const task = { job, input, options, cancel, done, forget, asked }
    options.signal?.addEventListener('abort', abort, { once: true })
    return task
  }

  #abort(task: Task): void {
    const at = this.#waiting.indexOf(task)
    if (at < 0) {
      requestStop(task)
    } else {
      this.#waiting.splice(at, 1)
      this.#reject(task, cancelled(task.job, task.options.signal?.reason))
    }
  }

  #assign(): void {
    this.#refuse(performance.now())
    for (let at = 0; at < this.#waiting.length;) {
      const task = this.#waiting[at]
      const thread = task && this.#threadFor(task)
      if (task && thread) {
        this.#waiting.splice(at, 1)
        this.#start(thread, task)
      } else {
        at += 1
      }
    }
  }

  /** Bulk jobs take all threads but one, short ones any; streams come on top, and what stands in for those that hang. */
  #threadFor(task: Task): Thread | undefined {
    const { size, streams, spare } = this.#limits
    const lane = laneOf(task)
    const busy = { bulk: 0, short: 0, stream: 0 }
    let hanging = 0
    for (const { task: running } of this.#threads) {
      if (!running || passes(task, running)) continue
      if (running.hangs && hanging < spare) hanging += 1
      else busy[laneOf(running.task)] += 1
    }
    if (lane === 'bulk' && busy.bulk >= Math.max(1, size - 1)) return undefined
    if (lane === 'stream' ? busy.stream >= streams : busy.bulk + busy.short >= size) return undefined
    return [...this.#threads].find((thread) => !thread.task) ?? this.#open()
  }

  #open(): Thread {
    // Jobs close by node:fs what the kernel's own calls opened: node's bookkeeping would warn of each.
    const worker = new Worker(this.#entry, { trackUnmanagedFds: false })
    const thread: Thread = { worker, stillness: undefined, task: undefined, idle: undefined }
    worker.on('message', (reply: JobReply) => this.#receive(thread, reply))
    worker.on('error', (error) => this.#lost(thread, messageOf(error)))
    worker.on('exit', (code) => this.#lost(thread, `its thread ended with status ${code}`))
    worker.unref()
    this.#threads.add(thread)
    return thread
  }

  #start(thread: Thread, task: Task): void {
    const id = this.#nextId++
    thread.task = { id, task, still: 0, disk: undefined, hangs: false, isTold: false }
    thread.stillness?.begin()
    clearTimeout(thread.idle)
    this.#watch()
    thread.worker.ref()
    const message: JobMessage = { id, job: task.job, input: task.input, cancel: task.cancel }
    try {
      thread.worker.postMessage(message)
    } catch (error) {
      this.#free(thread)
      this.#reject(task, internal(`cannot run job ${task.job}: its input cannot be passed on`, { cause: error }))
    }
  }

  /** Jobs that take longer than a moment are looked at, and what waits for them. */
  #watch(): void {
    this.#look ??= setTimeout(
      () => {
        this.#look = undefined
        if (this.#closed) return
        this.#lookAtAll(performance.now())
        this.#assign()
        if (this.#waiting.length > 0 || [...this.#threads].some(({ task }) => task)) this.#watch()
      },
      this.#isPressed() ? LOOK_EVERY.pressed : LOOK_EVERY.else,
    ).unref()
  }

  #isPressed(): boolean {
    return (
      this.#waiting.length > 0 && [...this.#threads].some(({ task }) => task?.hangs || (task && isForeign(task.task)))
    )
  }

  /** Once it has hung for so long that its caller is to know. */
  #tell(running: Running, now: number): void {
    const { still } = running
    running.disk = still < HANGS.first ? undefined : (running.disk ?? new DiskWait(this.#limits.pressure, now))
    if (still < PATIENCE.else || (still < PATIENCE.busy && running.disk?.isBusy(now))) return
    running.isTold = true
    running.task.options.onHang?.({ milliseconds: still })
  }

  #hanging(): readonly Running[] {
    return [...this.#threads].flatMap(({ task }) => (task?.hangs ? [task] : []))
  }

  #lookAtAll(now: number): void {
    const limit = this.#hanging().length > 0 ? HANGS.further : HANGS.first
    for (const { task, stillness } of this.#threads) {
      if (!task || !stillness) continue
      lookAt(task, stillness.look(now), limit)
      if (task.task.options.onHang && !task.isTold) this.#tell(task, now)
    }
  }

  /** What waits for those that hang, and might for ever. */
  #refuse(now: number): void {
    const hanging = this.#hanging()
    if (hanging.length === 0) return
    for (const task of this.#waiting) {
      const same = hanging.filter((other) => isForeign(task) && other.task.options.about === task.options.about)
      const others = hanging.filter((other) => !passes(task, other))
      const isFull = others.length > this.#limits.spare && now - task.asked >= PATIENCE.else
      const before = same.length >= MOST_OF_ONE ? same : isFull ? others : undefined
      if (before) this.#refuseOne(task, before)
    }
  }

  #refuseOne(task: Task, before: readonly Running[]): void {
    this.#waiting = this.#waiting.filter((other) => other !== task)
    const milliseconds = Math.max(...before.map(({ still }) => still))
    task.options.onHang?.({ milliseconds, before: before.length })
    const others = `${before.length} before it hang in the kernel, for up to ${(milliseconds / 1000).toFixed(1)} s`
    this.#reject(
      task,
      unavailable(`cannot begin job ${task.job}: ${others}; mend or unmount the file system that does not answer`),
    )
  }

  #receive(thread: Thread, reply: JobReply): void {
    if ('tid' in reply) {
      thread.stillness = new Stillness(`/proc/self/task/${reply.tid}`)
      return
    }
    const current = thread.task
    if (!current || current.id !== reply.id) return
    const { task } = current
    if ('report' in reply) {
      task.options.onReport?.(reply.report)
      return
    }
    this.#free(thread)
    if ('error' in reply) {
      this.#reject(task, errorFrom(reply.error))
    } else {
      task.forget()
      task.done.resolve(reply.output)
    }
    this.#assign()
  }

  #lost(thread: Thread, why: string): void {
    if (!this.#threads.delete(thread)) return
    const task = thread.task?.task
    thread.task = undefined
    if (task) this.#reject(task, internal(`cannot finish job ${task.job}: ${why}`))
    if (!this.#closed) this.#assign()
  }

  #free(thread: Thread): void {
    thread.task = undefined
    thread.worker.unref()
    // One that came on top for a stream too: where clients call without a pause, each would else pay for the start of one.
    thread.idle = setTimeout(() => this.#retire(thread), IDLE_PATIENCE.others).unref()
  }

  #retire(thread: Thread): void {
    if (thread.task) return
    if (this.#threads.size > 1) this.#end(thread)
    else thread.idle = setTimeout(() => this.#end(thread), IDLE_PATIENCE.last).unref()
  }

  #end(thread: Thread): void {
    clearTimeout(thread.idle)
    if (this.#threads.delete(thread)) thread.worker.postMessage(END)
  }

  #reject(task: Task, error: Error): void {
    task.forget()
    task.done.reject(error)
  }
}

/**
 * The thread ends by itself, between two jobs: to be terminated while it loads native code, or is in it, would end the whole
 * process. One that does not hear is terminated.
 */
async function endThread(worker: Worker): Promise<void> {
  const ended = defer<void>()
  worker.once('exit', () => ended.resolve())
  worker.ref()
  worker.postMessage(END)
  const late = setTimeout(() => void worker.terminate(), CLOSE_PATIENCE)
  await ended.promise
  clearTimeout(late)
}

function laneOf({ options }: Task): Lane {
  return options.lane ?? 'bulk'
}

function isForeign({ options }: Task): boolean {
  return options.about !== undefined
}

/** A job on our own files does not wait to see whether one on those of others hangs, or only takes its time. */
function passes(task: Task, { task: other, still }: Running): boolean {
  return !isForeign(task) && isForeign(other) && still >= HANGS.further
}

function lookAt(running: Running, still: number, limit: number): void {
  running.still = still
  running.hangs = still >= limit
}

function requestStop(task: Task): void {
  Atomics.store(new Int32Array(task.cancel), 0, 1)
}
