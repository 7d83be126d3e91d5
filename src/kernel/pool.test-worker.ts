import { closeSync, openSync, readFileSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { cancelled, conflict } from '#base'
import { getXattr } from '#kernel/call'
import { serveJobs } from './job.ts'
import type { JobContext } from './types.ts'

/** How often the thread gave memory back. */
const rests: number[] = []
Object.assign(globalThis, { gc: () => void rests.push(threadId) })

const jobs = {
  'test.rests': () => rests.length,
  'test.double': (input: number, context: JobContext) => {
    context.report({ got: input })
    return input * 2
  },
  'test.fail': (how: string) => {
    if (how === 'engine') throw conflict('no room', { details: { room: 'none' } })
    if (how === 'kernel') return getXattr('/no/such', 'user.x')
    return readFileSync('/no/such')
  },
  'test.spin': (_input: number, context: JobContext) => {
    context.report('spinning')
    while (!context.cancelled());
    throw cancelled('spin')
  },
  'test.wait': (_input: number, context: JobContext) => {
    const never = new Int32Array(new SharedArrayBuffer(4))
    while (!context.cancelled()) Atomics.wait(never, 0, 0, 5)
    throw cancelled('wait')
  },
  /** In the kernel, until somebody opens the other end of the pipe. */
  'test.hang': (fifo: string, context: JobContext) => {
    closeSync(openSync(fifo, 'r'))
    if (context.cancelled()) throw cancelled('hang')
    return fifo
  },
  'test.slow': (milliseconds: number) => {
    const never = new Int32Array(new SharedArrayBuffer(4))
    for (let end = Date.now() + milliseconds; Date.now() < end;) Atomics.wait(never, 0, 0, 50)
    return milliseconds
  },
  'test.thread': () => threadId,
  'test.die': () => process.exit(7),
}

serveJobs(jobs, { restAfter: 100 })
