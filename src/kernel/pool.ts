import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { cancelled, type Deferred, defer, internal, messageOf, unavailable } from '#base'
import { errorFrom, type JobMessage, type JobReply } from './job-message.ts'
import type { JobOptions, Lane, WorkerPool } from './types.ts'

const MOST_THREADS = 4
/** Jobs that may wait for a client at the same time; one more waits for one of them. */
const MOST_STREAMS = 32
/** Milliseconds after which a thread without work ends; one stays, so that the next job need not wait for a start. */
const IDLE_PATIENCE = 15_000
/** How long a closing pool waits for its jobs to stop. Milliseconds. */
const CLOSE_PATIENCE = 10_000

interface Task {
  readonly job: string
  readonly input: unknown
  readonly options: JobOptions
  readonly cancel: SharedArrayBuffer
  readonly done: Deferred<unknown>
  readonly forget: () => void
}

interface Thread {
  readonly worker: Worker
  task: { readonly id: number; readonly task: Task } | undefined
  idle: NodeJS.Timeout | undefined
}

/**
 * Threads that run the jobs of `entry` (a file that calls `serveJobs`): at most `size` (default: cores + 1, at most 4), each
 * started when first needed; one is kept, the others end when they had no work for a while. One is kept for `short` jobs where there are two or more; `stream` jobs get threads on
 * top, `streams` at most, so that clients that stand still hold up nobody else's work. An aborted job ends as
 * `cancelled`, once it has stopped; a job whose thread dies fails with kind `internal`. Idle threads keep no process alive.
 */
export function createWorkerPool(options: {
  readonly entry: string | URL
  readonly size?: number
  readonly streams?: number
}): WorkerPool {
  const { entry, size = Math.min(MOST_THREADS, availableParallelism() + 1), streams = MOST_STREAMS } = options
  return new Pool(entry, size, streams)
}

class Pool implements WorkerPool {
  readonly #entry: string | URL
  readonly #size: number
  readonly #streams: number
  readonly #threads = new Set<Thread>()
  readonly #waiting: Task[] = []
  #nextId = 1
  #closed = false

  constructor(entry: string | URL, size: number, streams: number) {
    this.#entry = entry
    this.#size = size
    this.#streams = streams
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
    const running = [...this.#threads].flatMap((thread) => (thread.task ? [thread.task.task] : []))
    for (const task of running) requestStop(task)
    const late = setTimeout(() => this.#giveUp(running), CLOSE_PATIENCE)
    await Promise.allSettled(running.map((task) => task.done.promise))
    clearTimeout(late)
    for (const thread of this.#threads) clearTimeout(thread.idle)
    const free = [...this.#threads].filter((thread) => !thread.task)
    await Promise.all(free.map((thread) => thread.worker.terminate()))
  }

  /** Such a thread ends with the process alone. */
  #giveUp(running: readonly Task[]): void {
    for (const thread of this.#threads) thread.worker.unref()
    for (const task of running) this.#reject(task, cancelled(task.job))
  }

  #task(job: string, input: unknown, options: JobOptions): Task {
    const abort = (): void => this.#abort(task)
    const forget = (): void => options.signal?.removeEventListener('abort', abort)
    const task = { job, input, options, cancel: new SharedArrayBuffer(4), done: defer<unknown>(), forget }
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

  /** Bulk jobs take all threads but one, short ones any; streams come on top. */
  #threadFor(task: Task): Thread | undefined {
    const lane = laneOf(task)
    const busy = { bulk: 0, short: 0, stream: 0 }
    for (const thread of this.#threads) if (thread.task) busy[laneOf(thread.task.task)] += 1
    if (lane === 'bulk' && busy.bulk >= Math.max(1, this.#size - 1)) return undefined
    if (lane === 'stream' ? busy.stream >= this.#streams : busy.bulk + busy.short >= this.#size) return undefined
    return [...this.#threads].find((thread) => !thread.task) ?? this.#open()
  }

  #open(): Thread {
    // Jobs close by node:fs what the kernel's own calls opened: node's bookkeeping would warn of each.
    const worker = new Worker(this.#entry, { trackUnmanagedFds: false })
    const thread: Thread = { worker, task: undefined, idle: undefined }
    worker.on('message', (reply: JobReply) => this.#receive(thread, reply))
    worker.on('error', (error) => this.#lost(thread, messageOf(error)))
    worker.on('exit', (code) => this.#lost(thread, `its thread ended with status ${code}`))
    worker.unref()
    this.#threads.add(thread)
    return thread
  }

  #start(thread: Thread, task: Task): void {
    const id = this.#nextId++
    thread.task = { id, task }
    clearTimeout(thread.idle)
    thread.worker.ref()
    const message: JobMessage = { id, job: task.job, input: task.input, cancel: task.cancel }
    try {
      thread.worker.postMessage(message)
    } catch (error) {
      this.#free(thread)
      this.#reject(task, internal(`cannot run job ${task.job}: its input cannot be passed on`, { cause: error }))
    }
  }

  #receive(thread: Thread, reply: JobReply): void {
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
    thread.idle = setTimeout(() => this.#retire(thread), IDLE_PATIENCE).unref()
  }

  #retire(thread: Thread): void {
    if (!thread.task && this.#threads.size > 1) this.#end(thread)
  }

  #end(thread: Thread): void {
    clearTimeout(thread.idle)
    if (this.#threads.delete(thread)) void thread.worker.terminate()
  }

  #reject(task: Task, error: Error): void {
    task.forget()
    task.done.reject(error)
  }
}

function laneOf({ options }: Task): Lane {
  return options.lane ?? 'bulk'
}

function requestStop(task: Task): void {
  Atomics.store(new Int32Array(task.cancel), 0, 1)
}
